"""Resend beyond its fixtures: in agreement with the SDKs of Resend, Svix and Standard Webhooks; what is told twice."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
import resend
import standardwebhooks
import svix
from resend.webhooks._webhook import WebhookEvent

from adapters.resend import SCHEME
from gateway.translation.adapter import covers
from gateway.translation.registry import adapters, default_sample, samples
from gateway.translation.signature import verify
from gateway.translation.webhook import Webhook
from tests.adapters.cases import NOW, Remembered, keys_of, tell, webhook_of

ADAPTER = adapters()["resend"]
CASES = samples("resend")
SECRET = keys_of(SCHEME).verifying


def signed(at: datetime) -> Webhook:
    return SCHEME.sign(webhook_of(default_sample("resend")), SECRET, at)


def believed_by_resend(webhook: Webhook) -> None:
    headers: Any = {name: webhook.headers[f"svix-{name}"] for name in ("id", "timestamp", "signature")}
    resend.Webhooks.verify({"payload": webhook.body.decode(), "headers": headers, "webhook_secret": SECRET})


def believed_by_svix(webhook: Webhook) -> None:
    svix.Webhook(SECRET).verify(webhook.body, dict(webhook.headers))


def believed_by_standard_webhooks(webhook: Webhook) -> None:
    fields = {name.replace("svix-", "webhook-"): value for name, value in webhook.headers.items()}
    standardwebhooks.Webhook(SECRET).verify(webhook.body, fields)


each_sdk = pytest.mark.parametrize("believed", [believed_by_resend, believed_by_svix, believed_by_standard_webhooks])


@each_sdk
def test_the_sdks_believe_what_is_signed_here(believed: Callable[[Webhook], None]) -> None:
    believed(signed(datetime.now(UTC)))


@each_sdk
def test_the_sdks_refuse_what_was_tampered_with(believed: Callable[[Webhook], None]) -> None:
    genuine = signed(datetime.now(UTC))
    with pytest.raises((ValueError, svix.WebhookVerificationError, standardwebhooks.WebhookVerificationError)):
        believed(genuine.with_headers({"svix-id": "msg_another"}))


@pytest.mark.parametrize(
    ("sdk", "prefix"), [(svix.Webhook(SECRET), "svix-"), (standardwebhooks.Webhook(SECRET), "webhook-")]
)
def test_what_the_sdks_sign_is_believed(sdk: Any, prefix: str) -> None:
    webhook = webhook_of(default_sample("resend"))
    signature = sdk.sign("msg_7", NOW, webhook.body.decode())
    fields = {"id": "msg_7", "timestamp": str(int(NOW.timestamp())), "signature": signature}
    told = verify(
        SCHEME, webhook.with_headers({prefix + name: value for name, value in fields.items()}), [SECRET], None
    )
    assert (told.signed_at, ADAPTER.delivery_id(told)) == (NOW, "msg_7")


def test_an_id_beside_the_signature_does_not_rename_the_delivery() -> None:
    webhook = signed(NOW)
    told = verify(SCHEME, webhook.with_headers({"webhook-id": "another"}), [SECRET])
    assert ADAPTER.delivery_id(told) == webhook.headers["svix-id"]


def test_every_event_type_of_resends_sdk_is_translated_or_left_out() -> None:
    left = [
        name
        for name in get_args(WebhookEvent)
        if name not in ADAPTER.handlers and not any(covers(pattern, name) for pattern in ADAPTER.ignored)
    ]
    assert left == []


@pytest.mark.parametrize(
    ("told", "told_again"), [("bounced", "suppressed_after_bounce"), ("complained", "suppressed_after_complaint")]
)
def test_what_puts_an_address_on_the_suppression_list_is_one_fact_with_it(told: str, told_again: str) -> None:
    [first], [second] = (tell(ADAPTER, CASES[case], Remembered()).events for case in (told, told_again))
    assert (first.type, first.subscriber, first.keys) == (second.type, second.subscriber, second.keys)
