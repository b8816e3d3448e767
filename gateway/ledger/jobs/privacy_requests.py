"""What the law obliges to: demands to erase a person, or for a copy of what is held on one, kept until they are met.

A demand is a row of `jobs`, so that it outlives whoever is at it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, func, insert, select, update

from gateway.ledger.identity import new_id
from gateway.ledger.schema import GENERATION, jobs
from gateway.privacy import Duty, PrivacyRequest, Subject

OPEN, DONE = "open", "done"


@dataclass(frozen=True)
class Origin:
    """Who demands: a person at a terminal, or a source and its webhook."""

    who: str
    source: str | None = None
    webhook: str | None = None


def record(connection: Connection, demand: PrivacyRequest, origin: Origin, at: datetime) -> str:
    """Keep a demand until somebody has met it; returns its id."""
    identity = new_id("jb")
    subject = demand.subject
    request: Mapping[str, Any] = {
        "people": list(subject.addresses),
        "memories": list(subject.memories),
        "keys": list(subject.keys),
        "account": subject.account,
        "destination": subject.destination,
        "reference": demand.reference,
        "source": origin.source,
        "webhook": origin.webhook,
    }
    connection.execute(
        insert(jobs).values(
            id=identity,
            kind=demand.duty.value,
            request=request,
            status=OPEN,
            made_by=origin.who[:100],
            made_at=at,
            generation=GENERATION,
        )
    )
    return identity


@dataclass(frozen=True)
class OpenRequest:
    """A demand for a copy that nobody has met yet."""

    id: str
    subject: Subject
    reference: str | None
    source: str | None
    made_at: datetime


def open_requests(connection: Connection) -> list[OpenRequest]:
    """Demands for copies, the oldest first."""
    query = select(jobs.c.id, jobs.c.request, jobs.c.made_at).where(jobs.c.kind == Duty.COPY, jobs.c.status == OPEN)
    return [_request(row) for row in connection.execute(query.order_by(jobs.c.made_at, jobs.c.id)).mappings()]


def count_late_erasures(connection: Connection, until: datetime) -> int:
    """How many erasures were demanded before this and have not ended."""
    late = and_(jobs.c.kind == Duty.ERASE, jobs.c.status == OPEN, jobs.c.made_at < until)
    return int(connection.execute(select(func.count()).select_from(jobs).where(late)).scalar_one())


def meet(connection: Connection, requests: Iterable[str], at: datetime) -> None:
    """The copies were made."""
    mine = and_(jobs.c.id.in_(list(requests)), jobs.c.kind == Duty.COPY)
    connection.execute(update(jobs).where(mine).values(status=DONE, ended_at=at))


def _request(row: RowMapping) -> OpenRequest:
    told = row["request"]
    subject = Subject(
        addresses=tuple(told["people"]),
        memories=tuple(told["memories"]),
        keys=tuple(told["keys"]),
        account=told["account"],
        destination=told["destination"],
    )
    return OpenRequest(row["id"], subject, told["reference"], told["source"], row["made_at"])
