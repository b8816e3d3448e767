"""Who decided what: a row for each thing that a person changed in the ledger, and how they are looked up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, insert, or_, select

from gateway.ledger.identity import new_id
from gateway.ledger.schema import audit


@dataclass(frozen=True)
class Deed:
    """What somebody did: ``replay event`` on an event's id, ``pause`` on a destination's name."""

    who: str
    action: str
    subject: str


def record(
    connection: Connection, at: datetime, deed: Deed, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> None:
    """Write it down in the transaction that does it; `before` and `after` are what it changed."""
    connection.execute(
        insert(audit).values(
            id=new_id("au"),
            at=at,
            who=deed.who[:200],
            action=deed.action,
            subject=deed.subject[:200],
            before=None if before is None else dict(before),
            after=None if after is None else dict(after),
        )
    )


@dataclass(frozen=True)
class AuditFilter:
    """What a list of deeds is narrowed to; None asks for nothing. `until` is the latest time."""

    who: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Done:
    """A deed that was written down."""

    id: str
    at: datetime
    who: str
    action: str
    subject: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


def deeds(
    connection: Connection, filters: AuditFilter, limit: int, after: str | None = None
) -> tuple[Sequence[Done], bool]:
    """Up to `limit` deeds that follow the one of the id `after`, the newest first; whether there are more."""
    equal = {"who": filters.who, "action": filters.action, "subject": filters.subject}
    query = select(audit).where(*(audit.c[name] == value for name, value in equal.items() if value is not None))
    if filters.since is not None:
        query = query.where(audit.c.at >= filters.since)
    if filters.until is not None:
        query = query.where(audit.c.at <= filters.until)
    if after is not None:
        start = select(audit.c.at).where(audit.c.id == after).scalar_subquery()
        query = query.where(or_(audit.c.at < start, and_(audit.c.at == start, audit.c.id < after)))
    query = query.order_by(audit.c.at.desc(), audit.c.id.desc()).limit(limit + 1)
    found = [Done(**row) for row in connection.execute(query).mappings()]
    return found[:limit], len(found) > limit
