"""How many requests may be made now: within the plan in any minute, the important first, bulk on an even schedule.

A place is held from being taken until a minute after its answer, so that Lumail, whichever window it counts in, never
sees more than the plan. Of the places that are free
- a few are kept for urgent events alone, and as many more for urgent and revenue. Without these payments would wait for
  seconds whenever urgent events have used up the former in a minute that is full; with more of them bulk would leave
  unused what nobody wants;
- standard and bulk have an even schedule over LOW_SHARE of the plan, so that a backlog does not use up a minute's
  places in its first seconds and keep a payment waiting for the rest; places missed while nobody drained are caught
  up, up to CATCH_UP;
- revenue has the same schedule but may run ahead of it by BURST;
- all requests together have an even schedule over ALL_SHARE, which standard and bulk keep to and the others push on:
  a minute that is used up early leaves seconds at its end, and at that of each minute that follows, in which no place
  comes free for a payment.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, or_, select, update
from sqlalchemy import func as sql

from gateway.events import Lane
from gateway.ledger.schema import attempts, destinations

WINDOW = timedelta(seconds=60)
"""An attempt counts against the plan until this long after its answer, so no window of this length sees more."""

LOW_SHARE = 0.95
ALL_SHARE = 0.98
URGENT_RESERVE = 0.01
REVENUE_RESERVE = 0.01
CATCH_UP = timedelta(seconds=5)
FIRST_BURST = timedelta(seconds=1)
"""How much of the schedule of standard and bulk may be sent at once after a rest."""

BURST = timedelta(seconds=6)
FURTHEST = timedelta(seconds=12)
"""How far ahead of its schedule all that was sent may be; further, and bulk is sent as if it were not."""

LONGEST_REQUEST = timedelta(seconds=20)
LONGEST_HELD = LONGEST_REQUEST + WINDOW
"""A place is held at the longest until a minute after the request that took it must be over."""

LONGEST_RESET = timedelta(seconds=90)
"""A time of reset further away than this is not believed."""


@dataclass(frozen=True)
class Places:
    """How many requests of each kind of urgency may be made now, all together at most `free`."""

    free: int
    revenue: int
    low: int
    limit: int

    def for_lane(self, lane: Lane, taken: int, of_schedule: int = 0, *, unscheduled: bool = False) -> int:
        """Places for a lane when `taken` were given out just now, `of_schedule` of them from the lane's schedule."""
        left = self.free - kept_from(lane, self.limit) - taken
        if lane is not Lane.URGENT and not unscheduled:
            left = min(left, (self.revenue if lane is Lane.REVENUE else self.low) - of_schedule)
        return max(0, left)


@dataclass(frozen=True)
class Taken:
    """How many places a turn took: of all, and of each schedule."""

    all: int = 0
    revenue: int = 0
    low: int = 0

    def more(self, lane: Lane, number: int, *, scheduled: bool) -> "Taken":
        if not scheduled or lane is Lane.URGENT:
            return replace(self, all=self.all + number)
        if lane is Lane.REVENUE:
            return replace(self, all=self.all + number, revenue=self.revenue + number)
        return replace(self, all=self.all + number, low=self.low + number)


@dataclass(frozen=True)
class Learned:
    """What an answer of Lumail tells about its limits; None where it does not. `reset` is in the ledger's clock."""

    limit: int | None = None
    remaining: int | None = None
    reset: datetime | None = None


_STATE = select(
    destinations.c.low_next_at,
    destinations.c.revenue_next_at,
    destinations.c.all_next_at,
    destinations.c.limit_learned,
    destinations.c.remaining_learned,
    destinations.c.reset_learned,
    destinations.c.learned_at,
).where(destinations.c.name == bindparam("destination_name"))

_TAKEN = select(sql.count()).where(
    attempts.c.destination == bindparam("destination_name"), attempts.c.place_until > bindparam("now")
)

_HELD_LONGEST = select(sql.max(attempts.c.place_until)).where(attempts.c.destination == bindparam("destination_name"))

_OURS_THEN = select(sql.count()).where(
    attempts.c.destination == bindparam("destination_name"),
    attempts.c.place_until > bindparam("seen"),
    attempts.c.taken_at <= bindparam("seen"),
)

