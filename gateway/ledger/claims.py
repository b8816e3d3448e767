"""Who may send what to a destination, and when: leases, places within the plan, claims, and what became of attempts.

All of it happens under the destination's writer lock and by the database's clock.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    bindparam,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy import func as sql
from sqlalchemy.exc import IntegrityError

from gateway.events import EventType, Lane
from gateway.ledger import lines
from gateway.ledger.identity import new_id
from gateway.ledger.schema import Instant, attempts, destinations, events, pauses
from gateway.ledger.schema import lines as line_rows

LEASE = timedelta(seconds=10)
SEND_WITHIN = timedelta(seconds=5)
ENDS_WITHIN = timedelta(seconds=20)
WINDOW = timedelta(seconds=60)
"""An attempt counts against the plan until this long after its answer, so no window of this length sees more."""

MOST_BODY = 4_000
"""Characters of Lumail's answer that are kept with an attempt."""

ANSWER_LOST = "answer lost"
"""Why an event is held that Lumail may or may not have recorded."""

POST_EVENT = "event"
"""The kind of an attempt that posts an event."""


@dataclass(frozen=True)
class Claimed:
    """An event that this drain, and nobody else, sends now; its attempt row stands already."""

    attempt: str
    event: str
    webhook: str
    source: str
    type: EventType
    subscriber: str
    data: str
    occurred_at: datetime
    lane: Lane
    tries: int
    first_attempt_at: datetime
    claimed_at: datetime


@dataclass(frozen=True)
class Settlement:
    """What became of an attempt and what follows for its event.

    `status` is the event's next one; None leaves the event as it is. `due_at` says when a waiting event may leave
    again, `counts_try` whether a try is used up. `pause` keeps the whole destination from sending.
    """

    claimed: Claimed
    outcome: str
    status: str | None
    reason: str | None = None
    due_at: datetime | None = None
    counts_try: bool = True
    lumail_event_id: str | None = None
    http_status: int | None = None
    body: str | None = None
    error: str | None = None
    duration_ms: int | None = None
    pause: "Pause | None" = None


@dataclass(frozen=True)
class Pause:
    until: datetime
    reason: str


@dataclass(frozen=True)
class Turn:
    """What a drain may do next. `leased` False: somebody else holds the destination now, send nothing new."""

    leased: bool
    claimed: tuple[Claimed, ...] = ()


def register(connection: Connection, names: Mapping[str, str]) -> None:
    """See to it that each destination (name to fingerprint) has its row."""
    known = set(connection.execute(select(destinations.c.name)).scalars())
    for name, mark in names.items():
        if name in known:
            connection.execute(update(destinations).where(destinations.c.name == name).values(fingerprint=mark))
        else:
            connection.execute(insert(destinations).values(name=name, fingerprint=mark))


def due(connection: Connection, now: datetime) -> list[str]:
    """Destinations that a drain would be of use to, and that nobody drains."""
    query = (
        select(destinations.c.name)
        .where(
            destinations.c.wake_at <= now, or_(destinations.c.lease_until.is_(None), destinations.c.lease_until <= now)
        )
        .order_by(destinations.c.wake_at)
    )
    return list(connection.execute(query).scalars())


def take_lease(connection: Connection, destination: str, owner: str, now: datetime) -> bool:
    """Whether `owner` drains the destination from now on, for LEASE, renewed by each turn."""
    taken = connection.execute(
        update(destinations)
        .where(
            destinations.c.name == destination,
            or_(destinations.c.lease_until.is_(None), destinations.c.lease_until <= now),
        )
        .values(lease_owner=owner, lease_until=now + LEASE)
    )
    return taken.rowcount == 1


def turn(
    connection: Connection,
    destination: str,
    owner: str,
    now: datetime,
    *,
    settlements: Sequence[Settlement],
    wanted: int,
    limit: int,
    compose: Callable[[Claimed], str],
) -> Turn:
    """Write down what became of attempts, renew the lease and claim up to `wanted` events within `limit` a minute.

    `compose` gives the text that is going to be sent for an event; it is kept with the attempt.
    """
    settle(connection, destination, settlements, now)
    renewed = connection.execute(
        update(destinations)
        .where(
            destinations.c.name == destination, destinations.c.lease_owner == owner, destinations.c.lease_until > now
        )
        .values(lease_until=now + LEASE)
    )
    if renewed.rowcount != 1:
        return Turn(leased=False)
    give_up_lost(connection, destination, now)
    if wanted <= 0 or paused_until(connection, destination, now) is not None:
        return Turn(leased=True)
    places = min(wanted, limit - _places_taken(connection, destination, now))
    if places <= 0:
        return Turn(leased=True)
    return Turn(leased=True, claimed=tuple(_claim(connection, destination, now, places, compose)))


def release(connection: Connection, destination: str, owner: str, now: datetime, limit: int) -> datetime | None:
    """Give the lease back, and note when the next drain is of use; returned, None where nothing waits."""
    wake_at = _next_use(connection, destination, now, limit)
    connection.execute(
        update(destinations)
        .where(destinations.c.name == destination, destinations.c.lease_owner == owner)
        .values(lease_owner=None, lease_until=None, wake_at=wake_at)
    )
    return wake_at


