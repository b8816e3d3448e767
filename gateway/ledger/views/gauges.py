"""Figures of the ledger as a whole, for metrics."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, text
from sqlalchemy import func as sql

from gateway.events import Lane
from gateway.ledger.schema import Instant, destinations, events, lines, status_is
from gateway.ledger.status import Status
from gateway.ledger.views import counters, troubles

_HEADS = select(sql.min(lines.c.due_at)).where(
    lines.c.destination == bindparam("destination_name"),
    lines.c.lane == bindparam("of_lane"),
    lines.c.due_at <= bindparam("until", type_=Instant),
)
_BULK = select(sql.min(events.c.due_at)).where(
    events.c.destination == bindparam("destination_name"),
    status_is(Status.WAITING),
    text("events.lane = 3"),
    events.c.due_at <= bindparam("until", type_=Instant),
)


def events_by_state(connection: Connection) -> Mapping[tuple[str, str, Lane], int]:
    """How many events there are of each destination, status and lane, where there are any."""
    names = connection.execute(select(destinations.c.name)).scalars().all()
    counts = {name: counters.by_state(connection, name) for name in names}
    return {
        (name, status, Lane(lane)): count
        for name, of in counts.items()
        for (status, lane), count in of.items()
        if count
    }


def oldest_due(connection: Connection, now: datetime) -> Mapping[tuple[str, Lane], float]:
    """Seconds that the oldest due event of each destination and lane has waited; only those that have one.

    Through the heads of lines and the index of the bulk lane, so that a long backlog costs nothing.
    """
    found = {}
    for name in connection.execute(select(destinations.c.name)).scalars().all():
        for lane in Lane:
            query = _BULK if lane is Lane.BULK else _HEADS
            known = {"destination_name": name, "until": now}
            due_at = connection.execute(query, known if lane is Lane.BULK else {**known, "of_lane": int(lane)}).scalar()
            if due_at is not None:
                found[name, lane] = (now - due_at).total_seconds()
    return found


def paused(connection: Connection, now: datetime) -> Mapping[str, bool]:
    """Whether each destination sends nothing."""
    rests = {one.destination for one in troubles.open_pauses(connection, now) if one.scope == "destination"}
    names = connection.execute(select(destinations.c.name)).scalars().all()
    return {name: name in rests for name in names}


def size(connection: Connection) -> int:
    """Bytes of the ledger's database: of SQLite's file, without its write-ahead log."""
    if connection.dialect.name == "sqlite":
        pages, of = (connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("page_count", "page_size"))
        return int(pages) * int(of)
    return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
