"""How fast a bulk replay goes: a share of the plan, so that what comes meanwhile does not wait behind it."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, text

from gateway.events import Lane
from gateway.ledger.scheduling import pauses
from gateway.ledger.scheduling.budget import places_taken
from gateway.ledger.schema import destinations, events, status_is
from gateway.ledger.schema import lines as line_rows
from gateway.ledger.status import Status
from gateway.ledger.views import overview
from gateway.ledger.views.forecast import through

SHARE = 0.5
"""Of the plan, while something else waits."""

ALONE = 0.9
"""Of the plan, while nothing else does."""

AHEAD = timedelta(seconds=10)
"""For how long slots are given out in advance: as long as a worker may need to come round again."""

OVERDUE = timedelta(seconds=3)
"""What waits for longer than this is a backlog. What is replayed is due no sooner than its slot, so makes none."""


def limit(connection: Connection, destination: str, plan: int) -> int:
    """Requests a minute, by the plan and by what Lumail said."""
    query = select(destinations.c.limit_learned).where(destinations.c.name == destination)
    learned = connection.execute(query).scalar_one_or_none()
    return max(1, min(plan, learned or plan))


def slot(connection: Connection, destination: str, plan: int, now: datetime) -> timedelta:
    """How long after one replayed event the next is due."""
    share = SHARE if _others_wait(connection, destination, now) else ALONE
    return timedelta(seconds=60 / (share * limit(connection, destination, plan)))


def most_under_way(step: timedelta) -> int:
    """How many replayed events may wait or be on their way; past that Lumail is paused or slow, and none is added."""
    return int(2 * AHEAD / step) + 10


def _others_wait(connection: Connection, destination: str, now: datetime) -> bool:
    heads = select(line_rows.c.head).where(line_rows.c.destination == destination, line_rows.c.due_at <= now - OVERDUE)
    bulk = select(events.c.id).where(
        events.c.destination == destination,
        status_is(Status.WAITING),  # written as the partial index has it, so that it is used
        text("events.lane = 3"),
        events.c.due_at <= now - OVERDUE,
    )
    return any(connection.execute(query.limit(1)).first() is not None for query in (heads, bulk))


def through_at(
    connection: Connection, destination: str, plan: int, now: datetime, added: Mapping[Lane, int], *, paced: bool
) -> datetime | None:
    """When so many more events of each lane will have left; None where the destination rests.

    `paced`: they are replayed in bulk, and have a share of the plan. What comes meanwhile makes it later.
    """
    wanted = {lane.word: count for lane, count in added.items() if count}
    if not wanted:
        return now
    (state,) = overview.destinations_now(connection, now, {destination: plan})[:1]
    if state.halt is not None or pauses.open_pauses(connection, destination, now):
        return None
    backlog = {word: count + wanted.get(word, 0) for word, count in state.backlog.items()}
    most = limit(connection, destination, plan)
    free = max(0, most - places_taken(connection, destination, now))
    resting = pauses.paused_names(connection, destination, "lane")
    found = through(backlog, most, free, now, resting)
    ends = [found[word] for word in wanted]
    if None in ends:
        return None
    paced_end = now + sum(wanted.values()) * slot(connection, destination, plan, now) if paced else now
    return max(paced_end, *(end for end in ends if end is not None))