def settle(connection: Connection, destination: str, settlements: Sequence[Settlement], now: datetime) -> None:
    """Write answers down. An answer that comes after its event was given up still counts where it is a success."""
    if not settlements:
        return
    connection.execute(
        update(attempts)
        .where(attempts.c.id == bindparam("attempt"))
        .values(
            answered_at=now,
            outcome=bindparam("its_outcome"),
            status=bindparam("its_status"),
            body=bindparam("its_body"),
            error=bindparam("its_error"),
            duration_ms=bindparam("its_duration"),
            place_until=now + WINDOW,
        ),
        [
            {
                "attempt": one.claimed.attempt,
                "its_outcome": one.outcome,
                "its_status": one.http_status,
                "its_body": None if one.body is None else one.body[:MOST_BODY],
                "its_error": one.error,
                "its_duration": one.duration_ms,
            }
            for one in settlements
        ],
    )
    _settle_delivered(connection, [one for one in settlements if one.status == "delivered"], now)
    for one in settlements:
        if one.status not in (None, "delivered"):
            _settle_otherwise(connection, one, now)
        if one.pause is not None:
            _pause(connection, destination, one.pause, now)
    lines.refresh(
        connection, destination, {(int(one.claimed.lane), one.claimed.subscriber) for one in settlements if one.status}
    )


def give_up_lost(connection: Connection, destination: str, now: datetime) -> None:
    """Hold the events whose attempt ran out of time without an answer: it may have been recorded or not."""
    query = select(attempts.c.id, attempts.c.event).where(
        attempts.c.destination == destination, attempts.c.outcome.is_(None), attempts.c.ends_by <= now
    )
    lost = connection.execute(query).all()
    if not lost:
        return
    identities = [event for _, event in lost]
    connection.execute(
        update(attempts)
        .where(attempts.c.id.in_([identity for identity, _ in lost]))
        .values(outcome="lost", error="no answer was seen: the sender ended before it came")
    )
    changed = connection.execute(
        select(events.c.lane, events.c.subscriber).where(events.c.id.in_(identities), events.c.status == "delivering")
    ).all()
    connection.execute(
        update(events)
        .where(events.c.id.in_(identities), events.c.status == "delivering")
        .values(status="held", reason=ANSWER_LOST)
    )
    lines.refresh(connection, destination, [(lane, subscriber) for lane, subscriber in changed])


def paused_until(connection: Connection, destination: str, now: datetime) -> datetime | None:
    """Until when the destination is paused; None where it is not."""
    query = select(sql.max(pauses.c.until)).where(
        pauses.c.destination == destination,
        pauses.c.scope == "destination",
        pauses.c.ended_at.is_(None),
        pauses.c.until > now,
    )
    until: datetime | None = connection.execute(query).scalar_one()
    return until


def _places_taken(connection: Connection, destination: str, now: datetime) -> int:
    query = select(sql.count()).where(attempts.c.destination == destination, attempts.c.place_until > now)
    return int(connection.execute(query).scalar_one())


def _claim(
    connection: Connection, destination: str, now: datetime, places: int, compose: Callable[[Claimed], str]
) -> list[Claimed]:
    rows: list[RowMapping] = []
    for lane in Lane:
        if len(rows) < places:
            query = _bulk(destination, now) if lane is Lane.BULK else _heads(destination, lane, now)
            rows.extend(connection.execute(query.limit(places - len(rows))).mappings())
    if not rows:
        return []
    claimed = [_claimed(row, now) for row in rows]
    connection.execute(
        update(events)
        .where(events.c.id == bindparam("event"), events.c.status == "waiting")
        .values(
            status="delivering",
            attempt=bindparam("its_attempt"),
            first_attempt_at=sql.coalesce(events.c.first_attempt_at, literal(now, Instant)),
        ),
        [{"event": one.event, "its_attempt": one.attempt} for one in claimed],
    )
    in_line = [one for one in claimed if one.lane is not Lane.BULK]
    if in_line:
        connection.execute(
            update(line_rows)
            .where(
                line_rows.c.destination == destination,
                line_rows.c.lane == bindparam("its_lane"),
                line_rows.c.subscriber == bindparam("its_subscriber"),
            )
            .values(due_at=None),
            [{"its_lane": int(one.lane), "its_subscriber": one.subscriber} for one in in_line],
        )
    connection.execute(
        insert(attempts),
        [
            {
                "id": one.attempt,
                "destination": destination,
                "event": one.event,
                "kind": POST_EVENT,
                "taken_at": now,
                "send_before": now + SEND_WITHIN,
                "ends_by": now + ENDS_WITHIN,
                "place_until": now + ENDS_WITHIN + WINDOW,
                "sent": compose(one),
            }
            for one in claimed
        ],
    )
    return claimed


_SENT_COLUMNS = (
    events.c.id,
    events.c.webhook,
    events.c.source,
    events.c.type,
    events.c.subscriber,
    events.c.data,
    events.c.occurred_at,
    events.c.lane,
    events.c.tries,
    events.c.first_attempt_at,
)


