"""A run of refusals: where Lumail refuses one event after the other of people whom it has, the destination is at fault.

A row is an event that was refused so: of a run that goes on, or of the pause that the run began; the latter are sent
again once the pause is over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, distinct, exists, insert, or_, select, text, update
from sqlalchemy import func as sql

from gateway.ledger import words
from gateway.ledger.scheduling import pauses
from gateway.ledger.scheduling.attempt import ENDS_WITHIN, AskForSubscriber, Settlement, SubscriberAnswer
from gateway.ledger.scheduling.pauses import OpenPause, Pause
from gateway.ledger.schema import events, jobs, refusals
from gateway.ledger.schema import pauses as pause_rows
from gateway.ledger.status import PauseKind

RUN = 20
"""Refusals in a row that pause a destination."""

SUBSCRIBERS = 5
"""Over how many subscribers they must go: what is wrong with one is not the destination's fault."""

NOT_AGAIN_WITHIN = timedelta(hours=1)
"""After a pause that a run began, another run begins none for so long: then it is the events that are at fault."""

_GOES_ON = (refusals.c.destination == bindparam("destination_name"), text("refusals.pause IS NULL"))
_ANY = select(refusals.c.event).where(*_GOES_ON).limit(1)
_RUN = (
    select(sql.count(), sql.count(distinct(events.c.subscriber)), sql.count().filter(refusals.c.found))
    .join_from(refusals, events, events.c.id == refusals.c.event)
    .where(*_GOES_ON)
)
_NEWEST = (
    select(refusals.c.event, refusals.c.asked_at, events.c.subscriber)
    .join_from(refusals, events, events.c.id == refusals.c.event)
    .where(*_GOES_ON, events.c.subscriber.is_not(None))
    .order_by(events.c.attempt.desc())
    .limit(1)
)


def settle(
    connection: Connection, destination: str, settlements: Sequence[Settlement], now: datetime
) -> tuple[str, ...]:
    """Go on with the run by what answers say, which a success ends; the words of the pause that begins with it."""
    asked = [one for one in settlements if _is_of_run(one)]
    is_over, refused = False, list[Settlement]()
    for one in settlements:
        if one.recorded and not one.by_read:
            is_over, refused = True, []
        elif one.refused is not None and one.claimed.event_id is not None:
            refused.append(one)
    if is_over and connection.execute(_ANY, {"destination_name": destination}).first() is not None:
        connection.execute(delete(refusals).where(*_GOES_ON), {"destination_name": destination})
    for one in asked:
        _hear(connection, destination, one)
    if refused:
        _add(connection, destination, refused)
    return _pause(connection, destination, now) if refused or asked else ()


def _is_of_run(one: Settlement) -> bool:
    return isinstance(one.claimed.request, AskForSubscriber) and one.claimed.request.of_run


def _hear(connection: Connection, destination: str, one: Settlement) -> None:
    """Lumail was asked for a subscriber of the run: who is no subscriber after all does not count."""
    its = select(events.c.id).where(
        events.c.destination == destination,
        events.c.subscriber == one.claimed.subscriber,
        events.c.id == refusals.c.event,
    )
    rows = (*_GOES_ON, its.exists())
    if one.subscriber_answer is SubscriberAnswer.KNOWN:
        connection.execute(update(refusals).where(*rows).values(found=True), {"destination_name": destination})
    elif one.subscriber_answer is SubscriberAnswer.UNKNOWN:
        connection.execute(delete(refusals).where(*rows), {"destination_name": destination})


def _add(connection: Connection, destination: str, refused: Sequence[Settlement]) -> None:
    """Each event once; one that a pause's end is about to send again stays with that."""
    found = {str(one.claimed.event_id): bool(one.refused) for one in refused}
    query = select(refusals.c.event, refusals.c.pause).where(refusals.c.event.in_(sorted(found)))
    known = {row.event: row.pause for row in connection.execute(query)}
    again = [event for event, pause in known.items() if pause is None and found[event]]
    if again:
        connection.execute(update(refusals).where(refusals.c.event.in_(again)).values(found=True))
    new = [
        {"event": event, "destination": destination, "found": by_get}
        for event, by_get in found.items()
        if event not in known
    ]
    if new:
        connection.execute(insert(refusals), new)


