"""Figures of the ledger as a whole, for metrics."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy import func as sql

from gateway.events import Lane
from gateway.ledger.schema import events
from gateway.ledger.status import Status


def events_by_state(connection: Connection) -> Mapping[tuple[str, str, Lane], int]:
    """How many events there are of each destination, status and lane."""
    columns = (events.c.destination, events.c.status, events.c.lane)
    query = select(*columns, sql.count()).group_by(*columns)
    return {(destination, status, Lane(lane)): count for destination, status, lane, count in connection.execute(query)}


def oldest_due(connection: Connection, now: datetime) -> Mapping[tuple[str, Lane], float]:
    """Seconds that the oldest due event of each destination and lane has waited; only those that have one."""
    query = (
        select(events.c.destination, events.c.lane, sql.min(events.c.due_at))
        .where(events.c.status == Status.WAITING, events.c.due_at <= now)
        .group_by(events.c.destination, events.c.lane)
    )
    return {
        (destination, Lane(lane)): (now - due_at).total_seconds()
        for destination, lane, due_at in connection.execute(query)
    }