_UNSEEN = select(sql.count()).where(
    attempts.c.destination == bindparam("destination_name"),
    attempts.c.place_until > bindparam("now"),
    or_(attempts.c.taken_at > bindparam("seen"), attempts.c.outcome.is_(None)),
)


def places(connection: Connection, destination: str, plan: int, now: datetime) -> Places:
    """The places that are free now, under the destination's writer lock."""
    _mend(connection, destination, now)
    state = connection.execute(_STATE, {"destination_name": destination}).one()
    limit = plan if state.limit_learned is None else min(plan, state.limit_learned)
    free = _unused(connection, destination, state, limit, now)
    left = _left_by_header(connection, destination, state, now)
    if left is not None:
        free = min(free, left)
    step = _step(limit)
    return Places(
        free=max(0, free),
        revenue=_REVENUE.allowed(state.revenue_next_at, now, step),
        low=min(
            _LOW.allowed(state.low_next_at, now, step), _ALL.allowed(state.all_next_at, now, _step(limit, ALL_SHARE))
        ),
        limit=limit,
    )


def places_taken(connection: Connection, destination: str, now: datetime) -> int:
    """Requests of the last minute, those under way included."""
    return int(connection.execute(_TAKEN, {"destination_name": destination, "now": now}).scalar_one())


def _mend(connection: Connection, destination: str, now: datetime) -> None:
    """Where the clock was set back, places would be held for as much longer: none is held longer than one can be."""
    latest = now + LONGEST_HELD
    held_until = connection.execute(_HELD_LONGEST, {"destination_name": destination}).scalar_one()
    if held_until is not None and held_until > latest:
        too_long = and_(attempts.c.destination == destination, attempts.c.place_until > latest)
        connection.execute(update(attempts).where(too_long).values(place_until=latest))


def advance(connection: Connection, destination: str, now: datetime, limit: int, taken: Taken) -> None:
    """Move the schedules on by what was taken of them."""
    state = connection.execute(_STATE, {"destination_name": destination}).one()
    step = _step(limit)
    values = {}
    if taken.all:
        even = _step(limit, ALL_SHARE)
        values["all_next_at"] = _ALL.start(state.all_next_at, now, even) + taken.all * even
    if taken.revenue:
        values["revenue_next_at"] = _REVENUE.start(state.revenue_next_at, now, step) + taken.revenue * step
    if taken.low:
        values["low_next_at"] = _LOW.start(state.low_next_at, now, step) + taken.low * step
    if values:
        connection.execute(update(destinations).where(destinations.c.name == destination).values(**values))


def learn(connection: Connection, destination: str, learned: Learned, now: datetime) -> None:
    """Believe Lumail's headers: they can lower what is free, never raise it above the plan."""
    values: dict[str, Any] = {}
    if learned.limit is not None and learned.limit > 0:
        values["limit_learned"] = learned.limit
    if learned.remaining is not None and learned.reset is not None and learned.reset - now < LONGEST_RESET:
        values |= {
            "remaining_learned": max(0, learned.remaining),
            "reset_learned": learned.reset,
            "learned_at": now,
        }
    if values:
        connection.execute(update(destinations).where(destinations.c.name == destination).values(**values))


def next_place(
    connection: Connection, destination: str, plan: int, now: datetime, lane: Lane, *, unscheduled: bool = False
) -> datetime:
    """When an event of this lane can have a place, as far as it is known now."""
    limit = places(connection, destination, plan, now).limit
    state = connection.execute(_STATE, {"destination_name": destination}).one()
    kept, step = kept_from(lane, limit), _step(limit)
    at = now
    if _unused(connection, destination, state, limit, now) <= kept:
        first = _first_to_end(connection, destination, now)
        others = _others(connection, destination, state, now)
        if others:  # one of theirs has grown old by then
            first = min(first or now + WINDOW, now + WINDOW / others)
        at = max(at, first or at)
    left = _left_by_header(connection, destination, state, now)
    if left is not None and left <= kept:
        at = max(at, state.reset_learned)
    if lane is Lane.REVENUE and not unscheduled:
        at = max(at, _REVENUE.start(state.revenue_next_at, now, step) - BURST)
    if lane > Lane.REVENUE:
        at = max(at, _LOW.start(state.low_next_at, now, step))
        at = max(at, _ALL.start(state.all_next_at, now, _step(limit, ALL_SHARE)))
    return at


