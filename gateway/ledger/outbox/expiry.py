"""When an event is worth nothing any more: it would leave too late, or the cause that it waits for never came."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, or_, select, text

from gateway.ledger.event import EventChange
from gateway.ledger.outbox.transitions import move_all
from gateway.ledger.schema import Instant, events, status_is
from gateway.ledger.status import Reason, Status

STEP = 500
"""Events that are dropped in one statement at the most, so that nobody waits long for the writer lock."""


_EXPIRED = (
    select(events.c.id)
    .where(
        events.c.destination == bindparam("destination_name"),
        status_is(Status.WAITING),  # written as the partial index has it, so that it is used
        text("events.expires_at IS NOT NULL"),
        events.c.expires_at <= bindparam("now", type_=Instant),
    )
    .order_by(events.c.expires_at)
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


def drop_expired(connection: Connection, destination: str, now: datetime) -> bool:
    """Drop events that wait and would leave too late; whether there may be more of them."""
    due = _EXPIRED.limit(STEP).params(destination_name=destination, now=now)
    change: EventChange = {"status": Status.DROPPED, "reason": Reason.EXPIRED}
    return len(move_all(connection, destination, due, Status.WAITING, change, now, keeps_reason=True)) == STEP


def drop_held(connection: Connection, destination: str, now: datetime, hold_for: timedelta) -> bool:
    """Drop events that are held for longer than `hold_for`; whether there may be more of them."""
    due = _HELD_SINCE.limit(STEP).params(destination_name=destination, since=now - hold_for)
    change: EventChange = {"status": Status.DROPPED, "reason": Reason.HELD_TOO_LONG}
    return len(move_all(connection, destination, due, Status.HELD, change, now, keeps_reason=True)) == STEP


def let_go(connection: Connection, destination: str, now: datetime) -> bool:
    """Let events leave whose time to wait for a better telling is over; whether there may be more of them.

    A refund whose sale does not count by then is dropped instead.
    """
    is_left_out = events.c.reason == Reason.SALE_LEFT_OUT
    uncounted = _RELEASED.where(is_left_out).limit(STEP).params(destination_name=destination, now=now)
    given_up: EventChange = {"status": Status.DROPPED, "reason": Reason.SALE_NEVER_COUNTED}
    dropped = move_all(connection, destination, uncounted, Status.HELD, given_up, now)
    due = _RELEASED.where(events.c.reason.is_distinct_from(Reason.SALE_LEFT_OUT)).limit(STEP)
    change: EventChange = {"status": Status.WAITING, "reason": None, "release_at": None, "due_at": now}
    gone = move_all(
        connection, destination, due.params(destination_name=destination, now=now), Status.HELD, change, now
    )
    return STEP in (len(gone), len(dropped))


def is_any(connection: Connection, destination: str, now: datetime, hold_for: timedelta) -> bool:
    """Whether any event is to be dropped or let go; indexed looks, nothing is written."""
    expired = connection.execute(_EXPIRED.limit(1), {"destination_name": destination, "now": now}).first()
    held = connection.execute(_HELD_SINCE.limit(1), {"destination_name": destination, "since": now - hold_for}).first()
    waits_no_longer = connection.execute(_RELEASED.limit(1), {"destination_name": destination, "now": now}).first()
    return any(one is not None for one in (expired, held, waits_no_longer))
