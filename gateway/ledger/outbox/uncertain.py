"""Events that Lumail may or may not have recorded: how doubt arises, and whose its records are."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, text, update

from gateway.ledger.event import Event, EventChange
from gateway.ledger.facts.known_events import events_of
from gateway.ledger.outbox import transitions
from gateway.ledger.scheduling.attempt import Kind
from gateway.ledger.schema import attempts, events
from gateway.ledger.schema import lines as line_rows
from gateway.ledger.status import Reason, Status

FIRST_READ_AFTER = timedelta(seconds=2)
"""How long after doubt arose Lumail is asked for the first time what it recorded."""


def mark_lost_unconfirmed(connection: Connection, destination: str, now: datetime) -> None:
    """Attempts that ran out of time without a word: their sender died, and nobody knows whether a byte had left."""
    query = select(attempts.c.id, attempts.c.event, attempts.c.kind, attempts.c.ends_by).where(
        attempts.c.destination == destination, text("attempts.outcome IS NULL"), attempts.c.ends_by <= now
    )
    lost = connection.execute(query).all()
    if not lost:
        return
    connection.execute(
        update(attempts)
        .where(attempts.c.id.in_([row.id for row in lost]))
        .values(outcome="lost", error="no answer was seen: the sender ended before it came")
    )
    posted = {row.event: row for row in lost if row.kind == Kind.POST}
    moves: list[tuple[Event, EventChange]] = [
        (
            event,
            {
                "status": Status.UNKNOWN,
                "reason": Reason.ANSWER_LOST,
                "unconfirmed_at": posted[event.id].ends_by,
                "reads": 0,
                "read_cursor": None,
                "due_at": now + FIRST_READ_AFTER,
            },
        )
        for event in events_of(connection, posted).values()
        if event.status == Status.DELIVERING and event.attempt == posted[event.id].id
    ]
    transitions.move(connection, destination, moves, now)


def mark_all_unconfirmed(connection: Connection, destination: str, now: datetime) -> int:
    """Have Lumail read back before anything is sent that the ledger's original may have delivered; how many events.

    Bulk that was never attempted is left out: there is too much of it to be asked for, and it moves no money.
    """
    connection.execute(
        update(attempts)
        .where(attempts.c.destination == destination, text("attempts.outcome IS NULL"))
        .values(outcome="lost", error="the ledger was copied or restored before its answer came")
    )
    doubted = transitions.mark_all_unconfirmed(connection, destination, now)
    connection.execute(update(line_rows).where(line_rows.c.destination == destination).values(due_at=None))
    return doubted


def mark_unconfirmed_again(connection: Connection, destination: str, event: str, now: datetime) -> None:
    """What a read took for this event was another's: it is in doubt again."""
    lost = events_of(connection, [event])[event]
    change: EventChange = {
        "status": Status.UNKNOWN,
        "reason": None,
        "lumail_event_id": None,
        "found_by_read": False,
        "reads": 0,
        "read_cursor": None,
        "due_at": now + FIRST_READ_AFTER,
    }
    transitions.move(connection, destination, [(lost, change)], now, corrects=True)


def owners(connection: Connection, destination: str, lumail_ids: Sequence[str]) -> Mapping[str, str]:
    """Which of these records of Lumail are events of ours: Lumail's id to ours."""
    query = select(events.c.lumail_event_id, events.c.id).where(
        events.c.destination == destination, events.c.lumail_event_id.in_(lumail_ids)
    )
    return {row.lumail_event_id: row.id for row in connection.execute(query)}
