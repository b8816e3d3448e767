"""What a drain does next at a destination, one transaction a turn, and when the next drain is of use.

All of it happens under the destination's writer lock and by the database's clock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, text
from sqlalchemy import func as sql

from gateway.events import EventType, Lane
from gateway.ledger.outbox import deferral, expiry, observed, settling, unknown_subscribers
from gateway.ledger.outbox.claiming import Picker
from gateway.ledger.outbox.uncertain import mark_lost_unconfirmed
from gateway.ledger.outbox.unknown_subscribers import UnknownSubscriberPolicy
from gateway.ledger.scheduling import budget, leases, pauses
from gateway.ledger.scheduling.attempt import Claimed, EventRequest, Settlement
from gateway.ledger.schema import attempts, events, status_is
from gateway.ledger.status import Status


@dataclass(frozen=True)
class DrainCycle:
    """What a drain may do next. `leased` False: somebody else holds the destination now, send nothing new.

    `again`: something changed without a request, so another turn may claim more.
    """

    leased: bool
    claimed: tuple[Claimed, ...] = ()
    again: bool = False
    paused_anew: tuple[str, ...] = field(default=(), compare=False)


def run(
    connection: Connection,
    destination: str,
    owner: str,
    now: datetime,
    *,
    settlements: Sequence[Settlement],
    wanted: int,
    limit: int,
    compose: Callable[[EventRequest], str],
    unknown_policy: Callable[[EventType], UnknownSubscriberPolicy],
) -> DrainCycle:
    """Write down what became of attempts, renew the lease and claim up to `wanted` requests within `limit` a minute.

    `compose` gives the text that is going to be sent for an event; it is kept with the attempt. `unknown_policy` says
    what becomes of an event of this type whose subscriber Lumail does not know.
    """
    begun = settling.settle(connection, destination, settlements, now)
    if not leases.renew(connection, destination, owner, now):
        if settlements:  # what follows from them is for the next drain to do, which did not know of it
            leases.wake(connection, destination, now)
        return DrainCycle(leased=False, paused_anew=begun)
    mark_lost_unconfirmed(connection, destination, now)
    if wanted <= 0:
        return DrainCycle(leased=True, paused_anew=begun)
    more = expiry.drop_expired(connection, destination, now)
    more = deferral.defer_and_restore(connection, destination, now) or more
    found = budget.places(connection, destination, limit, now)
    closed = pauses.open_pauses(connection, destination, now)
    picker = Picker(connection, destination, now, found, compose, unknown_policy)
    if closed:
        return DrainCycle(leased=True, claimed=tuple(picker.probes(closed)), again=more, paused_anew=begun)
    on_trial = observed.read(connection, destination).on_trial
    claimed = tuple(picker.pick_alone() if on_trial else picker.pick(wanted))
    return DrainCycle(leased=True, claimed=claimed, again=picker.held_back or more, paused_anew=begun)


def release(connection: Connection, destination: str, owner: str, now: datetime, limit: int) -> datetime | None:
    """Give the lease back, and note when the next drain is of use; returned, None where nothing waits."""
    wake_at = _next_use(connection, destination, now, limit)
    looks_at = None if wake_at is None else min(wake_at, now + leases.LONGEST_SLEEP)
    leases.give_back(connection, destination, owner, looks_at)
    return wake_at


# When the next drain is of use

_NEXT_READ = select(sql.min(events.c.due_at)).where(
    events.c.destination == bindparam("destination_name"), status_is(Status.UNKNOWN)
)


def _next_use(connection: Connection, destination: str, now: datetime, limit: int) -> datetime | None:
    lanes = pauses.paused_names(connection, destination, "lane")
    wanted = [
        max(due, budget.next_place(connection, destination, limit, now, lane))
        for lane in Lane
        if lane.word not in lanes and (due := deferral.next_due(connection, destination, lane)) is not None
    ]
    read_at = connection.execute(_NEXT_READ, {"destination_name": destination}).scalar_one()
    if read_at is not None:
        free_at = budget.next_place(connection, destination, limit, now, Lane.REVENUE, unscheduled=True)
        wanted.append(max(read_at, free_at))
    ask_at = unknown_subscribers.next_question(connection, destination)
    if ask_at is not None:
        wanted.append(max(ask_at, budget.next_place(connection, destination, limit, now, Lane.STANDARD)))
    closed = pauses.open_pauses(connection, destination, now)
    if closed and wanted:
        ends = [one.until for one in closed]
        wanted = [] if None in ends else [max(min(wanted), *(end for end in ends if end is not None))]
    lost = connection.execute(
        select(sql.min(attempts.c.ends_by)).where(
            attempts.c.destination == destination, text("attempts.outcome IS NULL")
        )
    ).scalar_one()
    return min([*wanted, *([lost] if lost is not None else [])], default=None)
