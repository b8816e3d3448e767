"""Whose it is and what happened are enough for an event about mail: whatever else of a fixture is missing, or is of
another kind, costs nothing, and a retry an hour later tells the same fact.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from gateway.errors import PayloadError
from gateway.events import LumailEvent
from gateway.translation.adapter import Adapter, Context, SourceEvent, split, translate
from gateway.translation.declarative.adapter import adapter_of
from gateway.translation.registry import adapters, samples
from gateway.translation.sample import Sample
from gateway.translation.webhook import VerifiedWebhook
from tests.adapters.cases import NOW, Remembered, options_of, tell
from tests.adapters.test_fuzz import changed, places

ESSENTIAL = {
    "amazon_ses": (
        "Type Message eventType notificationType detail-type mail.destination emailAddress bouncedRecipients"
        " delivery.recipients complaintSubType complaintFeedbackType subscription"
    ),
    "brevo": "event email",
    "mailersend": "type data.recipient data.email",
    "mailgun": (
        "event-data.event event-data.severity event-data.recipient event-data.flags event-data.message.headers.to"
        " event recipient body-plain"
    ),
    "mailjet": "event email error hard_bounce",
    "mailtrap": "events.event events.email event email",
    "mandrill": "event type msg.email",
    "postal": "event payload.message.to payload.message.direction payload.original_message payload.bounce details",
    "postmark": "RecordType Type Recipient Email SuppressSending SuppressionReason Origin FromFull",
    "resend": "type data.to data.email data.origin data.unsubscribed data.topics",
    "sendgrid": "event email",
    "sparkpost": "type rcpt_to raw_rcpt_to bounce_class fbtype",
    "unisender_go": "event_name status email",
}
"""Where each provider says whose it is and what happened. Nothing else may decide about an event."""

DROP = object()
ODD: tuple[Any, ...] = (None, {}, [], "", "soon", True, 0, -1.5, 10**20, ["a", {"b": 1}], {"id": {"id": 7}}, "\ud800")

POSTMARK_IN_YAML = adapter_of(Path(__file__).parent / "twins" / "postmark.yaml")
MAIL = [*(adapters()[name] for name in ESSENTIAL), POSTMARK_IN_YAML]


def bodies(name: str, body: bytes) -> Iterator[bytes]:
    """The body with each of its other fields left out, and of some other kind."""
    value, field = decoded(body)
    for number, path in enumerate(places(value)):
        if holds_essential(name, at_place(value, path), path):
            continue
        for odd in (DROP, ODD[(number * 5 + len(body)) % len(ODD)]):
            yield encoded(changed(value, path, None if odd is DROP else odd, odd is DROP), field)


def decoded(body: bytes) -> tuple[Any, str | None]:
    """What a body says, and the field of the form in which it says so: empty where that is the form itself."""
    try:
        return json.loads(body), None
    except ValueError:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        field = "mandrill_events" if "mandrill_events" in form else ""
        return json.loads(form[field]) if field else form, field


def at_place(value: Any, path: Sequence[Any]) -> Any:
    for name in path:
        value = value[name]
    return value


def is_essential(name: str, path: Sequence[Any]) -> bool:
    """Whether a field says whose it is or what happened, or is a part of one that does."""
    names = [one for one in path if isinstance(one, str)]
    parts = [essential.split(".") for essential in ESSENTIAL[name].split()]
    return any(names[at : at + len(one)] == one for one in parts for at in range(len(names)))


def holds_essential(name: str, value: Any, path: Sequence[Any]) -> bool:
    return any(is_essential(name, (*path, *inner)) for inner in places(value))


def encoded(value: Any, field: str | None) -> bytes:
    if field is None:
        return json.dumps(value).encode()
    if field:
        return urlencode({field: json.dumps(value)}).encode()
    return urlencode({name: str(text) for name, text in value.items()}, errors="replace").encode()


def bare(name: str, body: bytes) -> bytes:
    """The body with nothing else."""
    value, field = decoded(body)
    return encoded(pruned(name, value, ()), field)


def pruned(name: str, value: Any, path: tuple[Any, ...]) -> Any:
    if is_essential(name, path):
        return value
    if isinstance(value, list):
        return [pruned(name, item, (*path, place)) for place, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    kept = {key: item for key, item in value.items() if holds_essential(name, item, (*path, key))}
    return {key: pruned(name, item, (*path, key)) for key, item in kept.items()}


def told(
    adapter: Adapter, sample: Sample, body: bytes, hours: int = 0, signed_at: datetime | None = None
) -> list[LumailEvent]:
    """What comes of a body; what is not understood, as in batches with items that are bad on purpose, is left out."""
    memory, options, at = Remembered(), options_of(adapter, sample), NOW + timedelta(hours=hours)
    for earlier in sample.after:
        tell(adapter, samples(sample.adapter)[earlier], memory)
    webhook = replace(sample, body=body).webhook("mail", "https://hooks.example.com/webhooks/mail", at)
    items = split(adapter, VerifiedWebhook(webhook, secret=0, signed_at=signed_at))
    context = Context("mail", at, memory, options)
    return [made for one in items if isinstance(one, SourceEvent) for made in understood(adapter, one, context)]


def understood(adapter: Adapter, event: SourceEvent, context: Context) -> Sequence[LumailEvent]:
    try:
        return translate(adapter, event, context).events
    except PayloadError:
        return ()


def facts(events: Sequence[LumailEvent]) -> list[tuple[Any, ...]]:
    return [(event.type, event.subscriber) for event in events]


def keys(events: Sequence[LumailEvent]) -> list[tuple[str, ...]]:
    return [event.keys for event in events]


CASES = [
    (adapter, sample)
    for adapter in MAIL
    for sample in samples(adapter.name).values()
    if sample.outcome["expect"] and sample.case != "json_lines"  # several texts in one
]

each_case = pytest.mark.parametrize(
    ("adapter", "sample"),
    CASES,
    ids=[f"{adapter.name}/{sample.case}{'/yaml' * (adapter is POSTMARK_IN_YAML)}" for adapter, sample in CASES],
)


@each_case
def test_nothing_but_whose_it_is_and_what_happened_decides_about_an_event(adapter: Adapter, sample: Sample) -> None:
    usual = facts(told(adapter, sample, sample.body))
    for body in bodies(adapter.name, sample.body):
        first, again = told(adapter, sample, body), told(adapter, sample, body, hours=1)
        assert (facts(first), keys(first)) == (usual, keys(again)), body


@each_case
def test_whose_it_is_and_what_happened_alone_are_an_event(adapter: Adapter, sample: Sample) -> None:
    body = bare(adapter.name, sample.body)
    first, again = told(adapter, sample, body), told(adapter, sample, body, hours=1)
    assert (facts(first), keys(first)) == (facts(told(adapter, sample, sample.body)), keys(again)), body


def by_sns(message: bytes) -> bytes:
    """In the envelope of SNS, of which every field is signed as it is."""
    topic = "arn:aws:sns:eu-west-1:123456789012:mail"
    told_by = {"Type": "Notification", "MessageId": "m1", "TopicArn": topic, "Timestamp": "2026-01-05T11:59:00.000Z"}
    return json.dumps({**told_by, "Message": message.decode()}).encode()


def by_event_bridge(message: bytes) -> bytes:
    told_by = {"version": "0", "id": "e1", "source": "aws.ses", "time": "2026-01-05T11:59:00Z", "resources": []}
    return json.dumps({**told_by, "detail-type": "Email", "detail": json.loads(message)}).encode()


OF_SES = [
    sample
    for adapter, sample in CASES
    if adapter.name == "amazon_ses" and {"eventType", "notificationType"} & json.loads(sample.body).keys()
]


@pytest.mark.parametrize(("wrapped", "signed_at"), [(by_sns, NOW - timedelta(minutes=1)), (by_event_bridge, None)])
@pytest.mark.parametrize("sample", OF_SES, ids=lambda sample: sample.case)
def test_whatever_carries_a_message_of_ses_only_whose_and_what_decides(
    sample: Sample, wrapped: Callable[[bytes], bytes], signed_at: datetime | None
) -> None:
    [ses] = [adapter for adapter in MAIL if adapter.name == "amazon_ses"]
    usual = facts(told(ses, sample, sample.body))
    for body in (sample.body, bare(ses.name, sample.body), *bodies(ses.name, sample.body)):
        first, again = (told(ses, sample, wrapped(body), hours, signed_at) for hours in (0, 1))
        assert (facts(first), keys(first)) == (usual, keys(again)), body