def _pause(connection: Connection, destination: str, now: datetime) -> tuple[str, ...]:
    open_ = _of_run(pauses.open_pauses(connection, destination, now))
    begun: tuple[str, ...] = ()
    if open_ is None:
        run = _run(connection, destination)
        if not (run.is_full and run.found) or _was_paused(connection, destination, now):
            return ()
        pause = Pause(now + pauses.FIRST_WAIT, PauseKind.DESTINATION_REFUSES, run.details, "post")
        if pauses.begin(connection, destination, pause, now):
            begun = (words.of_pause(pause.kind, pause.details),)
        open_ = next((one for one in pauses.open_pauses(connection, destination, now) if one.probe == "post"), None)
    if open_ is not None:  # what was under way when it began came to nothing for the same reason
        connection.execute(update(refusals).where(*_GOES_ON).values(pause=open_.id), {"destination_name": destination})
    return begun


def _of_run(open_: Sequence[OpenPause]) -> OpenPause | None:
    return next((one for one in open_ if one.kind == PauseKind.DESTINATION_REFUSES and "run" in one.details), None)


@dataclass(frozen=True)
class _Run:
    count: int
    subscribers: int
    found: int

    @property
    def is_full(self) -> bool:
        return self.count >= RUN and self.subscribers >= SUBSCRIBERS

    @property
    def details(self) -> dict[str, Any]:
        why = f"{self.count} in a row, for {self.subscribers} subscribers whom it has"
        return {"status": "400 or 404", "run": self.count, "why": why}


def _run(connection: Connection, destination: str) -> _Run:
    return _Run(*connection.execute(_RUN, {"destination_name": destination}).one())


def _was_paused(connection: Connection, destination: str, now: datetime) -> bool:
    ended = select(pause_rows.c.details).where(
        pause_rows.c.destination == destination,
        pause_rows.c.kind == PauseKind.DESTINATION_REFUSES,
        pause_rows.c.ended_at > now - NOT_AGAIN_WITHIN,
    )
    return any("run" in details for details in connection.execute(ended).scalars())


def to_ask(connection: Connection, destination: str, now: datetime) -> str | None:
    """Whom to ask Lumail for, once a run: before it is the destination's fault, one of its people must be there."""
    run = _run(connection, destination)
    if not run.is_full or run.found:
        return None
    newest: Any = connection.execute(_NEWEST, {"destination_name": destination}).first()
    if newest is None or (newest.asked_at is not None and now < newest.asked_at + 2 * ENDS_WITHIN):
        return None
    if _was_paused(connection, destination, now):
        return None
    connection.execute(update(refusals).where(*_GOES_ON).values(asked_at=now), {"destination_name": destination})
    subscriber: str = newest.subscriber
    return subscriber


@dataclass(frozen=True)
class Ended:
    """A pause that is over, and how many events the run ended that began it."""

    pause: str
    destination: str
    events: int


def ended(connection: Connection) -> list[Ended]:
    """Pauses whose events nobody sends again yet."""
    query = (
        select(refusals.c.pause, refusals.c.destination, sql.count())
        .join_from(refusals, pause_rows, pause_rows.c.id == refusals.c.pause)
        .where(pause_rows.c.ended_at.is_not(None), refusals.c.job.is_(None))
        .group_by(refusals.c.pause, refusals.c.destination)
    )
    return [Ended(*row) for row in connection.execute(query)]


def take(connection: Connection, over: Ended, job: str) -> None:
    """This job sends its events again."""
    rows = (refusals.c.pause == over.pause, refusals.c.destination == over.destination, refusals.c.job.is_(None))
    connection.execute(update(refusals).where(*rows).values(job=job))


_RUNNING = exists().where(jobs.c.id == refusals.c.job, text("jobs.status = 'running'"))
_KEPT = exists().where(events.c.id == refusals.c.event)
_LEFT_OVER = (
    refusals.c.destination == bindparam("destination_name"),
    or_(and_(refusals.c.job.is_not(None), ~_RUNNING), ~_KEPT),
)


def is_left_over(connection: Connection, destination: str) -> bool:
    query = select(refusals.c.event).where(*_LEFT_OVER).limit(1)
    return connection.execute(query, {"destination_name": destination}).first() is not None


def forget(connection: Connection, destination: str) -> None:
    """Those whose job is over, and those whose event is purged."""
    connection.execute(delete(refusals).where(*_LEFT_OVER), {"destination_name": destination})
