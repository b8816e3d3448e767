"""What is not kept for ever, and how it goes: a step at a time, each whole, so that a purge may die anywhere.

What was told stays recognisable. An event that goes leaves in its group what it told Lumail, and the keys of a group
without events stay as hashes.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    RowMapping,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from gateway.config import Retention
from gateway.ledger.database import Ledger
from gateway.ledger.facts import dismissals, hashing, pinned_accounts
from gateway.ledger.schema import (
    attempts,
    edits,
    events,
    from_microseconds,
    groups,
    job_items,
    keys,
    marks,
    memory,
    repeats,
    single_uses,
    to_microseconds,
    unknown_subscribers,
    webhooks,
)
from gateway.ledger.status import ON_THEIR_WAY, SETTLED, Closed, Status, is_final

STEP = 500
"""Rows that one step removes or changes at the most, so that nobody waits long for the writer lock."""

_WEBHOOKS, _EVENTS, _KEYS, _RETELLINGS = 60, 80, 160, 100
"""How a step's rows are shared where events go: each may take its group with it, and each group its keys."""


@dataclass(frozen=True)
class Progress:
    """One step that was done: of what, at which destination, and how many rows."""

    what: str
    destination: str
    rows: int


def purge(ledger: Ledger, retention: Retention, now: datetime, *, stopping: Callable[[], bool]) -> Iterator[Progress]:
    """Remove what is too old by `now`; each step is told once it is committed. Ends early when `stopping` says so."""
    salt = hashing.ensure_salt(ledger)
    for destination in _destinations(ledger):
        for what, step in _steps(destination, retention, now, salt):
            count: int | None = 1
            while count is not None and not stopping():
                count = step(ledger)
                if count:
                    yield Progress(what, destination, count)
    with ledger.write() as connection:
        gone = dismissals.forget_gone(connection, STEP)
    if gone:
        yield Progress("set asides", "", gone)


Step = Callable[[Ledger], int | None]
"""Does one step in a transaction of its own; the rows that it changed, None where nothing is left to do."""


def _steps(destination: str, retention: Retention, now: datetime, salt: bytes) -> Sequence[tuple[str, Step]]:
    return (
        ("bodies", _Bodies(destination, now - retention.bodies)),
        ("signatures", _Signatures(destination, now - retention.bodies)),
        ("attempts", _Attempts(destination, now - retention.attempts)),
        ("events", _Events(destination, now - retention.events, salt)),
        ("memory", _Memory(destination, now - retention.memory)),
        ("strangers", _UnknownSubscribers(destination, now - retention.events)),
    )


def _destinations(ledger: Ledger) -> list[str]:
    """All of which the ledger ever heard, also those that are not configured any more."""
    with ledger.read() as connection:
        return list(
            connection.execute(select(webhooks.c.destination).distinct().order_by(webhooks.c.destination)).scalars()
        )


@dataclass(frozen=True)
class _Bodies:
    """Bodies and headers of webhooks; a mark says up to when they are gone, so that nobody looks there again."""

    destination: str
    limit: datetime

    def __call__(self, ledger: Ledger) -> int | None:
        name = f"bodies {hashlib.sha256(self.destination.encode()).hexdigest()[:16]}"
        with ledger.write([self.destination]) as connection:
            mark = connection.execute(select(marks.c.value).where(marks.c.name == name)).scalar_one_or_none()
            done = from_microseconds(int(mark or 0))
            if done >= self.limit:
                return None
            query = (
                select(webhooks.c.id, webhooks.c.received_at)
                .where(
                    webhooks.c.destination == self.destination,
                    webhooks.c.received_at >= done,
                    webhooks.c.received_at < self.limit,
                    webhooks.c.body.is_not(None),
                )
                .order_by(webhooks.c.received_at, webhooks.c.id)
                .limit(STEP)
            )
            found = connection.execute(query).all()
            if found:
                gone = update(webhooks).where(webhooks.c.id.in_([row.id for row in found]))
                connection.execute(gone.values(body=None, headers={}))
            reached = found[-1].received_at if len(found) == STEP else self.limit
            connection.execute(delete(marks).where(marks.c.name == name))
            connection.execute(insert(marks).values(name=name, value=str(to_microseconds(reached))))
            return len(found) or None


