"""Bulk work: what somebody asked for, how far it has come, and what became of each thing that it touched.

A job of this kind is worked on in small steps by whichever worker is called. A step moves the cursor in the
transaction that makes its changes, so it is done once, whoever else is at it and whoever dies.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, insert, or_, select, text, update

from gateway.ledger.identity import new_id
from gateway.ledger.paging import Place
from gateway.ledger.schema import GENERATION, job_items, jobs

EVENTS, WEBHOOKS = "replay events", "replay webhooks"
"""Kinds: many events sent again, many webhooks translated again."""

RUNNING, DONE, CANCELLED = "running", "done", "cancelled"


@dataclass(frozen=True)
class Job:
    """A row of `jobs` that is bulk work."""

    id: str
    kind: str
    destination: str
    request: Mapping[str, Any]
    cursor: str | None
    looked_through: bool
    done: int
    total: int
    counts: Mapping[str, int]
    slots_until: datetime | None
    next_at: datetime
    status: str
    error: str | None
    made_by: str
    made_at: datetime
    ended_at: datetime | None
    generation: int

    @property
    def is_of_newer(self) -> bool:
        """Whether a newer version made it: its workers go on with it, this version would not know how."""
        return self.generation > GENERATION


_COLUMNS = tuple(jobs.c[one.name] for one in fields(Job))
_IS_BULK = jobs.c.kind.in_((EVENTS, WEBHOOKS))
_IS_RUNNING = text("jobs.status = 'running'")
"""Written as the partial index has it, so that it is used."""


@dataclass(frozen=True)
class Order:
    """What somebody wants done in bulk; `total` is how many there are now."""

    kind: str
    destination: str
    request: Mapping[str, Any]
    total: int
    who: str


def begin(connection: Connection, order: Order, now: datetime) -> str:
    """Write an order down, for the workers to find; its id."""
    identity = new_id("jb")
    connection.execute(
        insert(jobs).values(
            id=identity,
            kind=order.kind,
            destination=order.destination,
            request=dict(order.request),
            total=order.total,
            counts={},
            next_at=now,
            status=RUNNING,
            made_by=order.who[:100],
            made_at=now,
            generation=GENERATION,
        )
    )
    return identity


def find(connection: Connection, identity: str) -> Job | None:
    row = connection.execute(select(*_COLUMNS).where(jobs.c.id == identity, _IS_BULK)).mappings().first()
    return None if row is None else _job(row)


def newest(connection: Connection, most: int, older: Place | None = None) -> tuple[Sequence[Job], Place | None]:
    """A page of bulk work, the newest first, and the place where the next page begins."""
    query = select(*_COLUMNS).where(_IS_BULK)
    if older is not None:
        behind = or_(jobs.c.made_at < older.at, and_(jobs.c.made_at == older.at, jobs.c.id < older.id))
        query = query.where(behind)
    query = query.order_by(jobs.c.made_at.desc(), jobs.c.id.desc()).limit(most + 1)
    found = [_job(row) for row in connection.execute(query).mappings()]
    shown = found[:most]
    return shown, Place(shown[-1].made_at, shown[-1].id) if len(found) > most else None


def to_do(connection: Connection, now: datetime) -> list[str]:
    """Jobs of which a step is of use now: of each destination the oldest, so that they share no budget.

    Those of a newer version are left to its workers.
    """
    query = (
        select(jobs.c.id, jobs.c.destination, jobs.c.next_at, jobs.c.generation)
        .where(_IS_RUNNING, jobs.c.next_at.is_not(None))
        .order_by(jobs.c.made_at, jobs.c.id)
    )
    first: dict[str, Any] = {}
    for row in connection.execute(query):
        first.setdefault(row.destination, row)
    return [row.id for row in first.values() if row.next_at <= now and row.generation <= GENERATION]


def before(connection: Connection, job: Job) -> list[str]:
    """The running jobs of its destination that come first, the oldest first."""
    older = or_(jobs.c.made_at < job.made_at, and_(jobs.c.made_at == job.made_at, jobs.c.id < job.id))
    query = select(jobs.c.id).where(_IS_RUNNING, jobs.c.destination == job.destination, _IS_BULK, older)
    return list(connection.execute(query.order_by(jobs.c.made_at, jobs.c.id)).scalars())


def change(connection: Connection, identity: str, values: Mapping[str, Any]) -> None:
    """Set columns of a job that runs."""
    connection.execute(update(jobs).where(jobs.c.id == identity, jobs.c.status == RUNNING).values(**values))


# Items


@dataclass(frozen=True)
class Item:
    """An event or webhook that a job touched. `outcome` None: it was released and is not settled yet.

    `before` are the columns that were changed, as they were.
    """

    subject: str
    before: Mapping[str, Any]
    outcome: str | None = None
    explanation: str | None = None


def add_items(connection: Connection, job: str, items: Sequence[Item], now: datetime) -> None:
    if items:
        connection.execute(
            insert(job_items),
            [
                {
                    "job": job,
                    "subject": one.subject,
                    "at": now,
                    "before": dict(one.before),
                    "outcome": one.outcome,
                    "explanation": one.explanation,
                }
                for one in items
            ],
        )


def open_items(connection: Connection, job: str) -> list[Item]:
    """Those that were released and are not settled yet; there are never many."""
    query = select(job_items).where(job_items.c.job == job, text("job_items.outcome IS NULL"))
    return [_item(row) for row in connection.execute(query.order_by(job_items.c.subject)).mappings()]


def settle_items(connection: Connection, job: str, settled: Iterable[Item]) -> None:
    for one in settled:
        connection.execute(
            update(job_items)
            .where(job_items.c.job == job, job_items.c.subject == one.subject)
            .values(outcome=one.outcome, explanation=one.explanation)
        )


def items(connection: Connection, job: str, outcome: str | None, most: int) -> list[Item]:
    """Some of its items with this outcome, None: of those that are not settled."""
    condition = text("job_items.outcome IS NULL") if outcome is None else job_items.c.outcome == outcome
    query = select(job_items).where(job_items.c.job == job, condition).order_by(job_items.c.subject).limit(most)
    return [_item(row) for row in connection.execute(query).mappings()]


def of_subject(connection: Connection, subject: str) -> list[tuple[Job, Item]]:
    """The bulk work that touched an event or webhook, the newest first."""
    found = connection.execute(select(job_items).where(job_items.c.subject == subject)).mappings().all()
    pairs = [(find(connection, row["job"]), _item(row)) for row in found]
    return sorted(((job, item) for job, item in pairs if job is not None), key=lambda pair: pair[0].id, reverse=True)


def _job(row: RowMapping) -> Job:
    return Job(**{**dict(row), "counts": row["counts"] or {}, "total": row["total"] or 0})


def _item(row: RowMapping) -> Item:
    return Item(row["subject"], row["before"], row["outcome"], row["explanation"])
