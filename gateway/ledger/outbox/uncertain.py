"""Events that Lumail may or may not have recorded: how doubt arises, and whose its records are."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, or_, select, text, update
from sqlalchemy import func as sql

from gateway.events import Lane
from gateway.ledger.scheduling import leases, lines
from gateway.ledger.scheduling.attempt import Kind
from gateway.ledger.schema import attempts, events
from gateway.ledger.schema import lines as line_rows
from gateway.ledger.status import WITHOUT_REASON, Reason, Status

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
    for row in lost:
        if row.kind == Kind.POST:
            connection.execute(
                update(events)
                .where(events.c.id == row.event, events.c.status == Status.DELIVERING, events.c.attempt == row.id)
                .values(
                    status=Status.UNKNOWN,
                    reason=Reason.ANSWER_LOST,
                    unconfirmed_at=row.ends_by,
                    reads=0,
                    read_cursor=None,
                    due_at=now + FIRST_READ_AFTER,
                )
            )


def mark_all_unconfirmed(connection: Connection, destination: str, now: datetime) -> int:
    """Have Lumail read back before anything is sent that the ledger's original may have delivered; how many events.

    Bulk that was never attempted is left out: there is too much of it to be asked for, and it moves no money.
    """
    connection.execute(
        update(attempts)
        .where(attempts.c.destination == destination, text("attempts.outcome IS NULL"))
        .values(outcome="lost", error="the ledger was copied or restored before its answer came")
    )
    doubted = connection.execute(
        update(events)
        .where(
            events.c.destination == destination,
            or_(
                events.c.status == Status.DELIVERING,
                and_(
                    events.c.status == Status.WAITING,
                    or_(events.c.lane != int(Lane.BULK), events.c.first_attempt_at.is_not(None)),
                ),
            ),
        )
        .values(
            status=Status.UNKNOWN,
            reason=Reason.LEDGER_RESTORED,
            step="post",
            first_attempt_at=sql.coalesce(events.c.first_attempt_at, events.c.created_at),
            unconfirmed_at=now,
            reads=0,
            read_cursor=None,
            due_at=now,
        )
    )
    connection.execute(update(line_rows).where(line_rows.c.destination == destination).values(due_at=None))
    return int(doubted.rowcount)


def mark_unconfirmed_again(connection: Connection, destination: str, event: str, now: datetime) -> None:
    """What a read took for this event was another's: it is in doubt again."""
    lost = connection.execute(select(events.c.lane, events.c.subscriber).where(events.c.id == event)).one()
    connection.execute(
        update(events)
        .where(events.c.id == event)
        .values(
            status=Status.UNKNOWN,
            **WITHOUT_REASON,
            lumail_event_id=None,
            found_by_read=False,
            settled_at=None,
            reads=0,
            read_cursor=None,
            due_at=now + FIRST_READ_AFTER,
        )
    )
    leases.wake(connection, destination, now + FIRST_READ_AFTER)
    lines.close(connection, destination, lost.lane, lost.subscriber, event)


def owners(connection: Connection, destination: str, lumail_ids: Sequence[str]) -> Mapping[str, str]:
    """Which of these records of Lumail are events of ours: Lumail's id to ours."""
    query = select(events.c.lumail_event_id, events.c.id).where(
        events.c.destination == destination, events.c.lumail_event_id.in_(lumail_ids)
    )
    return {row.lumail_event_id: row.id for row in connection.execute(query)}
