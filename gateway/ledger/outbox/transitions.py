"""The one place where an event moves: from which status to which, with all that follows from it, written down.

Nothing else writes the table `events`. All of it happens under the destination's writer lock, so that an event is
still what it was when it was read; every statement names the status from which it starts all the same.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, or_, select, update
from sqlalchemy import func as sql

from gateway.events import EventType, Lane
from gateway.ledger.event import COLUMNS, Event, EventChange, stored
from gateway.ledger.facts.known_events import events_of
from gateway.ledger.money import refund_order
from gateway.ledger.scheduling import leases, lines
from gateway.ledger.schema import Instant, destinations, events
from gateway.ledger.statements import Insert, Update
from gateway.ledger.status import (
    CORRECTIONS,
    ENDED,
    ON_THEIR_WAY,
    SETTLED,
    TRANSITIONS,
    UNSENT,
    WITHOUT_REASON,
    Reason,
    Status,
)

NEW_COLUMNS = COLUMNS[: COLUMNS.index("tries")]
"""Columns with which an event begins; of the others the table knows what they begin with."""


def completed(event: Event, change: EventChange, now: datetime, *, corrects: bool = False) -> EventChange:
    """The change with the times that follow from it, and without what was said of a reason that it has no more.

    Raises ValueError where an event can't get there from where it is; with `corrects`, which a person may do, or an
    answer that knows better, a few ways more are open.
    """
    if "reason" in change:
        change = {"reason_detail": None, "former_reason": None, **change}
    status = Status(change.get("status", event.status))
    if status == event.status:
        return change
    _check(event.id, Status(event.status), status, corrects=corrects)
    times: EventChange = {}
    if status == Status.HELD:
        times["held_at"] = now
    if (status in SETTLED) != (event.status in SETTLED):
        times["settled_at"] = now if status in SETTLED else None
    return {**times, **change}


def _check(name: str, was: Status, becomes: Status, *, corrects: bool = False) -> None:
    allowed = TRANSITIONS[was] | (CORRECTIONS.get(was, frozenset()) if corrects else frozenset())
    if becomes not in allowed:
        raise ValueError(f"{name} can't become {becomes}: it is {was}")


def move(
    connection: Connection,
    destination: str,
    moves: Iterable[tuple[Event, EventChange]],
    now: datetime,
    *,
    corrects: bool = False,
) -> list[Event]:
    """Change events, each as it was read under the writer lock; returns those that were so still, as they are now.

    Their lines go on with them or without them, refunds follow their payments, and the drain is called.
    """
    changes = [(event, completed(event, change, now, corrects=corrects)) for event, change in moves if change]
    written = _write(connection, changes)
    moved = [(event, replace(event, **change)) for event, change in changes]
    if written < len(moved):
        known = events_of(connection, [event.id for event, _ in moved])
        moved = [(before, after) for before, after in moved if known.get(after.id) == after]
    for before, after in moved:
        if after.status in ON_THEIR_WAY and before.status not in ON_THEIR_WAY and after.subscriber is not None:
            lines.close(connection, destination, after.lane, after.subscriber, after.id)
    lines.refresh(connection, destination, {line for pair in moved for line in _lines_of(*pair)})
    let_follow(connection, destination, [after for before, after in moved if before.status != after.status], now)
    _wake(connection, destination, [after for _, after in moved])
    return [after for _, after in moved]


def _lines_of(before: Event, after: Event) -> Iterable[tuple[Lane, str]]:
    """The lines whose head may be another now; one with an event on its way stays closed."""
    if after.status not in ON_THEIR_WAY:
        for one in (before, after):
            if one.subscriber is not None:
                yield one.lane, one.subscriber


def _wake(connection: Connection, destination: str, moved: Sequence[Event]) -> None:
    due = [event.due_at for event in moved if event.status in (Status.WAITING, Status.UNKNOWN)]
    if due:
        leases.wake(connection, destination, min(due))


def let_follow(connection: Connection, destination: str, moved: Iterable[Event], now: datetime) -> None:
    """These events have moved: refunds that wait for one of them do what follows from it."""
    payments = {event.id: event for event in moved if event.type == EventType.SUBSCRIBER_PAYMENT}
    changes: list[tuple[Event, EventChange]] = []
    for refund in refund_order.waiting_for(connection, list(payments)):
        change = refund_order.follow(refund, payments[str(refund.after)])
        if change.get("status") == Status.WAITING:
            change["due_at"] = now
        if change:
            changes.append((refund, change))
    if changes:
        move(connection, destination, changes, now)


# Many at once


def move_all(
    connection: Connection,
    destination: str,
    which: Select[Any],
    was: Status,
    change: EventChange,
    now: datetime,
    *,
    keeps_reason: bool = False,
) -> list[str]:
    """The same for all events that a query names by their ids, as far as they are what they were; returns the ids.

    With `keeps_reason` the reason that they had stays beside the new one.
    """
    becomes = Status(change["status"])
    _check("an event", was, becomes)
    columns: dict[str, Any] = {**(WITHOUT_REASON if "reason" in change else {}), **stored(change)}
    if keeps_reason:
        columns["former_reason"] = events.c.reason
    if becomes == Status.HELD:
        columns["held_at"] = now
    if (becomes in SETTLED) != (was in SETTLED):
        columns["settled_at"] = now if becomes in SETTLED else None
    statement = update(events).where(events.c.id.in_(which), events.c.status == was).values(**columns)
    found = connection.execute(statement.returning(events.c.id, events.c.type, events.c.lane, events.c.subscriber))
    moved = found.all()
    if Status.WAITING in (was, becomes):
        lines.refresh(connection, destination, {(row.lane, row.subscriber) for row in moved if row.subscriber})
    payments = [row.id for row in moved if row.type == EventType.SUBSCRIBER_PAYMENT]
    let_follow(connection, destination, events_of(connection, payments).values(), now)
    if moved and becomes == Status.WAITING:
        leases.wake(connection, destination, change.get("due_at", now))
    return [row.id for row in moved]


_ADD = Insert(events, NEW_COLUMNS)
_AMOUNT = NEW_COLUMNS.index("amount")
_REGROUP = Update(events, ("group",), ("group",))
_POSTPONE = Update(events, ("id",), ("due_at",))
_CHANGES: dict[tuple[tuple[str, ...], bool], Update] = {}


def add(connection: Connection, new: Sequence[Event]) -> None:
    """Write events down that are new; whoever makes them sees to their lines."""
    rows = []
    for event in new:
        values = [getattr(event, name) for name in NEW_COLUMNS]
        values[_AMOUNT] = None if event.amount is None else str(event.amount)
        rows.append(values)
    _ADD.run(connection, rows)


def regroup(connection: Connection, moved: Mapping[str, str]) -> None:
    """The events of each of these groups belong to another."""
    _REGROUP.run(connection, list(moved.items()))


def write_unsent(connection: Connection, changes: Sequence[tuple[Event, EventChange]]) -> None:
    """Write completed changes down of events of which nobody has sent one; whoever decided them sees to their lines."""
    _write(connection, changes, unsent=True)


def _write(connection: Connection, changes: Sequence[tuple[Event, EventChange]], *, unsent: bool = False) -> int:
    """How many of them were what they had been read as."""
    written = 0
    by_columns: dict[tuple[str, ...], list[list[object]]] = {}
    for event, change in changes:
        columns = stored(change)
        names = tuple(sorted(columns))
        by_columns.setdefault(names, []).append([event.id, event.status, *(columns[name] for name in names)])
    for names, rows in by_columns.items():
        statement = _CHANGES.get((names, unsent))
        if statement is None:
            where = "AND events.first_attempt_at IS NULL" if unsent else ""
            statement = _CHANGES[names, unsent] = Update(events, ("id", "status"), names, where)
        written += statement.run(connection, rows)
    return written


def postpone(connection: Connection, due: Sequence[tuple[str, datetime]]) -> None:
    """Events (by id) are due at another time; whoever wants that sees to their lines."""
    _POSTPONE.run(connection, due)


def postpone_all(connection: Connection, which: Select[Any], due_at: datetime, **asked: object) -> int:
    """The same for all events that a query names by their ids; how many."""
    statement = update(events).where(events.c.id.in_(which)).values(due_at=bindparam("due", type_=Instant))
    return int(connection.execute(statement, {**asked, "due": due_at}).rowcount)


_SEND = (
    update(events)
    .where(events.c.id == bindparam("its_id"), events.c.status == Status.WAITING)
    .values(
        status=Status.DELIVERING,
        attempt=bindparam("its_attempt"),
        first_attempt_at=sql.coalesce(events.c.first_attempt_at, bindparam("now", type_=Instant)),
        clock_offset_ms=sql.coalesce(
            events.c.clock_offset_ms,
            select(destinations.c.clock_offset_ms).where(destinations.c.name == events.c.destination).scalar_subquery(),
        ),
    )
)


def send(connection: Connection, attempts: Sequence[tuple[str, str]], now: datetime) -> None:
    """Events (by id) are on their way, each by this attempt; whoever claims them closes their lines."""
    rows = [{"its_id": event, "its_attempt": attempt, "now": now} for event, attempt in attempts]
    connection.execute(_SEND, rows)


@dataclass(frozen=True)
class Recorded:
    """An event that Lumail has, under this id of Lumail's where it is known; `by_read`: it was found there."""

    event: str
    lumail_event_id: str | None
    by_read: bool


