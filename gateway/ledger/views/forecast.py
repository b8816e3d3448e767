"""When each lane's backlog will be through, as far as the plan decides it."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from gateway.events import Lane
from gateway.ledger.scheduling.budget import LOW_SHARE


def through(
    backlog: Mapping[str, int], limit: float, free: int, now: datetime, resting: Collection[str] = ()
) -> dict[str, datetime | None]:
    """When the last waiting event of each lane (by its word) will leave, None where none waits or the lane rests.

    `limit` is requests a minute, `free` how many of them may be made at once. The most urgent leaves first; standard
    and bulk keep the even schedule. What comes meanwhile, is not due yet or has to be sent again makes it later.
    """
    found: dict[str, datetime | None] = {}
    before = 0
    for lane in Lane:
        count = 0 if lane.word in resting else backlog[lane.word]
        before += count
        found[lane.word] = now + _time_for(before, lane, limit, free) if count else None
    return found


def _time_for(number: int, lane: Lane, limit: float, free: int) -> timedelta:
    """How long so many events take, of which the last is of this lane."""
    if lane is Lane.URGENT:
        return timedelta(seconds=max(0, number - free) * 60 / limit)
    if lane is Lane.REVENUE:
        return timedelta(seconds=max(0, number - free) * 60 / (LOW_SHARE * limit))
    return timedelta(seconds=number * 60 / (LOW_SHARE * limit))
