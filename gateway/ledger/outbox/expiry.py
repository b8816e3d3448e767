"""When an event is worth nothing any more: it would leave too late, or the cause that it waits for never came."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, Update, bindparam, or_, select, text, update

from gateway.ledger.money import refund_order
from gateway.ledger.scheduling import leases, lines
from gateway.ledger.schema import Instant, events, status_is
from gateway.ledger.status import Reason, Status

STEP = 500
"""Events that are dropped in one statement at the most, so that nobody waits long for the writer lock."""


def _drop(reason: Reason, due: Select[Any]) -> Update:
    """What it was held for before stays beside it."""
    return (
        update(events)
        .where(events.c.id.in_(due))
        .values(
            status=Status.DROPPED,
            reason=reason,
            former_reason=events.c.reason,
            settled_at=bindparam("now", type_=Instant),
        )
        .returning(events.c.id, events.c.lane, events.c.subscriber)
    )


_DROP_EXPIRED = _drop(
    Reason.EXPIRED,
    select(events.c.id)
    .where(
        events.c.destination == bindparam("destination_name"),
        status_is(Status.WAITING),  # written as the partial index has it, so that it is used
        text("events.expires_at IS NOT NULL"),
        events.c.expires_at <= bindparam("now", type_=Instant),
    )
    .order_by(events.c.expires_at)
    .limit(STEP),
)

_HELD_SINCE = (
    select(events.c.id)
    .where(
        events.c.destination == bindparam("destination_name"),
        status_is(Status.HELD),
        events.c.held_at <= bindparam("since", type_=Instant),
    )
    .order_by(events.c.held_at)
)
_DROP_HELD = _drop(Reason.HELD_TOO_LONG, _HELD_SINCE.limit(STEP))

_RELEASED = (
    select(events.c.id)
    .where(
        events.c.destination == bindparam("destination_name"),
        status_is(Status.HELD),
        text("events.release_at IS NOT NULL"),
        events.c.release_at <= bindparam("now", type_=Instant),
        or_(events.c.subscriber.is_not(None), events.c.reason == Reason.SALE_LEFT_OUT),
    )
    .order_by(events.c.release_at)
)
_DROP_UNCOUNTED = _drop(Reason.SALE_NEVER_COUNTED, _RELEASED.where(events.c.reason == Reason.SALE_LEFT_OUT).limit(STEP))
_LET_GO = (
    update(events)
    .where(events.c.id.in_(_RELEASED.where(events.c.reason.is_distinct_from(Reason.SALE_LEFT_OUT)).limit(STEP)))
    .values(status=Status.WAITING, reason=None, release_at=None, due_at=bindparam("now", type_=Instant))
    .returning(events.c.lane, events.c.subscriber)
)

_ANY_EXPIRED = (
    select(events.c.id)
    .where(
        events.c.destination == bindparam("destination_name"),
        status_is(Status.WAITING),
        text("events.expires_at IS NOT NULL"),
        events.c.expires_at <= bindparam("now", type_=Instant),
    )
    .limit(1)
)


def drop_expired(connection: Connection, destination: str, now: datetime) -> bool:
    """Drop events that wait and would leave too late; whether there may be more of them."""
    dropped = connection.execute(_DROP_EXPIRED, {"destination_name": destination, "now": now}).all()
    lines.refresh(connection, destination, {(row.lane, row.subscriber) for row in dropped})
    return len(dropped) == STEP


def drop_held(connection: Connection, destination: str, now: datetime, hold_for: timedelta) -> bool:
    """Drop events that are held for longer than `hold_for`; whether there may be more of them."""
    told = {"destination_name": destination, "now": now, "since": now - hold_for}
    dropped = connection.execute(_DROP_HELD, told).all()
    refund_order.let_follow(connection, destination, [row.id for row in dropped], now)
    return len(dropped) == STEP


def let_go(connection: Connection, destination: str, now: datetime) -> bool:
    """Let events leave whose time to wait for a better telling is over; whether there may be more of them.

    A refund whose sale does not count by then is dropped instead.
    """
    dropped = connection.execute(_DROP_UNCOUNTED, {"destination_name": destination, "now": now}).all()
    gone = connection.execute(_LET_GO, {"destination_name": destination, "now": now}).all()
    lines.refresh(connection, destination, {(row.lane, row.subscriber) for row in gone})
    if gone:
        leases.wake(connection, destination, now)
    return STEP in (len(gone), len(dropped))


def is_any(connection: Connection, destination: str, now: datetime, hold_for: timedelta) -> bool:
    """Whether any event is to be dropped or let go; indexed looks, nothing is written."""
    expired = connection.execute(_ANY_EXPIRED, {"destination_name": destination, "now": now}).first()
    held = connection.execute(_HELD_SINCE.limit(1), {"destination_name": destination, "since": now - hold_for}).first()
    waits_no_longer = connection.execute(_RELEASED.limit(1), {"destination_name": destination, "now": now}).first()
    return any(one is not None for one in (expired, held, waits_no_longer))
