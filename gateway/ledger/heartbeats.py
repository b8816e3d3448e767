"""Which processes of the gateway live, on all machines that share the ledger, and what each of them finds amiss.

A process says every ten seconds that it is there. One that ends in order says that too; one that was killed is missed
after half a minute. What has ended is kept for a day, so that it can be told since when nobody is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy import func as sql

from gateway.ledger.schema import heartbeats

EVERY = timedelta(seconds=10)
"""How often a process says that it lives."""

MISSED_AFTER = timedelta(seconds=35)
"""How long after the last it is taken for dead; a write may have to wait for seconds."""

KEPT = timedelta(days=1)

WEB, WORKER = "web", "worker"


@dataclass(frozen=True)
class Identity:
    """Who says so. `schema_version` is that of the ledger which this version makes."""

    id: str
    role: str
    host: str
    pid: int
    version: str
    schema_version: str


@dataclass(frozen=True)
class Condition:
    """What a process finds. `redis` is a code of RedisTrouble, None where nothing is wrong."""

    clock_offset: timedelta
    disk_free: int | None
    redis: str | None


@dataclass(frozen=True)
class Process:
    """A process that lives. `redis_since` is since when `redis` is what it is."""

    identity: Identity
    since: datetime
    seen: datetime
    condition: Condition
    redis_since: datetime | None


def beat(connection: Connection, who: Identity, found: Condition, now: datetime) -> None:
    """Say that it lives; what ended long ago is removed."""
    former = connection.execute(
        select(heartbeats.c.redis, heartbeats.c.redis_since).where(heartbeats.c.id == who.id)
    ).first()
    as_before = former is not None and former.redis == found.redis
    values = {
        "seen": now,
        "ended_at": None,
        "clock_offset_ms": round(found.clock_offset / timedelta(milliseconds=1)),
        "disk_free": found.disk_free,
        "redis": found.redis,
        "redis_since": None if found.redis is None else former.redis_since if former and as_before else now,
    }
    if former is not None:
        connection.execute(update(heartbeats).where(heartbeats.c.id == who.id).values(values))
        return
    connection.execute(delete(heartbeats).where(heartbeats.c.seen < now - KEPT))
    named = {"id": who.id, "role": who.role, "host": who.host[:200], "pid": who.pid}
    versions = {"version": who.version[:40], "schema_version": who.schema_version[:40]}
    connection.execute(insert(heartbeats).values(**named, **versions, since=now, **values))


def end(connection: Connection, identity: str, now: datetime) -> None:
    """Say that it has ended in order."""
    connection.execute(update(heartbeats).where(heartbeats.c.id == identity).values(ended_at=now))


def alive(connection: Connection, now: datetime) -> Sequence[Process]:
    """The processes that live, by role, machine and pid."""
    query = (
        select(heartbeats)
        .where(heartbeats.c.ended_at.is_(None), heartbeats.c.seen > now - MISSED_AFTER)
        .order_by(heartbeats.c.role, heartbeats.c.host, heartbeats.c.pid, heartbeats.c.id)
    )
    return [
        Process(
            Identity(row.id, row.role, row.host, row.pid, row.version, row.schema_version),
            row.since,
            row.seen,
            Condition(timedelta(milliseconds=row.clock_offset_ms), row.disk_free, row.redis),
            row.redis_since,
        )
        for row in connection.execute(query)
    ]


def last_seen(connection: Connection, role: str) -> datetime | None:
    """When one of this role was last there; None where none was within a day."""
    ended = sql.coalesce(heartbeats.c.ended_at, heartbeats.c.seen, type_=heartbeats.c.seen.type)
    query = select(sql.max(ended, type_=heartbeats.c.seen.type)).where(heartbeats.c.role == role)
    found: datetime | None = connection.execute(query).scalar_one()
    return found
