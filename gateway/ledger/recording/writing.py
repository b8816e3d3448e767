"""What was decided about a group of webhooks, written down: a statement of many rows for each table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import Connection, bindparam, case, delete, update

from gateway.events import Lane
from gateway.ledger.event import Event, EventChange
from gateway.ledger.facts import currencies, repeats
from gateway.ledger.facts.submission import Recorded, Submission
from gateway.ledger.jobs import privacy_requests
from gateway.ledger.jobs.privacy_requests import Origin
from gateway.ledger.outbox import transitions
from gateway.ledger.recording.grouping import FactGroup
from gateway.ledger.scheduling import lines
from gateway.ledger.scheduling.leases import wake
from gateway.ledger.schema import groups, keys, memory, webhooks
from gateway.ledger.statements import Among, Insert, Prepared, Update
from gateway.ledger.status import COUNTED, Outcome, Status
from gateway.privacy import PrivacyRequest


class Note(TypedDict):
    """What is kept with a webhook of a source event that has a reason; `position` is its place in the webhook."""

    position: int
    type: str
    word: Outcome
    reason: str


@dataclass(frozen=True)
class RecordedWebhook:
    """What became of a webhook. `bodiless`: nothing is kept of what it said."""

    submission: Submission
    receipt: Recorded
    notes: tuple[Note, ...]
    bodiless: bool


@dataclass
class Changes:
    """All that changes in the ledger with a group of webhooks.

    `received` are new webhooks, `translated_again` those that are kept already. `lines` are lanes and subscribers
    whose line may have another head. `moved_groups` are parts of other groups from now on.
    """

    received: list[RecordedWebhook] = field(default_factory=list)
    translated_again: list[RecordedWebhook] = field(default_factory=list)
    new_events: list[Event] = field(default_factory=list)
    changed_events: list[tuple[Event, EventChange]] = field(default_factory=list)
    lines: set[tuple[Lane, str]] = field(default_factory=set)
    new_keys: list[tuple[str, str]] = field(default_factory=list)
    moved_groups: Mapping[str, str] = field(default_factory=dict)
    groups: list[FactGroup] = field(default_factory=list)
    gone_groups: list[str] = field(default_factory=list)
    repeats: set[tuple[str, str]] = field(default_factory=set)
    memory: list[tuple[str, Mapping[str, Any], datetime]] = field(default_factory=list)
    privacy_requests: list[tuple[PrivacyRequest, Origin]] = field(default_factory=list)


_ADD_WEBHOOKS = Insert(
    webhooks,
    (
        *("id", "source", "adapter", "destination", "delivery_id", "received_at", "url", "headers", "body", "secret"),
        *("outcome", "events_made", *(word.value for word in COUNTED), "notes"),
    ),
)
_ADD_KEYS = Insert(keys, ("destination", "key", "group"), replaced=())
_MOVE_KEYS = Update(keys, ("destination", "group"), ("group",))
_SUMS = ("truth", "emitted", "heard_at", "incident", "closed")
_KEEP_FACTS = Insert(groups, ("id", "destination", *_SUMS), replaced=_SUMS)
_END_FACTS = Prepared(delete(groups).where(Among(groups.c.id)))
_REMEMBER = Insert(memory, ("destination", "key", "values", "at"), replaced=("values", "at"))
_TRANSLATED_AGAIN = (
    update(webhooks)
    .where(webhooks.c.id == bindparam("its_id"))
    .values(
        outcome=case(
            (bindparam("its_outcome") == Outcome.QUARANTINED.value, bindparam("its_outcome")),
            (webhooks.c.events_made > 0, Outcome.TRANSLATED.value),
            else_=bindparam("its_outcome"),
        ),
        events_made=webhooks.c.events_made + bindparam("also_made"),
        **{name: bindparam(f"its_{name}") for name in (*COUNTED, "notes")},
    )
)


def write(connection: Connection, destination: str, changes: Changes, now: datetime) -> None:
    """Write it all down, under the destination's writer lock."""
    _ADD_WEBHOOKS.run(connection, [_row(one) for one in changes.received])
    for one in changes.translated_again:
        _write_again(connection, one)
    if changes.moved_groups:
        moved = changes.moved_groups
        _MOVE_KEYS.run(connection, [(destination, former, group) for former, group in moved.items()])
        transitions.regroup(connection, moved)
        repeats.move(connection, moved)
    transitions.add(connection, changes.new_events)
    currencies.meet(connection, destination, changes.new_events, now)
    transitions.write_unsent(connection, changes.changed_events)
    _ADD_KEYS.run(connection, [(destination, key, group) for key, group in changes.new_keys])
    if changes.gone_groups:
        _END_FACTS.run(connection, wanted=changes.gone_groups)
    _KEEP_FACTS.run(connection, [_fact(destination, one) for one in changes.groups])
    repeats.add(connection, changes.repeats)
    _REMEMBER.run(connection, [(destination, *one) for one in changes.memory])
    for request, origin in changes.privacy_requests:
        privacy_requests.record(connection, request, origin, now)
    _write_lines(connection, destination, changes, now)


def _write_lines(connection: Connection, destination: str, changes: Changes, now: datetime) -> None:
    waiting = [event for event in changes.new_events if event.status == Status.WAITING]
    lines.join(connection, [event for event in waiting if event.lane != Lane.BULK])
    lines.refresh(connection, destination, changes.lines)
    due = [event.due_at for event in waiting]
    if changes.changed_events or changes.lines:
        due.append(now)
    if due:
        wake(connection, destination, min(due))


def _row(one: RecordedWebhook) -> tuple[Any, ...]:
    item, receipt = one.submission, one.receipt
    return (
        *(receipt.webhook, item.source, item.adapter, item.destination, item.delivery_id, item.received_at, item.url),
        *(({}, None) if one.bodiless else (dict(item.headers), item.body)),
        *(item.secret, receipt.word, len(receipt.events)),
        *(*(getattr(receipt, word) for word in COUNTED), one.notes),
    )


def _write_again(connection: Connection, one: RecordedWebhook) -> None:
    """What a second translation changes; events made by the first are counted still."""
    receipt = one.receipt
    values = {
        "its_id": receipt.webhook,
        "its_outcome": receipt.word,
        "also_made": len(receipt.events),
        "its_notes": one.notes,
        **{f"its_{word}": getattr(receipt, word) for word in COUNTED},
    }
    connection.execute(_TRANSLATED_AGAIN, values)


def _fact(destination: str, one: FactGroup) -> tuple[Any, ...]:
    truth, emitted = (None, None) if one.sale.is_empty else (one.sale.sums.as_json(), one.sale.emitted_as_json())
    return one.id, destination, truth, emitted, one.sale.heard_at, one.incident, one.closed
