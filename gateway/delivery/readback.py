"""Whether Lumail has recorded an event whose answer was lost: what is asked for, and what the records found say.

Lumail has no idempotency key, so this is the only way to know before an event is sent again.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from gateway.events import DATA_FIELDS, MONEY_TYPES, EventType, decode_data
from gateway.ledger.event import Event
from gateway.ledger.outbox.observed import Observed
from gateway.ledger.scheduling.attempt import ReadBack
from gateway.lumail.client import EventsQuery, RecordedEvent, events_path

BEFORE = timedelta(minutes=10)
"""How long before the first attempt, in Lumail's clock, records are looked at: clocks are never quite known."""

CLOCK_NOT_KNOWN = timedelta(days=1)
"""How much earlier for an event that was sent before Lumail's clock had ever been seen."""

PAGE = 50
"""Records a page: a hundred with long subjects may be more than an answer is read of."""


@dataclass(frozen=True)
class ReadResult:
    """What one page says. `found` is our event, `is_named` by our id; `ambiguous` are records of which nobody can tell.

    `echo` is what the page shows of Lumail's habit: it keeps our id, it does not, or None: no record of ours was there.
    """

    found: RecordedEvent | None = None
    is_named: bool = False
    ambiguous: tuple[str, ...] = ()
    echo: bool | None = None


def path(read: ReadBack, observed: Observed) -> str:
    """What to ask Lumail for."""
    event = read.event
    offset = observed.clock_offset
    if event.clock_offset_ms is None:
        offset = min(offset, timedelta(0)) - CLOCK_NOT_KNOWN
    else:  # a clock may have been set since the first attempt: the earlier start of the two hides nothing
        offset = min(offset, timedelta(milliseconds=event.clock_offset_ms))
    query = EventsQuery(
        event_types=(event.type,),
        take=PAGE,
        start=read.first_attempt_at + offset - BEFORE,
        cursor=event.read_cursor,
    )
    return events_path(event.recipient, query)


def judge(
    event: Event,
    records: Sequence[RecordedEvent],
    owners: Mapping[str, str],
    observed: Observed,
    bodies: Sequence[str],
) -> ReadResult:
    """Look for the event among the records of a page. `bodies` are what attempts posted for it.

    `owners` are the records that are events of ours, Lumail's id to ours. One that carries our event's id is it. One
    that carries another's is not. One without an id can be it only where Lumail does not keep extra keys, or none
    were sent: then it is it when it says all that was sent and belongs to no other event. What is of the same type
    and amount and fits no better is near, and only a person can tell.
    """
    posted = [decode_data(body)["data"] for body in bodies]
    annotated = all("gatewayEventId" in data for data in posted)
    echo = _echo(records, owners, observed) if annotated else observed.echo
    shows_our_id = echo if annotated else False
    sent = [_documented(event.type, data) for data in posted]
    equal, ambiguous = [], []
    for record in records:
        if record.type != event.type:
            continue
        data = record.data or {}
        named = data.get("gatewayEventId")
        if named == event.id:
            return ReadResult(found=record, is_named=True, echo=True)
        if named is not None or owners.get(record.id, event.id) != event.id:
            continue
        told = _documented(event.type, data)
        if told in sent:
            equal.append(record)
        elif event.type in MONEY_TYPES and told.get("amount") in [one.get("amount") for one in sent]:
            ambiguous.append(record)
    if equal and shows_our_id is False:
        return ReadResult(found=min(equal, key=lambda record: (record.created_at, record.id)), echo=echo)
    if shows_our_id is True and event.type not in MONEY_TYPES:
        return ReadResult(echo=echo)
    return ReadResult(ambiguous=tuple(record.id for record in [*equal, *ambiguous]), echo=echo)


def _echo(records: Sequence[RecordedEvent], owners: Mapping[str, str], observed: Observed) -> bool | None:
    """A GET that shows our id is believed for good; one of our records without it says that extra keys are lost."""
    if any((record.data or {}).get("gatewayEventId") for record in records):
        return True
    if observed.echo is None and any(record.id in owners for record in records):
        return False
    return observed.echo


def _documented(event_type: EventType, data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that Lumail documents, in a form in which two spellings of one value are equal."""
    return {name: _normal(value) for name, value in data.items() if name in DATA_FIELDS[event_type]}


def _normal(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float | Decimal):
        return Decimal(str(value)).normalize()
    if isinstance(value, str):
        return " ".join(unicodedata.normalize("NFC", value).split())
    if isinstance(value, Mapping):
        return {name: _normal(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_normal(inner) for inner in value]
    return value
