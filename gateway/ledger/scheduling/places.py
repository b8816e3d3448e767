"""Places for requests that post no event: they count against the plan like all others."""

from datetime import datetime

from sqlalchemy import Connection, insert, update

from gateway.ledger.identity import new_id
from gateway.ledger.scheduling import budget
from gateway.ledger.scheduling.attempt import ENDS_WITHIN, SEND_WITHIN
from gateway.ledger.scheduling.standing import WINDOW
from gateway.ledger.schema import attempts


def take(
    connection: Connection,
    destination: str,
    kind: str,
    limit: int,
    now: datetime,
    *,
    event: str | None = None,
    sent: str | None = None,
) -> str | None:
    """The attempt that may be made now, under the destination's writer lock; None where the plan is used up.

    `event` is on whose account it is made, `sent` what is asked for.
    """
    if not budget.places(connection, destination, limit, now).any:
        return None
    identity = new_id("at")
    connection.execute(
        insert(attempts).values(
            id=identity,
            destination=destination,
            event=event,
            kind=kind,
            sent=sent,
            taken_at=now,
            send_before=now + SEND_WITHIN,
            ends_by=now + ENDS_WITHIN,
            place_until=now + ENDS_WITHIN + WINDOW,
        )
    )
    return identity


def settle(connection: Connection, attempt: str, status: int | None, error: str | None, now: datetime) -> None:
    """Write down how it ended; `status` None: without an answer."""
    connection.execute(
        update(attempts)
        .where(attempts.c.id == attempt)
        .values(
            answered_at=now,
            outcome="failed" if status is None else "answered",
            status=status,
            error=error,
            place_until=now + WINDOW,
        )
    )