def _heads(destination: str, lane: Lane, now: datetime) -> Select[Any]:
    return (
        select(*_SENT_COLUMNS)
        .join_from(line_rows, events, events.c.id == line_rows.c.head)
        .where(
            line_rows.c.destination == destination,
            line_rows.c.lane == int(lane),
            line_rows.c.due_at <= now,
            events.c.status == "waiting",
        )
        .order_by(line_rows.c.due_at)
    )


def _bulk(destination: str, now: datetime) -> Select[Any]:
    # Written as the partial index has it, so that it is used.
    return (
        select(*_SENT_COLUMNS)
        .where(events.c.destination == destination, _is_waiting_bulk(), events.c.due_at <= now)
        .order_by(events.c.due_at, events.c.id)
    )


def _is_waiting_bulk() -> ColumnElement[bool]:
    return and_(text("events.status = 'waiting'"), text("events.lane = 3"))


def _claimed(row: RowMapping, now: datetime) -> Claimed:
    return Claimed(
        attempt=new_id("at"),
        event=row["id"],
        webhook=row["webhook"],
        source=row["source"],
        type=EventType(row["type"]),
        subscriber=row["subscriber"],
        data=row["data"],
        occurred_at=row["occurred_at"],
        lane=Lane(row["lane"]),
        tries=row["tries"],
        first_attempt_at=row["first_attempt_at"] or now,
        claimed_at=now,
    )


def _settle_delivered(connection: Connection, delivered: Sequence[Settlement], now: datetime) -> None:
    if not delivered:
        return
    try:
        with connection.begin_nested():
            _mark_delivered(connection, {one.claimed.event: one.lumail_event_id for one in delivered}, now)
    except IntegrityError:
        # One id for two of our events: Lumail's answer is believed, its id is not.
        _mark_delivered(connection, {one.claimed.event: None for one in delivered}, now)


def _mark_delivered(connection: Connection, recorded: Mapping[str, str | None], now: datetime) -> None:
    connection.execute(
        update(events)
        .where(
            events.c.id == bindparam("event"),
            or_(
                events.c.status == "delivering",
                events.c.status == "unknown",
                and_(events.c.status == "held", events.c.reason == ANSWER_LOST),
            ),
        )
        .values(
            status="delivered",
            reason=None,
            last_error=None,
            tries=events.c.tries + 1,
            settled_at=now,
            lumail_event_id=bindparam("its_lumail_id"),
        ),
        [{"event": event, "its_lumail_id": lumail_id} for event, lumail_id in recorded.items()],
    )


def _settle_otherwise(connection: Connection, one: Settlement, now: datetime) -> None:
    values: dict[str, Any] = {"status": one.status, "reason": one.reason, "last_error": one.error}
    if one.due_at is not None:
        values["due_at"] = one.due_at
    if one.counts_try:
        values["tries"] = events.c.tries + 1
    if one.status in ("failed", "dropped"):
        values["settled_at"] = now
    connection.execute(
        update(events)
        .where(
            events.c.id == one.claimed.event,
            events.c.status == "delivering",
            events.c.attempt == one.claimed.attempt,
        )
        .values(**values)
    )


def _pause(connection: Connection, destination: str, pause: Pause, now: datetime) -> None:
    until = paused_until(connection, destination, now)
    if until is not None and until >= pause.until:
        return
    connection.execute(
        insert(pauses).values(
            id=new_id("pa"),
            scope="destination",
            destination=destination,
            name=destination,
            reason=pause.reason,
            made_at=now,
            until=pause.until,
        )
    )


def _next_use(connection: Connection, destination: str, now: datetime, limit: int) -> datetime | None:
    next_due = _earliest(
        [
            *(
                connection.execute(
                    select(sql.min(line_rows.c.due_at)).where(
                        line_rows.c.destination == destination, line_rows.c.lane == int(lane)
                    )
                ).scalar_one()
                for lane in (Lane.URGENT, Lane.REVENUE, Lane.STANDARD)
            ),
            connection.execute(
                select(sql.min(events.c.due_at)).where(events.c.destination == destination, _is_waiting_bulk())
            ).scalar_one(),
        ]
    )
    if next_due is not None:
        paused = paused_until(connection, destination, now)
        next_due = max(next_due, *filter(None, [paused, _next_place(connection, destination, now, limit)]), next_due)
    lost = connection.execute(
        select(sql.min(attempts.c.ends_by)).where(attempts.c.destination == destination, attempts.c.outcome.is_(None))
    ).scalar_one()
    return _earliest([next_due, lost])


def _next_place(connection: Connection, destination: str, now: datetime, limit: int) -> datetime | None:
    """When a place gets free; None where one is free now."""
    if _places_taken(connection, destination, now) < limit:
        return None
    query = select(sql.min(attempts.c.place_until)).where(
        attempts.c.destination == destination, attempts.c.place_until > now
    )
    free: datetime | None = connection.execute(query).scalar_one()
    return free


def _earliest(instants: Sequence[datetime | None]) -> datetime | None:
    return min((one for one in instants if one is not None), default=None)
