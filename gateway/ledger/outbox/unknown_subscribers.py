"""Subscribers that Lumail does not know: asked for a few times instead of once an event."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, Update, bindparam, delete, exists, insert, select, text, update

from gateway.ledger.event import EventChange
from gateway.ledger.outbox import transitions
from gateway.ledger.scheduling.leases import wake
from gateway.ledger.schema import attempts, events, unknown_subscribers
from gateway.ledger.status import Reason, Status

ASKED_AFTER = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
"""When Lumail is asked again for a subscriber, counted from the first refusal; then the events are dropped."""

ASKED_EVERY = timedelta(hours=24)
"""After that: when Lumail is asked once more if an event came for the subscriber meanwhile, else it is forgotten."""

LEFT_OUT_FOR = timedelta(hours=1)
"""How long events of a subscriber end without a request once Lumail has said that there is none, if none may wait."""


class UnknownSubscriberPolicy(StrEnum):
    """What becomes of an event whose subscriber Lumail does not know."""

    HELD = Status.HELD
    DROPPED = Status.DROPPED
    FAILED = Status.FAILED
    CREATED = "created"  # its subscriber is made, and it is sent


def among(connection: Connection, destination: str, subscribers: Iterable[str]) -> frozenset[str]:
    """Those of them that Lumail did not know when it was asked last."""
    query = select(unknown_subscribers.c.subscriber).where(
        unknown_subscribers.c.destination == destination,
        unknown_subscribers.c.subscriber.in_(sorted(set(subscribers))),
        unknown_subscribers.c.ask_at.is_not(None),
    )
    return frozenset(connection.execute(query).scalars())


_BEING_TRIED = (
    select(events.c.subscriber)
    .join_from(attempts, events, events.c.id == attempts.c.event)
    .where(attempts.c.destination == bindparam("destination_name"), text("attempts.outcome IS NULL"))
    .distinct()
)


def being_tried(connection: Connection, destination: str) -> frozenset[str]:
    """Subscribers of events for which a request is under way: no more than there are threads to wait on them."""
    return frozenset(connection.execute(_BEING_TRIED, {"destination_name": destination}).scalars())


def is_known(connection: Connection, destination: str, subscriber: str) -> bool:
    """Whether Lumail has this subscriber for sure: it recorded an event of it, or said so when asked."""
    recorded = exists().where(
        events.c.destination == destination, events.c.subscriber == subscriber, events.c.status == Status.DELIVERED
    )
    said = exists().where(
        unknown_subscribers.c.destination == destination,
        unknown_subscribers.c.subscriber == subscriber,
        unknown_subscribers.c.ask_at.is_(None),
    )
    return bool(connection.execute(select(recorded | said)).scalar_one())


_TO_ASK = (
    select(unknown_subscribers.c.subscriber, unknown_subscribers.c.times_asked)
    .where(
        unknown_subscribers.c.destination == bindparam("destination_name"),
        unknown_subscribers.c.ask_at <= bindparam("now"),
    )
    .order_by(unknown_subscribers.c.ask_at)
)


def to_ask(connection: Connection, destination: str, now: datetime, most: int, again_at: datetime) -> Sequence[str]:
    """Whom to ask Lumail for now; nobody else asks before `again_at`, when the answer must have been lost."""
    found = connection.execute(_TO_ASK.limit(most), {"destination_name": destination, "now": now}).all()
    forgotten = [
        row.subscriber
        for row in found
        if row.times_asked >= len(ASKED_AFTER) and not _is_waited_for(connection, destination, row.subscriber)
    ]
    for subscriber in forgotten:
        forget(connection, destination, subscriber)
    asked = [row.subscriber for row in found if row.subscriber not in forgotten]
    if asked:
        connection.execute(_of(destination, asked).values(ask_at=again_at))
    return asked


def _is_waited_for(connection: Connection, destination: str, subscriber: str) -> bool:
    return connection.execute(_held_for(destination, subscriber).limit(1)).first() is not None


def met(connection: Connection, destination: str, subscriber: str, now: datetime) -> None:
    """Lumail refused an event, for a subscriber that it was never seen to know."""
    row = _row(connection, destination, subscriber)
    if row is not None and row.ask_at is not None:
        return
    first = {"since": now, "times_asked": 0, "ask_at": now + ASKED_AFTER[0]}
    _put(connection, destination, subscriber, row is not None, first)
    wake(connection, destination, now + ASKED_AFTER[0])


def leave_out(connection: Connection, destination: str, subscriber: str, now: datetime) -> None:
    """Lumail does not know the subscriber, and nothing waits for that: forgotten again without a question."""
    row = _row(connection, destination, subscriber)
    last = {"since": now, "times_asked": len(ASKED_AFTER), "ask_at": now + LEFT_OUT_FOR}
    _put(connection, destination, subscriber, row is not None, last)


def found(connection: Connection, destination: str, subscriber: str, now: datetime) -> None:
    """Lumail knows the subscriber now: what was held for that leaves."""
    row = _row(connection, destination, subscriber)
    values = {"ask_at": None} if row is not None else {"since": now, "times_asked": 0, "ask_at": None}
    _put(connection, destination, subscriber, row is not None, values)
    change: EventChange = {"status": Status.WAITING, "reason": None, "due_at": now}
    transitions.move_all(connection, destination, _held_for(destination, subscriber), Status.HELD, change, now)


def still_unknown(connection: Connection, destination: str, subscriber: str, now: datetime) -> None:
    """Lumail was asked again and does not know the subscriber; after the last time its events are dropped.

    The subscriber is remembered for a while, so that the next event does not begin it all again.
    """
    row = _row(connection, destination, subscriber)
    if row is None or row.ask_at is None:
        return
    asked = row.times_asked + 1
    if asked < len(ASKED_AFTER):
        ask_at = max(now, row.since + ASKED_AFTER[asked])
    else:
        ask_at = now + ASKED_EVERY
        held = _held_for(destination, subscriber)
        transitions.move_all(connection, destination, held, Status.HELD, {"status": Status.DROPPED}, now)
    connection.execute(_of(destination, [subscriber]).values(times_asked=asked, ask_at=ask_at))


def forget(connection: Connection, destination: str, *subscribers: str) -> None:
    """Whatever was thought of these subscribers, the next event finds out anew."""
    connection.execute(
        delete(unknown_subscribers).where(
            unknown_subscribers.c.destination == destination, unknown_subscribers.c.subscriber.in_(subscribers)
        )
    )


def ask_later(connection: Connection, destination: str, subscriber: str, at: datetime) -> None:
    """The question found no answer."""
    connection.execute(
        _of(destination, [subscriber]).where(unknown_subscribers.c.ask_at.is_not(None)).values(ask_at=at)
    )


def next_question(connection: Connection, destination: str) -> datetime | None:
    query = (
        select(unknown_subscribers.c.ask_at)
        .where(unknown_subscribers.c.destination == destination, unknown_subscribers.c.ask_at.is_not(None))
        .order_by(unknown_subscribers.c.ask_at)
        .limit(1)
    )
    at: datetime | None = connection.execute(query).scalar_one_or_none()
    return at


def _row(connection: Connection, destination: str, subscriber: str) -> Row[Any, Any, Any] | None:
    query = select(unknown_subscribers.c.since, unknown_subscribers.c.times_asked, unknown_subscribers.c.ask_at).where(
        unknown_subscribers.c.destination == destination, unknown_subscribers.c.subscriber == subscriber
    )
    return connection.execute(query).first()


def _put(
    connection: Connection, destination: str, subscriber: str, exists_already: bool, values: Mapping[str, Any]
) -> None:
    if exists_already:
        connection.execute(_of(destination, [subscriber]).values(**values))
    else:
        connection.execute(insert(unknown_subscribers).values(destination=destination, subscriber=subscriber, **values))


def _of(destination: str, subscribers: Sequence[str]) -> Update:
    return update(unknown_subscribers).where(
        unknown_subscribers.c.destination == destination, unknown_subscribers.c.subscriber.in_(subscribers)
    )


def _held_for(destination: str, subscriber: str) -> Select[Any]:
    """The events that are held because Lumail does not know the subscriber."""
    return select(events.c.id).where(
        events.c.destination == destination,
        events.c.subscriber == subscriber,
        events.c.status == Status.HELD,
        events.c.reason == Reason.NOT_IN_LUMAIL,
    )