def _unused(connection: Connection, destination: str, state: Any, limit: int, now: datetime) -> int:
    """Places of the last minute that neither we nor the organization's other clients have used."""
    ours = places_taken(connection, destination, now)
    unused = limit - ours
    if state.limit_learned is not None:
        unused = min(unused, state.limit_learned - ours - _others(connection, destination, state, now))
    return unused


def _others(connection: Connection, destination: str, state: Any, now: datetime) -> int:
    """Requests of other clients in the last minute, as the newest answer told, less what has grown old since.

    In a sliding window places come free one by one, and what Lumail says of the next is soon over: were it then taken
    for silence, all places that we do not use ourselves would be tried, and most be refused.
    """
    if state.remaining_learned is None or not state.learned_at <= now < state.learned_at + WINDOW:
        return 0
    then = connection.execute(_OURS_THEN, {"destination_name": destination, "seen": state.learned_at}).scalar_one()
    told = max(0, int(state.limit_learned) - int(state.remaining_learned) - int(then))
    age: float = (now - state.learned_at) / WINDOW
    return math.ceil(told * (1 - age))


def _left_by_header(connection: Connection, destination: str, state: Any, now: datetime) -> int | None:
    """What Lumail had left, less what it can't have counted then; None where it said nothing that holds still."""
    if state.remaining_learned is None or not state.learned_at <= now < state.reset_learned:
        return None
    unseen = connection.execute(
        _UNSEEN, {"destination_name": destination, "now": now, "seen": state.learned_at}
    ).scalar_one()
    return max(0, int(state.remaining_learned) - int(unseen))


def _first_to_end(connection: Connection, destination: str, now: datetime) -> datetime | None:
    query = select(sql.min(attempts.c.place_until)).where(
        and_(attempts.c.destination == destination, attempts.c.place_until > now)
    )
    found: datetime | None = connection.execute(query).scalar_one()
    return found


def kept_from(lane: Lane, limit: int) -> int:
    """Places that a lane leaves to more urgent ones."""
    if lane is Lane.URGENT:
        return 0
    kept = _reserve(limit, URGENT_RESERVE)
    return kept if lane is Lane.REVENUE else kept + _reserve(limit, REVENUE_RESERVE)


def _reserve(limit: int, share: float) -> int:
    """At least one place, unless the plan is so small that it would be a large part of it."""
    return 0 if limit < 20 else max(1, math.floor(limit * share))


def _step(limit: int, share: float = LOW_SHARE) -> timedelta:
    return timedelta(seconds=60 / (share * max(1, limit)))


@dataclass(frozen=True)
class _Schedule:
    """An even schedule that may be caught up when it is late, and run ahead of.

    `furthest` is how far ahead it may have been pushed, beyond which it is not believed: the clock was set back.
    """

    behind: timedelta
    ahead: timedelta
    furthest: timedelta

    def start(self, next_at: datetime | None, now: datetime, step: timedelta) -> datetime:
        """Where it goes on: at the next step now, where it stands further ahead than it can.

        One that is later than can be caught up begins anew with a few: a larger burst now would be missing, as places
        that nobody may take, at the end of each minute that follows.
        """
        if next_at is not None and next_at > now + self.furthest + step:
            return now + self.ahead
        if next_at is None or next_at < now - self.behind:
            return now - min(self.behind, FIRST_BURST)
        return next_at

    def allowed(self, next_at: datetime | None, now: datetime, step: timedelta) -> int:
        """How many of its steps are due."""
        return max(0, math.floor((now + self.ahead - self.start(next_at, now, step)) / step) + 1)


_REVENUE = _Schedule(behind=timedelta(0), ahead=BURST, furthest=BURST)
_LOW = _Schedule(behind=CATCH_UP, ahead=timedelta(0), furthest=timedelta(0))
_ALL = _Schedule(behind=CATCH_UP, ahead=timedelta(0), furthest=FURTHEST)
