"""An address and a word are enough for what says whom to write no more, in every adapter that has a word for it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from gateway.events import LumailEvent
from gateway.translation.adapter import Adapter, Context, SourceEvent, split, translate
from gateway.translation.registry import default_sample, samples
from gateway.translation.webhook import VerifiedWebhook
from tests.adapters.cases import NOW, Remembered, options_of
from tests.adapters.test_decorations import ESSENTIAL, MAIL, POSTMARK_IN_YAML

HARD, COMPLAINED, UNSUBSCRIBED = "EMAIL_BOUNCED", "EMAIL_COMPLAINED", "UNSUBSCRIBED"
ANA = "ana@example.com"
GONE = [{"emailAddress": ANA}]


def of_mandrill(word: str) -> bytes:
    return urlencode({"mandrill_events": json.dumps([{"event": word, "msg": {"email": ANA}}])}).encode()


def of_unisender(status: str, **told: Any) -> Any:
    data = {"status": status, "email": ANA, **told}
    event = {"event_name": "transactional_email_status", "event_data": data}
    return {"auth": "", "events_by_user": [{"events": [event]}]}


def of_sparkpost(word: str, **told: Any) -> Any:
    return [{"msys": {"message_event": {"type": word, "rcpt_to": ANA, **told}}}]


LEAST: dict[str, dict[str, Any]] = {
    "amazon_ses": {
        HARD: {"eventType": "Bounce", "bounce": {"bounceType": "Permanent", "bouncedRecipients": GONE}},
        COMPLAINED: {"notificationType": "Complaint", "complaint": {"complainedRecipients": GONE}},
        UNSUBSCRIBED: {
            "eventType": "Subscription",
            "mail": {"destination": [ANA]},
            "subscription": {"newTopicPreferences": {"unsubscribeAll": True}},
        },
    },
    "brevo": {
        HARD: {"event": "hard_bounce", "email": ANA},
        COMPLAINED: {"event": "spam", "email": ANA},
        UNSUBSCRIBED: {"event": "unsubscribe", "email": ANA},
    },
    "mailersend": {
        HARD: {"type": "activity.hard_bounced", "data": {"recipient": ANA}},
        COMPLAINED: {"type": "activity.spam_complaint", "data": {"recipient": ANA}},
        UNSUBSCRIBED: {"type": "activity.unsubscribed", "data": {"recipient": ANA}},
    },
    "mailgun": {
        HARD: {"event-data": {"event": "failed", "severity": "permanent", "reason": "bounce", "recipient": ANA}},
        COMPLAINED: {"event-data": {"event": "complained", "recipient": ANA}},
        UNSUBSCRIBED: {"event-data": {"event": "unsubscribed", "recipient": ANA}},
    },
    "mailjet": {
        HARD: {"event": "bounce", "hard_bounce": True, "email": ANA},
        COMPLAINED: {"event": "spam", "email": ANA},
        UNSUBSCRIBED: {"event": "unsub", "email": ANA},
    },
    "mailtrap": {
        HARD: {"events": [{"event": "bounce", "bounce_category": "badrecipient", "email": ANA}]},
        COMPLAINED: {"events": [{"event": "spam", "email": ANA}]},
        UNSUBSCRIBED: {"events": [{"event": "unsubscribe", "email": ANA}]},
    },
    "mandrill": {
        HARD: of_mandrill("hard_bounce"),
        COMPLAINED: of_mandrill("spam"),
        UNSUBSCRIBED: of_mandrill("unsub"),
    },
    "postal": {  # has no label of its own, and no words for the others
        HARD: {"event": "MessageDeliveryFailed", "payload": {"message": {"to": ANA}, "output": "550 5.1.1 x"}},
    },
    "postmark": {
        HARD: {"RecordType": "Bounce", "Type": "HardBounce", "Email": ANA},
        COMPLAINED: {"RecordType": "SpamComplaint", "Email": ANA},
        UNSUBSCRIBED: {
            "RecordType": "SubscriptionChange",
            "SuppressSending": True,
            "SuppressionReason": "ManualSuppression",
            "Recipient": ANA,
        },
    },
    "resend": {
        HARD: {"type": "email.bounced", "data": {"to": [ANA]}},
        COMPLAINED: {"type": "email.complained", "data": {"to": [ANA]}},
        UNSUBSCRIBED: {"type": "contact.updated", "data": {"email": ANA, "unsubscribed": True}},
    },
    "sendgrid": {
        HARD: [{"event": "bounce", "type": "bounce", "email": ANA}],
        COMPLAINED: [{"event": "spamreport", "email": ANA}],
        UNSUBSCRIBED: [{"event": "group_unsubscribe", "email": ANA}],
    },
    "sparkpost": {
        HARD: of_sparkpost("bounce", bounce_class="10"),
        COMPLAINED: of_sparkpost("spam_complaint"),
        UNSUBSCRIBED: of_sparkpost("list_unsubscribe"),
    },
    "unisender_go": {
        HARD: of_unisender("hard_bounced", delivery_info={"delivery_status": "err_user_unknown"}),
        COMPLAINED: of_unisender("spam"),
        UNSUBSCRIBED: of_unisender("unsubscribed"),
    },
}

CASES = [(adapter, kind, told) for adapter in MAIL for kind, told in LEAST[adapter.name].items()]


def became(adapter: Adapter, told: Any, hours: int) -> Sequence[LumailEvent]:
    sample = default_sample(adapter.name)
    body, at = told if isinstance(told, bytes) else json.dumps(told).encode(), NOW + timedelta(hours=hours)
    webhook = replace(sample, body=body, headers={}).webhook("mail", "https://hooks.example.com/webhooks/mail", at)
    context = Context("mail", at, Remembered(), options_of(adapter, sample))
    found = split(adapter, VerifiedWebhook(webhook, secret=0, signed_at=None))
    return [made for one in found if isinstance(one, SourceEvent) for made in translate(adapter, one, context).events]


@pytest.mark.parametrize(
    ("adapter", "kind", "told"),
    CASES,
    ids=[f"{adapter.name}/{kind}{'/yaml' * (adapter is POSTMARK_IN_YAML)}" for adapter, kind, _ in CASES],
)
def test_an_address_and_a_word_are_enough_and_tell_the_same_fact_an_hour_later(
    adapter: Adapter, kind: str, told: Any
) -> None:
    [first], [again] = became(adapter, told, 0), became(adapter, told, 1)
    assert (first.type, first.subscriber, first.data["timeIsArrival"]) == (kind, ANA, True)
    assert first.data.get("bounceType") == ("hard" if kind == HARD else None)
    assert first.keys == again.keys


def test_every_adapter_for_mail_is_tried_with_every_such_word_that_it_has() -> None:
    known = {
        name: {
            one["eventType"]
            for sample in samples(name).values()
            for one in sample.outcome["expect"]
            if one["eventType"] in (HARD, COMPLAINED, UNSUBSCRIBED)
        }
        for name in ESSENTIAL
    }
    assert {name: set(least) for name, least in LEAST.items()} == known
