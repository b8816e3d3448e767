"""What every adapter promises. A new one is tested by these without a line being written: its fixtures are enough."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest

from gateway.errors import RejectionCause, SignatureError
from gateway.events import encode_data, faults_of
from gateway.translation import trial
from gateway.translation.adapter import Adapter
from gateway.translation.registry import default_sample, samples
from gateway.translation.sample import Sample, freshen
from gateway.translation.signature import verify
from gateway.translation.trial import Became, differences, unseen
from gateway.translation.webhook import VerifiedWebhook, Webhook
from tests.adapters.cases import (
    ADAPTERS,
    CASES,
    NOW,
    Remembered,
    keys_of,
    memory_before,
    options_of,
    tell,
    verified,
    webhook_of,
)

each_adapter = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
each_case = pytest.mark.parametrize(
    ("adapter", "sample"), CASES, ids=[f"{adapter.name}/{sample.case}" for adapter, sample in CASES]
)


@each_case
def test_a_case_becomes_what_its_fixture_says_and_the_same_when_it_is_sent_again(
    adapter: Adapter, sample: Sample
) -> None:
    sent, resent = verified(adapter, sample), verified(adapter, sample, retry_of(adapter, sample))
    told, again = (tell_proven(adapter, sample, webhook) for webhook in (sent, resent))
    assert list(differences(told, sample.outcome)) == []
    assert [event.keys for event in told.events] == [event.keys for event in again.events]
    assert adapter.delivery_id(sent) == adapter.delivery_id(resent) != ""
    for event in told.events:
        assert faults_of(event) == {}
        assert all(":" in key for key in event.keys)
        assert encode_data(event.data).encode()


@each_adapter
def test_there_is_a_fixture_for_every_handler_and_everything_left_out(adapter: Adapter) -> None:
    assert unseen(adapter, samples(adapter.name), NOW) == []


@each_adapter
def test_an_adapter_says_where_it_was_written_from(adapter: Adapter) -> None:
    assert adapter.title
    assert adapter.docs.events.startswith("https://")
    assert adapter.docs.security.startswith("https://")


@each_adapter
def test_a_sample_can_be_sent_again_and_again(adapter: Adapter) -> None:
    sample = default_sample(adapter.name)
    first, second = (tell(adapter, freshen(sample, NOW, token), Remembered()) for token in ("one", "two"))
    assert len(first.events) > 0
    assert {key for event in first.events for key in event.keys}.isdisjoint(
        key for event in second.events for key in event.keys
    )
    assert all(abs(event.occurred_at - NOW) <= timedelta(days=1) for event in first.events)


@each_adapter
def test_what_a_fixture_declares_as_fresh_is_in_it(adapter: Adapter) -> None:
    for sample in samples(adapter.name).values():
        written = sample.body.decode() + " ".join(sample.headers.values())
        declared = (*sample.fresh_ids, *sample.fresh_times)
        assert [text for text in declared if text not in written and quote_plus(text) not in written] == []


@each_adapter
def test_an_unsigned_webhook_is_refused(adapter: Adapter) -> None:
    scheme, sample = scheme_of(adapter), default_sample(adapter.name)
    assert refusal(adapter, webhook_of(sample), keys_of(scheme).verifying) in (
        RejectionCause.MISSING,
        RejectionCause.MALFORMED,
    )


@each_adapter
def test_a_webhook_signed_with_another_key_is_refused(adapter: Adapter) -> None:
    scheme = scheme_of(adapter)
    assert refusal(adapter, signed(adapter), keys_of(scheme, 1).verifying) is RejectionCause.WRONG


@each_adapter
def test_a_tampered_webhook_is_refused_where_the_body_is_signed(adapter: Adapter) -> None:
    scheme, genuine = scheme_of(adapter), signed(adapter)
    tampered = replace(genuine, body=re.sub(rb"(?i)example\.com", b"example.net", genuine.body))
    assert tampered.body != genuine.body, "people in samples live at example.com"
    cause = refusal(adapter, tampered, keys_of(scheme).verifying)
    assert cause is (RejectionCause.WRONG if scheme.signs_body else None)


@each_adapter
@pytest.mark.parametrize("direction", [1, -1], ids=["old", "future"])
def test_a_stale_webhook_is_refused_where_a_time_is_signed(adapter: Adapter, direction: int) -> None:
    scheme, genuine = scheme_of(adapter), signed(adapter)
    limit = scheme.tolerance or timedelta(days=400)
    late = replace(genuine, received_at=NOW + direction * (limit + timedelta(seconds=2)))
    just = replace(genuine, received_at=NOW + direction * (limit - timedelta(seconds=2)))
    assert refusal(adapter, late, keys_of(scheme).verifying) is (RejectionCause.STALE if scheme.tolerance else None)
    assert refusal(adapter, just, keys_of(scheme).verifying) is None


@each_adapter
def test_the_former_secret_is_taken_while_it_is_being_replaced(adapter: Adapter) -> None:
    scheme = scheme_of(adapter)
    secrets = [keys_of(scheme, 1).verifying, keys_of(scheme).verifying]
    assert verify(scheme, signed(adapter), secrets).secret == 1


@each_adapter
def test_a_generated_secret_has_the_form_that_is_asked_for(adapter: Adapter) -> None:
    scheme = scheme_of(adapter)
    assert scheme.check_secret(keys_of(scheme).verifying) is None
    assert scheme.check_secret("") is not None


def retry_of(adapter: Adapter, sample: Sample) -> Webhook:
    """The case an hour later: a provider signs it anew, unless its signature is part of the body that it keeps."""
    unsigned = webhook_of(sample)
    keeps_body = scheme_of(adapter).sign(unsigned, keys_of(scheme_of(adapter)).signing, NOW).body == unsigned.body
    return replace(unsigned, received_at=NOW + timedelta(hours=1)) if keeps_body else unsigned


def tell_proven(adapter: Adapter, sample: Sample, webhook: VerifiedWebhook) -> Became:
    return trial.translated(adapter, webhook, options_of(adapter, sample), memory_before(adapter, sample))


def scheme_of(adapter: Adapter) -> Any:
    return adapter.scheme(options_of(adapter, default_sample(adapter.name)))


def signed(adapter: Adapter) -> Webhook:
    scheme, sample = scheme_of(adapter), default_sample(adapter.name)
    webhook: Webhook = scheme.sign(webhook_of(sample), keys_of(scheme).signing, NOW)
    return webhook


def refusal(adapter: Adapter, webhook: Webhook, secret: str) -> RejectionCause | None:
    """Why a webhook is refused, or None."""
    try:
        verify(scheme_of(adapter), webhook, [secret])
    except SignatureError as error:
        return error.cause
    return None
