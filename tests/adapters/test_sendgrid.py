"""SendGrid beyond its fixtures: in agreement with SendGrid's own SDK."""

from dataclasses import replace

import pytest
from sendgrid.helpers.eventwebhook import EventWebhook, EventWebhookHeader

from adapters.sendgrid import SCHEME
from gateway.translation.registry import adapters, default_sample
from gateway.translation.signature import verify
from tests.adapters.cases import NOW, Remembered, keys_of, tell, webhook_of

ADAPTER = adapters()["sendgrid"]


@pytest.mark.parametrize(("ending", "believed"), [(b"", True), (b" ", False)], ids=["untouched", "tampered"])
def test_sendgrids_sdk_believes_what_is_signed_here(ending: bytes, believed: bool) -> None:
    pair = keys_of(SCHEME)
    signed = SCHEME.sign(webhook_of(default_sample("sendgrid")), pair.signing, NOW)
    signature = signed.headers[EventWebhookHeader.SIGNATURE]
    timestamp = signed.headers[EventWebhookHeader.TIMESTAMP]
    body = (signed.body + ending).decode()
    assert EventWebhook(pair.verifying).verify_signature(body, signature, timestamp) is believed


def test_the_time_is_signed_too() -> None:
    pair = keys_of(SCHEME)
    signed = SCHEME.sign(webhook_of(default_sample("sendgrid")), pair.signing, NOW)
    assert verify(SCHEME, signed, [pair.verifying]).signed_at == NOW


def test_a_repeated_event_names_the_same_fact_in_another_batch() -> None:
    sample = default_sample("sendgrid")
    twice = replace(sample, body=b"[" + sample.body[1:-1] + b"," + sample.body[1:-1] + b"]")
    first, second = tell(ADAPTER, twice, Remembered()).events
    assert first == second
