"""What became of requests, written down: their events, what Lumail told by the way, and pauses that begin or end."""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select, update

from gateway.events import MONEY_TYPES
from gateway.ledger import words
from gateway.ledger.event import Event, EventChange
from gateway.ledger.facts.known_events import events_of
from gateway.ledger.outbox import duplicates, observed, refusals, transitions, unknown_subscribers
from gateway.ledger.outbox.transitions import Recorded
from gateway.ledger.outbox.uncertain import mark_unconfirmed_again
from gateway.ledger.scheduling import budget, lines, pauses
from gateway.ledger.scheduling.attempt import (
    AskForEvent,
    AskForSubscriber,
    Claimed,
    CreateSubscriber,
    PostEvent,
    Probe,
    ReadBack,
    Settlement,
    SubscriberAnswer,
)
from gateway.ledger.scheduling.pauses import Pause
from gateway.ledger.scheduling.standing import WINDOW, Learned
from gateway.ledger.schema import Instant, attempts, destinations, events
from gateway.ledger.status import ENDED, PauseKind, Status

MOST_BODY = 4_000
"""Characters of Lumail's answer that are kept with an attempt."""

FAILURES_THAT_PAUSE = 5
"""Failures in a row after which a destination is paused instead of every event failing for itself."""

_ANSWERED = (
    update(attempts)
    .where(attempts.c.id == bindparam("its_id"))
    .values(
        answered_at=bindparam("now", type_=Instant),
        outcome=bindparam("its_outcome"),
        status=bindparam("its_status"),
        body=bindparam("its_body"),
        error=bindparam("its_error"),
        duration_ms=bindparam("its_duration"),
        place_until=bindparam("until", type_=Instant),
    )
)


def settle(
    connection: Connection, destination: str, settlements: Sequence[Settlement], now: datetime
) -> tuple[str, ...]:
    """Write answers down; the reasons of pauses that begin with them.

    A success counts whenever it comes, also after its event was given up.
    """
    if not settlements:
        return ()
    _write_answers(connection, settlements, now)
    _learn(connection, destination, settlements, now)
    _settle_recorded(connection, destination, [one for one in settlements if one.recorded], now)
    _change(connection, destination, [one for one in settlements if one.changes is not None], now)
    for one in settlements:
        if one.subscriber_answer is not None:
            _settle_subscriber_answer(connection, destination, one, now)
    begun = _settle_pauses(connection, destination, settlements, now)
    return begun + refusals.settle(connection, destination, settlements, now)


def _write_answers(connection: Connection, settlements: Sequence[Settlement], now: datetime) -> None:
    rows = [
        {
            "its_id": one.claimed.attempt,
            "now": now,
            "until": now + WINDOW,
            "its_outcome": one.outcome,
            "its_status": one.http_status,
            "its_body": None if one.body is None else one.body[:MOST_BODY],
            "its_error": one.error,
            "its_duration": one.duration_ms,
        }
        for one in settlements
    ]
    connection.execute(_ANSWERED, rows)


def _learn(connection: Connection, destination: str, settlements: Sequence[Settlement], now: datetime) -> None:
    told = [one.learned for one in settlements if one.learned is not None]
    if told:
        budget.learn(connection, destination, min(told, key=_remaining), now)
    observed.learn(connection, destination, settlements)


def _remaining(learned: Learned) -> float:
    return math.inf if learned.remaining is None else learned.remaining


def _settle_recorded(connection: Connection, destination: str, recorded: Sequence[Settlement], now: datetime) -> None:
    if not recorded:
        return
    ids = [one.lumail_event_id for one in recorded if one.lumail_event_id is not None]
    query = select(events.c.id, events.c.lumail_event_id, events.c.found_by_read).where(
        events.c.destination == destination, events.c.lumail_event_id.in_(ids)
    )
    holders = {row.lumail_event_id: row for row in connection.execute(query)}
    given: set[str] = set()
    found: list[Recorded] = []
    for one in sorted(recorded, key=lambda one: one.by_read):
        lumail_id = one.lumail_event_id
        holder = holders.get(lumail_id) if lumail_id is not None else None
        if holder is not None and holder.id != one.claimed.event_id:
            if one.by_read:
                continue  # another's after all: the event stays in doubt
            if holder.found_by_read:
                mark_unconfirmed_again(connection, destination, holder.id, now)  # an answer knows better than a reader
            else:
                lumail_id = None  # one id for two of our events: the success is believed, the id is not
        if lumail_id in given:
            if one.by_read:
                continue
            lumail_id = None
        elif lumail_id is not None:
            given.add(lumail_id)
        if one.claimed.event is not None:
            found.append(Recorded(one.claimed.event.id, lumail_id, one.by_read))
    transitions.record(connection, found, now)
    lines.refresh(connection, destination, {(one.claimed.lane, one.claimed.subscriber) for one in recorded})
    concerned = [one.claimed.event for one in recorded if one.claimed.event is not None]
    payments = events_of(connection, [event.id for event in concerned if event.type in MONEY_TYPES])
    transitions.let_follow(connection, destination, payments.values(), now)