_RECORD = (
    update(events)
    .where(events.c.id == bindparam("its_id"), events.c.status != Status.DELIVERED)
    .values(
        status=Status.DELIVERED,
        **WITHOUT_REASON,
        last_error=None,
        tries=events.c.tries + 1,
        settled_at=bindparam("now", type_=Instant),
        lumail_event_id=bindparam("its_lumail_id"),
        found_by_read=bindparam("its_by_read"),
        candidates=None,
    )
)


def record(connection: Connection, recorded: Sequence[Recorded], now: datetime) -> None:
    """Lumail has these events, whatever they were: a success counts whenever it comes."""
    rows = [
        {"its_id": one.event, "its_lumail_id": one.lumail_event_id, "its_by_read": one.by_read, "now": now}
        for one in recorded
    ]
    if rows:
        connection.execute(_RECORD, rows)


def mark_all_unconfirmed(connection: Connection, destination: str, now: datetime) -> int:
    """Whatever is on its way or waits is in doubt, but bulk that was never sent; how many. Their lines stay closed."""
    waits = or_(events.c.lane != int(Lane.BULK), events.c.first_attempt_at.is_not(None))
    statement = (
        update(events)
        .where(
            events.c.destination == destination,
            or_(events.c.status == Status.DELIVERING, and_(events.c.status == Status.WAITING, waits)),
        )
        .values(
            **{**WITHOUT_REASON, "reason": Reason.LEDGER_RESTORED},
            status=Status.UNKNOWN,
            step="post",
            first_attempt_at=sql.coalesce(events.c.first_attempt_at, events.c.created_at),
            unconfirmed_at=now,
            reads=0,
            read_cursor=None,
            due_at=now,
        )
    )
    return int(connection.execute(statement).rowcount)


_ERASED = {**WITHOUT_REASON, "reason": Reason.PERSON_ERASED}


def erase(connection: Connection, which: Collection[str], columns: Mapping[str, Any], now: datetime) -> None:
    """Nobody is in these events any more: `columns` are what stands there instead. None of them is on its way."""
    mine = update(events).where(events.c.id.in_(which))
    dropped = mine.where(events.c.status.in_(UNSENT))
    connection.execute(dropped.values(status=Status.DROPPED, **_ERASED, settled_at=now, **columns))
    connection.execute(mine.where(events.c.status.in_(ENDED)).values(**_ERASED, **columns))
    connection.execute(mine.where(events.c.status == Status.DELIVERED).values(**columns))
