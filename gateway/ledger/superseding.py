"""Which event stands for a fact that was told twice: one goes out, another takes its place if it comes to nothing."""

from datetime import datetime

from sqlalchemy import Connection, select, update
from sqlalchemy import func as sql

from gateway.ledger import leases, lines
from gateway.ledger.schema import events

SUPERSEDED = "superseded"
"""Why an event was dropped whose fact another event tells."""


def succeed(connection: Connection, event: str, now: datetime) -> None:
    """Where a fact was told twice and the telling that went out came to nothing, the other takes its place."""
    group = select(events.c.group).where(events.c.id == event).scalar_subquery()
    twins = connection.execute(
        select(events.c.id, events.c.destination, events.c.lane, events.c.subscriber)
        .where(
            events.c.group == group,
            events.c.status == "dropped",
            events.c.reason == SUPERSEDED,
            events.c.first_attempt_at.is_(None),
            events.c.subscriber.is_not(None),
        )
        .order_by(events.c.richness.desc(), events.c.id)
    ).all()
    live = connection.execute(
        select(sql.count()).where(events.c.group == group, events.c.status.not_in(("failed", "dropped")))
    ).scalar_one()
    if not twins or live:
        return
    heir = twins[0]
    connection.execute(
        update(events)
        .where(events.c.id == heir.id, events.c.status == "dropped")
        .values(status="waiting", reason=None, settled_at=None, due_at=now)
    )
    lines.refresh(connection, heir.destination, [(heir.lane, heir.subscriber)])
    leases.wake(connection, heir.destination, now)