def _change(connection: Connection, destination: str, settlements: Sequence[Settlement], now: datetime) -> None:
    """What follows for events, as far as they still are where the request was made for them."""
    known = events_of(connection, [one.claimed.event.id for one in settlements if one.claimed.event is not None])
    left = list(settlements)
    while left:  # several answers for one event count one after the other
        moves: dict[str, tuple[Event, EventChange]] = {}
        later: list[Settlement] = []
        for one in left:
            event = known.get(one.claimed.event_id or "")
            if event is None or one.changes is None:
                continue
            if event.id in moves:
                later.append(one)
            elif _is_its_turn(event, one.claimed):
                moves[event.id] = (event, one.changes)
        for event in transitions.move(connection, destination, moves.values(), now):
            known[event.id] = event
            if event.status in ENDED:
                duplicates.succeed(connection, event.id, now)
        left = later


def _is_its_turn(event: Event, claimed: Claimed) -> bool:
    """Whether an event is still where this request was made for it."""
    match claimed.request:
        case PostEvent():
            return event.status == Status.DELIVERING and event.attempt == claimed.attempt
        case ReadBack(event=read):
            # Only what the search has come to meanwhile may go on: the event may have been sent again since.
            come_to = (event.unconfirmed_at, event.reads, event.read_cursor)
            return event.status == Status.UNKNOWN and come_to == (read.unconfirmed_at, read.reads, read.read_cursor)
        case AskForEvent() | CreateSubscriber() | AskForSubscriber() | Probe():
            return event.status == Status.WAITING


def _settle_subscriber_answer(connection: Connection, destination: str, one: Settlement, now: datetime) -> None:
    subscriber = one.claimed.subscriber
    match one.subscriber_answer:
        case SubscriberAnswer.MET:
            unknown_subscribers.met(connection, destination, subscriber, now)
        case SubscriberAnswer.KNOWN:
            unknown_subscribers.found(connection, destination, subscriber, now)
        case SubscriberAnswer.UNKNOWN:
            unknown_subscribers.still_unknown(connection, destination, subscriber, now)
        case SubscriberAnswer.LEFT_OUT:
            unknown_subscribers.leave_out(connection, destination, subscriber, now)
        case SubscriberAnswer.UNANSWERED:
            unknown_subscribers.ask_later(connection, destination, subscriber, now + timedelta(minutes=5))


def _settle_pauses(
    connection: Connection, destination: str, settlements: Iterable[Settlement], now: datetime
) -> tuple[str, ...]:
    begun: list[str] = []
    run: int | None = None
    for one in settlements:
        probed = one.claimed.probed
        if probed is not None:
            is_well = one.recorded if probed.ends_by_success_only else one.failed is False
            succeeded = is_well and (one.pause is None or one.pause.until is None)
            pauses.conclude_probe(connection, probed.id, now, succeeded=succeeded, tries=probed.tries)
        lasts = one.pause is not None and (probed is None or one.pause.probe is None)
        if one.pause is not None and lasts and pauses.begin(connection, destination, one.pause, now):
            begun.append(words.of_pause(one.pause.kind, one.pause.details))
        if one.failed is not None:
            run = _run(connection, destination) if run is None else run
            run = run + 1 if one.failed else 0
    if run is None:
        return tuple(begun)
    connection.execute(update(destinations).where(destinations.c.name == destination).values(failures_run=run))
    if run >= FAILURES_THAT_PAUSE and not pauses.open_pauses(connection, destination, now):
        failures = Pause(now + pauses.FIRST_WAIT, PauseKind.REPEATED_FAILURES, {"run": run}, probe="get")
        pauses.begin(connection, destination, failures, now)
        begun.append(words.of_pause(failures.kind, failures.details))
    return tuple(begun)


def _run(connection: Connection, destination: str) -> int:
    query = select(destinations.c.failures_run).where(destinations.c.name == destination)
    return int(connection.execute(query).scalar_one())