@dataclass(frozen=True)
class _Attempts:
    """Requests to Lumail, unless what they are about is in doubt still."""

    destination: str
    limit: datetime

    def __call__(self, ledger: Ledger) -> int | None:
        doubtful = exists().where(events.c.id == attempts.c.event, events.c.status.in_(ON_THEIR_WAY))
        query = (
            select(attempts.c.id)
            .where(
                attempts.c.destination == self.destination,
                attempts.c.place_until < self.limit,
                attempts.c.outcome.is_not(None),
                ~doubtful,
            )
            .order_by(attempts.c.place_until)
            .limit(STEP)
        )
        with ledger.read() as connection:
            if connection.execute(query.limit(1)).first() is None:
                return None
        with ledger.write([self.destination]) as connection:
            found = list(connection.execute(query).scalars())
            connection.execute(delete(attempts).where(attempts.c.id.in_(found)))
            return len(found) or None


@dataclass(frozen=True)
class _Memory:
    """What was taught and never said again."""

    destination: str
    limit: datetime

    def __call__(self, ledger: Ledger) -> int | None:
        old = and_(memory.c.destination == self.destination, memory.c.at < self.limit, ~pinned_accounts.is_pin())
        query = select(memory.c.key).where(old).order_by(memory.c.at).limit(STEP)
        with ledger.read() as connection:
            if connection.execute(query.limit(1)).first() is None:
                return None
        with ledger.write([self.destination]) as connection:
            found = list(connection.execute(query).scalars())
            connection.execute(delete(memory).where(memory.c.destination == self.destination, memory.c.key.in_(found)))
            return len(found) or None


@dataclass(frozen=True)
class _Signatures:
    """Which event a signature was used for; one that is so old is refused for its age."""

    destination: str
    limit: datetime

    def __call__(self, ledger: Ledger) -> int | None:
        old = and_(single_uses.c.destination == self.destination, single_uses.c.at < self.limit)
        with ledger.read() as connection:
            if connection.execute(select(single_uses.c.token).where(old).limit(1)).first() is None:
                return None
        with ledger.write([self.destination]) as connection:
            found = select(single_uses.c.token).where(old).limit(STEP)
            return connection.execute(delete(single_uses).where(old, single_uses.c.token.in_(found))).rowcount


@dataclass(frozen=True)
class _UnknownSubscribers:
    """What Lumail once said of subscribers, unless something is held for it: it is asked again."""

    destination: str
    limit: datetime

    def __call__(self, ledger: Ledger) -> int | None:
        waited_for = exists().where(
            events.c.destination == unknown_subscribers.c.destination,
            events.c.subscriber == unknown_subscribers.c.subscriber,
            events.c.status == Status.HELD,
        )
        query = (
            select(unknown_subscribers.c.subscriber)
            .where(
                unknown_subscribers.c.destination == self.destination,
                unknown_subscribers.c.since < self.limit,
                ~waited_for,
            )
            .limit(STEP)
        )
        with ledger.read() as connection:
            if connection.execute(query.limit(1)).first() is None:
                return None
        with ledger.write([self.destination]) as connection:
            found = list(connection.execute(query).scalars())
            mine = and_(
                unknown_subscribers.c.destination == self.destination, unknown_subscribers.c.subscriber.in_(found)
            )
            connection.execute(delete(unknown_subscribers).where(mine))
            return len(found) or None


_OTHER = events.alias("other")


