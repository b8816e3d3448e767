"""Even schedules, so that a plan is used throughout its minute and a payment finds a place in every second of it.

- Standard and bulk have one over LOW_SHARE of the plan, so that a backlog does not use up a minute's places in its
  first seconds; places missed while nobody drained are caught up, up to CATCH_UP;
- revenue has the same schedule but may run ahead of it by BURST;
- all requests together have one over ALL_SHARE, which standard and bulk keep to and the others push on: a minute that
  is used up early leaves seconds at its end, and at that of each minute that follows, in which no place comes free.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.events import Lane

LOW_SHARE = 0.95
ALL_SHARE = 0.98
CATCH_UP = timedelta(seconds=5)
FIRST_BURST = timedelta(seconds=1)
"""How much of the schedule of standard and bulk may be sent at once after a rest."""

BURST = timedelta(seconds=6)
FURTHEST = timedelta(seconds=12)
"""How far ahead of its schedule all that was sent may be; further, and bulk is sent as if it were not."""


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
class _Rule:
    """An even schedule that may be caught up when it is late, and run ahead of.

    `furthest` is how far ahead it may have been pushed, beyond which it is not believed: the clock was set back.
    """

    share: float
    behind: timedelta
    ahead: timedelta
    furthest: timedelta

    def step(self, limit: int) -> timedelta:
        return timedelta(seconds=60 / (self.share * max(1, limit)))

    def start(self, next_at: datetime | None, now: datetime, limit: int) -> datetime:
        """Where it goes on: at the next step now, where it stands further ahead than it can.

        One that is later than can be caught up begins anew with a few: a larger burst now would be missing, as places
        that nobody may take, at the end of each minute that follows.
        """
        if next_at is not None and next_at > now + self.furthest + self.step(limit):
            return now + self.ahead
        if next_at is None or next_at < now - self.behind:
            return now - min(self.behind, FIRST_BURST)
        return next_at

    def allowed(self, next_at: datetime | None, now: datetime, limit: int) -> int:
        """How many of its steps are due."""
        late = now + self.ahead - self.start(next_at, now, limit)
        return max(0, math.floor(late / self.step(limit)) + 1)

    def moved(self, next_at: datetime | None, now: datetime, limit: int, taken: int) -> datetime | None:
        return self.start(next_at, now, limit) + taken * self.step(limit) if taken else next_at


_REVENUE = _Rule(LOW_SHARE, behind=timedelta(0), ahead=BURST, furthest=BURST)
_LOW = _Rule(LOW_SHARE, behind=CATCH_UP, ahead=timedelta(0), furthest=timedelta(0))
_ALL = _Rule(ALL_SHARE, behind=CATCH_UP, ahead=timedelta(0), furthest=FURTHEST)


@dataclass(frozen=True)
class Schedules:
    """When each of the three has its next place; None: it has not begun."""

    low: datetime | None = None
    revenue: datetime | None = None
    all: datetime | None = None

    def revenue_allowed(self, now: datetime, limit: int) -> int:
        return _REVENUE.allowed(self.revenue, now, limit)

    def low_allowed(self, now: datetime, limit: int) -> int:
        return min(_LOW.allowed(self.low, now, limit), _ALL.allowed(self.all, now, limit))

    def next_for(self, lane: Lane, now: datetime, limit: int) -> datetime:
        """When they have a place for an event of this lane."""
        match lane:
            case Lane.URGENT:
                return now
            case Lane.REVENUE:
                return max(now, _REVENUE.start(self.revenue, now, limit) - BURST)
            case _:
                return max(now, _LOW.start(self.low, now, limit), _ALL.start(self.all, now, limit))

    def moved(self, taken: Taken, now: datetime, limit: int) -> "Schedules":
        """After so many places of them were taken."""
        return Schedules(
            low=_LOW.moved(self.low, now, limit, taken.low),
            revenue=_REVENUE.moved(self.revenue, now, limit, taken.revenue),
            all=_ALL.moved(self.all, now, limit, taken.all),
        )
