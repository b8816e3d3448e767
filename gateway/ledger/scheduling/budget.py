"""How many requests may be made now: within the plan in any minute, the important first, bulk on an even schedule.

A place is held from being taken until a minute after its answer, so that Lumail, whichever window it counts in, never
sees more than the plan. Of the places that are free a few are kept for urgent events alone, and as many more for urgent
and revenue. Without these payments would wait for seconds whenever urgent events have used up the former in a minute
that is full; with more of them bulk would leave unused what nobody wants.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, not_, select, update
from sqlalchemy import func as sql

from gateway.events import Lane
from gateway.ledger.scheduling.schedules import Schedules, Taken
from gateway.ledger.scheduling.standing import WINDOW, Headers, Learned, Standing, Used, kept_from
from gateway.ledger.schema import attempts, destinations

LONGEST_REQUEST = timedelta(seconds=20)
LONGEST_HELD = LONGEST_REQUEST + WINDOW
"""A place is held at the longest until a minute after the request that took it must be over."""


@dataclass(frozen=True)
class Places:
    """How many requests of each kind of urgency may be made now, all together at most `free`.

    `asks`: the most urgent may have one even where nothing is known to be free, to find out whether something is.
    `margin`: how many of them standard and bulk leave to other clients.
    """

    free: int
    revenue: int
    low: int
    limit: int
    asks: bool = False
    margin: int = 0

    @property
    def any(self) -> bool:
        return self.free > 0 or self.asks

    def for_lane(self, lane: Lane, taken: int, of_schedule: int = 0, *, unscheduled: bool = False) -> int:
        """Places for a lane when `taken` were given out just now, `of_schedule` of them from the lane's schedule."""
        left = self.free - kept_from(lane, self.limit) - taken - (self.margin if lane > Lane.REVENUE else 0)
        if self.asks and not taken:
            left = max(left, 1)
        if lane is not Lane.URGENT and not unscheduled:
            left = min(left, (self.revenue if lane is Lane.REVENUE else self.low) - of_schedule)
        return max(0, left)


def places_of(standing: Standing, schedules: Schedules) -> Places:
    now, limit = standing.now, standing.limit
    return Places(
        free=standing.free,
        revenue=schedules.revenue_allowed(now, limit),
        low=schedules.low_allowed(now, limit),
        limit=limit,
        asks=standing.may_ask,
        margin=standing.margin,
    )


def places(connection: Connection, destination: str, plan: int, now: datetime) -> Places:
    """The places that are free now, under the destination's writer lock."""
    _mend(connection, destination, now)
    return places_of(*_state(connection, destination, plan, now))


def places_taken(connection: Connection, destination: str, now: datetime) -> int:
    """Requests of the last minute, those under way included."""
    return int(connection.execute(_TAKEN, {"destination_name": destination, "now": now}).scalar_one())


def advance(connection: Connection, destination: str, now: datetime, limit: int, taken: Taken) -> None:
    """Move the schedules on by what was taken of them."""
    moved = _schedules(connection.execute(_STATE, {"destination_name": destination}).one()).moved(taken, now, limit)
    values = {"low_next_at": moved.low, "revenue_next_at": moved.revenue, "all_next_at": moved.all}
    connection.execute(update(destinations).where(destinations.c.name == destination).values(**values))


def learn(connection: Connection, destination: str, learned: Learned, now: datetime) -> None:
    """Believe Lumail's headers: they can lower what is free, never raise it above the plan."""
    told = _headers(connection.execute(_STATE, {"destination_name": destination}).one()).and_then(learned, now)
    values = {
        "limit_learned": told.limit,
        "remaining_learned": told.remaining,
        "reset_learned": told.reset,
        "learned_at": told.at,
        "asked_in_vain": told.in_vain,
    }
    connection.execute(update(destinations).where(destinations.c.name == destination).values(**values))


def next_place(
    connection: Connection, destination: str, plan: int, now: datetime, lane: Lane, *, unscheduled: bool = False
) -> datetime:
    """When an event of this lane can have a place, as far as it is known now."""
    standing, schedules = _state(connection, destination, plan, now)
    free_at = standing.next_free(lane)
    return free_at if unscheduled else max(free_at, schedules.next_for(lane, now, standing.limit))


# What the ledger has of it

_STATE = select(
    destinations.c.low_next_at,
    destinations.c.revenue_next_at,
    destinations.c.all_next_at,
    destinations.c.limit_learned,
    destinations.c.remaining_learned,
    destinations.c.reset_learned,
    destinations.c.learned_at,
    destinations.c.asked_in_vain,
).where(destinations.c.name == bindparam("destination_name"))

_TAKEN = select(sql.count()).where(
    attempts.c.destination == bindparam("destination_name"), attempts.c.place_until > bindparam("now")
)

_HELD_LONGEST = select(sql.max(attempts.c.place_until)).where(attempts.c.destination == bindparam("destination_name"))

_HELD = attempts.c.place_until > bindparam("now")
_USED = select(
    sql.count(case((_HELD, 1))).label("ours"),
    sql.count(case((attempts.c.taken_at <= bindparam("seen"), 1))).label("then"),
    sql.count(case((and_(_HELD, (attempts.c.taken_at > bindparam("seen")) | attempts.c.outcome.is_(None)), 1))).label(
        "unseen"
    ),
    sql.count(case((not_(_HELD), 1))).label("ended"),
    sql.count(case((and_(_HELD, attempts.c.outcome.is_(None)), 1))).label("open"),
    sql.max(attempts.c.taken_at).label("newest"),
    sql.min(case((_HELD, attempts.c.place_until))).label("first_ends"),
).where(attempts.c.destination == bindparam("destination_name"), attempts.c.place_until > bindparam("since"))


def _state(connection: Connection, destination: str, plan: int, now: datetime) -> tuple[Standing, Schedules]:
    row = connection.execute(_STATE, {"destination_name": destination}).one()
    told = _headers(row)
    seen = told.at if told.at is not None and told.believable(now) else now
    asked = {"destination_name": destination, "now": now, "seen": seen, "since": min(seen, now)}
    used = connection.execute(_USED, asked).one()
    return Standing(plan, told, Used(**used._mapping), now), _schedules(row)


def _headers(row: Any) -> Headers:
    return Headers(
        limit=row.limit_learned,
        remaining=row.remaining_learned,
        reset=row.reset_learned,
        at=row.learned_at,
        in_vain=row.asked_in_vain,
    )


def _schedules(row: Any) -> Schedules:
    return Schedules(row.low_next_at, row.revenue_next_at, row.all_next_at)


def _mend(connection: Connection, destination: str, now: datetime) -> None:
    """Where the clock was set back, places would be held for as much longer: none is held longer than one can be."""
    latest = now + LONGEST_HELD
    held_until = connection.execute(_HELD_LONGEST, {"destination_name": destination}).scalar_one()
    if held_until is not None and held_until > latest:
        too_long = and_(attempts.c.destination == destination, attempts.c.place_until > latest)
        connection.execute(update(attempts).where(too_long).values(place_until=latest))
