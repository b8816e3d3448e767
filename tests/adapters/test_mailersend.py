"""MailerSend beyond its fixtures: the ping that comes before there is a secret."""

import json
from datetime import UTC, datetime

import pytest

from adapters.mailersend import PING_SECRET, SCHEME, pinged
from gateway.translation.webhook import Headers, Webhook

AT = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
PING = {"type": "webhook.test", "message": "This is a ping test message", "created_at": "2026-01-05T12:00:00.000000Z"}
COMPLAINT = {"type": "activity.spam_complaint", "created_at": PING["created_at"], "data": {"id": "1"}}


def signed(body: bytes, secret: str) -> Webhook:
    webhook = Webhook("mailersend", "https://hooks.example.com/webhooks/mailersend", Headers(), body, AT)
    return SCHEME.sign(webhook, secret, AT)


@pytest.mark.parametrize(
    ("body", "secret", "probe"),
    [
        (json.dumps(PING).encode(), PING_SECRET, True),
        (json.dumps(PING).encode(), "another", False),
        (json.dumps(COMPLAINT).encode(), PING_SECRET, False),
        (b"[]", PING_SECRET, False),
        (b"", PING_SECRET, False),
    ],
    ids=["a ping", "with another secret", "something else with the published secret", "no object", "nothing"],
)
def test_the_published_secret_is_believed_for_pings_only(body: bytes, secret: str, probe: bool) -> None:
    assert pinged(signed(body, secret), [], {}) is probe


def test_an_unsigned_ping_is_none() -> None:
    webhook = Webhook("mailersend", "https://hooks.example.com/", Headers(), json.dumps(PING).encode(), AT)
    assert pinged(webhook, [], {}) is False
