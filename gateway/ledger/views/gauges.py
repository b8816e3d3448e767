"""Figures of the ledger as a whole, for metrics."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, ScalarSelect, bindparam, select, text
from sqlalchemy import func as sql

from gateway.events import Lane
from gateway.ledger.schema import Instant, destinations, events, lines, status_is
from gateway.ledger.status import Status
from gateway.ledger.views import counters, troubles


def _oldest(lane: Lane) -> ScalarSelect[Any]:
    """When the oldest due event of a destination's lane was due."""
    until = bindparam("until", type_=Instant)
    if lane is Lane.BULK:
        bulk = select(sql.min(events.c.due_at)).where(status_is(Status.WAITING), _BULK, events.c.due_at <= until)
        return bulk.where(events.c.destination == bindparam("destination_name")).scalar_subquery()
    heads = select(sql.min(lines.c.due_at)).where(lines.c.lane == int(lane), lines.c.due_at <= until)
    return heads.where(lines.c.destination == bindparam("destination_name")).scalar_subquery()


_BULK = text("events.lane = 3")
_OLDEST: Any = select(*(_oldest(lane) for lane in Lane))


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
    names = connection.execute(select(destinations.c.name)).scalars().all()
    oldest = {name: connection.execute(_OLDEST, {"destination_name": name, "until": now}).one() for name in names}
    return {
        (name, lane): (now - due_at).total_seconds()
        for name, of in oldest.items()
        for lane, due_at in zip(Lane, of, strict=True)
        if due_at is not None
    }


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
