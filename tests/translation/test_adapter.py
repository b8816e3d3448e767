"""The contract's own promises: three outcomes, and an adapter's bug costs no webhook."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from marshmallow import fields

from gateway.errors import AdapterError, PayloadError
from gateway.events import EventType, LumailEvent, MemoryKey
from gateway.privacy import Duty, PrivacyRequest, Subject
from gateway.translation import schemes
from gateway.translation.adapter import (
    Adapter,
    Context,
    Docs,
    Handlers,
    Memo,
    SourceEvent,
    Translation,
    erased,
    ignored,
    requested,
    split,
    taught,
    translate,
    translated,
)
from gateway.translation.payload import PayloadSchema
from gateway.translation.webhook import VerifiedWebhook
from tests.adapters.cases import Remembered
from tests.translation.requests import NOW, request

handlers = Handlers()


class PersonSchema(PayloadSchema):
    email = fields.String(required=True)


@handlers.on("joined", schema=PersonSchema)
def joined(person: Any, event: SourceEvent, context: Context) -> Translation:
    return translated(LumailEvent(EventType.SUBSCRIBED, person["email"], {}, event.occurred_at, ("event:1",)))


@handlers.on("broken")
def broken(payload: Any, event: SourceEvent, context: Context) -> Translation:
    return translated(payload["missing"])


ADAPTER = Adapter(
    name="toy",
    title="Toy",
    docs=Docs("https://example.com/events", "https://example.com/security"),
    scheme=lambda options: schemes.Bearer(),
    split=lambda verified: verified.json["events"],
    handlers=handlers,
    ignored={"account.*": "about the account", "ping": "a test"},
)


def told(event_type: str, **payload: Any) -> Translation:
    context = Context("source", NOW, Remembered())
    return translate(ADAPTER, SourceEvent("1", event_type, NOW, payload), context)


def test_a_source_event_is_translated_by_the_handler_of_its_type() -> None:
    event = LumailEvent(EventType.SUBSCRIBED, "ana@example.com", {}, NOW, ("event:1",))
    assert told("joined", email="ana@example.com", extra=1) == Translation(events=(event,))


@pytest.mark.parametrize(("event_type", "reason"), [("account.closed", "about the account"), ("ping", "a test")])
def test_a_type_may_be_left_out_on_purpose_by_name_or_family(event_type: str, reason: str) -> None:
    assert told(event_type) == ignored(reason)


@pytest.mark.parametrize(
    ("event_type", "payload", "words"),
    [
        ("pinged", {}, "unknown type 'pinged': adapter toy neither translates nor ignores it"),
        ("joined", {}, "payload does not fit: .*email"),
        ("broken", {}, "adapter toy failed on broken: KeyError"),
        ("joined", {"email": "nobody"}, "made an event that Lumail would refuse"),
    ],
)
def test_what_is_not_understood_says_why(event_type: str, payload: dict[str, Any], words: str) -> None:
    with pytest.raises(PayloadError, match=words):
        told(event_type, **payload)


def test_a_bug_while_splitting_costs_no_webhook() -> None:
    with pytest.raises(PayloadError, match="adapter toy failed to split: TypeError"):
        split(ADAPTER, VerifiedWebhook(request(b"[]"), 0, None))


def test_what_an_adapter_says_about_a_body_is_kept_as_it_is() -> None:
    with pytest.raises(PayloadError, match="the body is not JSON"):
        split(ADAPTER, VerifiedWebhook(request(b"?"), 0, None))


def test_a_type_has_one_handler() -> None:
    with pytest.raises(AdapterError, match="two handlers for joined"):
        handlers.on("joined")(joined)


def test_a_lesson_makes_no_event() -> None:
    memo = Memo(MemoryKey("customer", "cus_1"), {"email": "ana@example.com"}, NOW)
    assert taught(memo, links=[("a:1", "b:2")]) == Translation(memos=(memo,), links=(("a:1", "b:2"),))


def test_a_demand_to_erase_names_a_person_by_addresses_memory_and_facts() -> None:
    subject = Subject(("ana@example.com",), (MemoryKey("customer", "17"),), ("order:1",))
    demand = PrivacyRequest(Duty.ERASE, subject, reference="9")
    made = erased(
        addresses=["ana@example.com"], memories=[MemoryKey("customer", "17")], keys=["order:1"], reference="9"
    )
    assert made == Translation(demand=demand)
    assert requested(addresses=["ana@example.com"]) == Translation(
        demand=PrivacyRequest(Duty.COPY, Subject(("ana@example.com",)))
    )
    assert demand.as_json() == {
        "duty": "erase",
        "people": ["ana@example.com"],
        "memories": ["customer:17"],
        "keys": ["order:1"],
        "reference": "9",
    }


def test_a_demand_that_names_nobody_is_not_understood() -> None:
    silent = replace(ADAPTER, handlers={"redact": lambda event, context: erased()})
    with pytest.raises(PayloadError, match="redact does not say of whom it speaks"):
        translate(silent, SourceEvent("1", "redact", NOW, {}), Context("source", NOW, Remembered()))


def test_an_event_needs_a_time_zone() -> None:
    aware = datetime(2026, 1, 5, tzinfo=UTC)
    event = SourceEvent("1", "joined", aware.replace(tzinfo=None), {"email": "ana@example.com"})
    with pytest.raises(PayloadError, match="a time without a time zone"):
        translate(ADAPTER, event, Context("source", NOW, Remembered()))
    assert translate(ADAPTER, replace(event, occurred_at=aware), Context("source", NOW, Remembered())).events