class _Events:
    """Events that are settled and old, with their webhooks.

    A webhook goes when all of its events may go, and an event may go when all events of its fact are settled, old, and
    nothing of the fact is left for a person to decide.
    """

    def __init__(self, destination: str, limit: datetime, salt: bytes) -> None:
        self._destination = destination
        self._limit = limit
        self._salt = salt
        self._after: tuple[datetime, str] | None = None
        """The webhook up to which this purge has looked: what stays is not looked at again."""

    def __call__(self, ledger: Ledger) -> int | None:
        with ledger.read() as connection:
            seen = self._next(connection)
        if not seen:
            return None
        removed = 0
        with ledger.write([self._destination]) as connection:
            free = self._free(connection, [row["id"] for row in seen])
            going, is_all = self._going(connection, free)
            removed = self._remove(connection, going)
            if is_all:
                connection.execute(delete(webhooks).where(webhooks.c.id.in_(free)))
                removed += len(free)
        if is_all:
            self._after = (seen[-1]["received_at"], seen[-1]["id"])
        return removed

    def _next(self, connection: Connection) -> Sequence[RowMapping]:
        at, identity = webhooks.c.received_at, webhooks.c.id
        query = select(identity, at).where(webhooks.c.destination == self._destination, at < self._limit)
        if self._after is not None:
            since, last = self._after
            query = query.where(or_(at > since, and_(at == since, identity > last)))
        return connection.execute(query.order_by(at, identity).limit(_WEBHOOKS)).mappings().all()

    def _free(self, connection: Connection, seen: Sequence[str]) -> list[str]:
        """Those of the webhooks of which nothing has to stay."""
        young = exists().where(_OTHER.c.group == events.c.group, self._is_young(_OTHER))
        undecided = exists().where(groups.c.id == events.c.group, groups.c.incident.is_not(None))
        stays = or_(self._is_young(events), young, undecided)
        query = select(events.c.webhook).where(events.c.webhook.in_(seen), stays).distinct()
        kept = set(connection.execute(query).scalars())
        return [identity for identity in seen if identity not in kept]

    def _is_young(self, told: FromClause) -> ColumnElement[bool]:
        settled_at = func.coalesce(told.c.settled_at, told.c.created_at)
        return or_(told.c.status.not_in(SETTLED), settled_at >= self._limit)

    def _going(self, connection: Connection, free: Sequence[str]) -> tuple[Sequence[RowMapping], bool]:
        """The events of this step, and whether they are all that the webhooks have."""
        names = ("id", "group", "status", "reason", "former_reason", "balance", "amount", "currency")
        query = (
            select(*(events.c[name] for name in names))
            .where(events.c.webhook.in_(free))
            .order_by(events.c.webhook, events.c.id)
            .limit(_EVENTS + 1)
        )
        found = connection.execute(query).mappings().all()
        repeated = self._forget_repeats(connection, free)
        going = found[:_EVENTS]
        met_here = {row["group"] for row in going}
        counting = select(keys.c.group, func.count().label("number")).where(keys.c.group.in_(met_here))
        counts = {row.group: row.number for row in connection.execute(counting.group_by(keys.c.group))}
        taken: list[RowMapping] = []
        room, met = _KEYS, set()
        for row in going:
            room -= 0 if row["group"] in met else counts.get(row["group"], 0)
            met.add(row["group"])
            if room < 0 and taken:
                break
            taken.append(row)
        return taken, len(taken) == len(found) and repeated < _RETELLINGS

    def _forget_repeats(self, connection: Connection, free: Sequence[str]) -> int:
        query = select(repeats.c.webhook, repeats.c.group).where(repeats.c.webhook.in_(free))
        found = connection.execute(query.limit(_RETELLINGS)).all()
        for row in found:
            mine = and_(repeats.c.webhook == row.webhook, repeats.c.group == row.group)
            connection.execute(delete(repeats).where(mine))
        return len(found)

    def _remove(self, connection: Connection, going: Sequence[RowMapping]) -> int:
        if not going:
            return 0
        gone = [row["id"] for row in going]
        connection.execute(delete(events).where(events.c.id.in_(gone)))
        connection.execute(delete(edits).where(edits.c.event.in_(gone)))
        connection.execute(delete(job_items).where(job_items.c.subject.in_(gone)))
        changed = keep(connection, self._destination, going)
        met = {row["group"] for row in going}
        left = set(connection.execute(select(events.c.group).where(events.c.group.in_(met)).distinct()).scalars())
        return len(going) + changed + hashing.hash_keys(connection, self._salt, self._destination, met - left)


def keep(connection: Connection, destination: str, going: Iterable[RowMapping]) -> int:
    """Note in their groups what events that go had told Lumail, or why their facts are never told again."""
    told: dict[str, list[RowMapping]] = {}
    for row in going:
        if row["status"] == Status.DELIVERED or is_final(row["status"], row["reason"], row["former_reason"]):
            told.setdefault(row["group"], []).append(row)
    query = select(groups.c.id, groups.c.emitted, groups.c.closed).where(groups.c.id.in_(list(told)))
    known: Mapping[str, RowMapping] = {row["id"]: row for row in connection.execute(query).mappings()}
    for group, rows in told.items():
        before = known.get(group)
        emitted = {} if before is None else dict(before["emitted"] or {})
        values = {
            "emitted": _with_kept(emitted, [row for row in rows if row["amount"] is not None]) or None,
            "closed": Closed.PURGED if before is None or before["closed"] is None else before["closed"],
        }
        if before is None:
            connection.execute(insert(groups).values(id=group, destination=destination, **values))
        else:
            connection.execute(update(groups).where(groups.c.id == group).values(**values))
    return len(told)


def _with_kept(emitted: Mapping[str, Any], counted: Sequence[RowMapping]) -> dict[str, Any]:
    if not counted:
        return dict(emitted)
    kept: dict[str, dict[str, str]] = {balance: dict(amounts) for balance, amounts in emitted.get("kept", {}).items()}
    for row in counted:
        balance = kept.setdefault(row["balance"], {})
        balance[row["currency"]] = str(Decimal(balance.get(row["currency"], "0")) + Decimal(row["amount"]))
    return {**emitted, "kept": kept}
