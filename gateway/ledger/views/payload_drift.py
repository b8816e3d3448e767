"""What providers were seen to say: source event types and the shapes of their payloads, counted, each with a sample."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway.ledger.schema import shapes

KEPT_A_TYPE = 50
KEPT_AN_ADAPTER = 2000
LONGEST_TYPE = 80


@dataclass(frozen=True)
class Seen:
    """Payloads of one type and shape. `shape` is empty for a type that the adapter does not know; it has no `paths`.

    `webhook` is the newest that held one.
    """

    adapter: str
    type: str
    shape: str
    paths: tuple[str, ...]
    webhook: str
    count: int
    first_at: datetime
    last_at: datetime


def add(connection: Connection, seen: Sequence[Seen]) -> None:
    """Count these; of each type and each adapter only those seen last are kept."""
    if not seen:
        return
    insert = (sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert)(shapes)
    upsert = insert.on_conflict_do_update(
        index_elements=["adapter", "type", "shape"],
        set_={
            "count": shapes.c.count + insert.excluded["count"],
            "webhook": insert.excluded["webhook"],
            "last_at": insert.excluded["last_at"],
        },
    )
    ordered = sorted(seen, key=lambda one: (one.adapter, one.type, one.shape))  # two processes lock rows in one order
    connection.execute(upsert, [_row(one) for one in ordered])
    for adapter, event_type in sorted({(one.adapter, one.type) for one in seen}):
        _keep(connection, KEPT_A_TYPE, shapes.c.adapter == adapter, shapes.c.type == event_type)
    for adapter in sorted({one.adapter for one in seen}):
        _keep(connection, KEPT_AN_ADAPTER, shapes.c.adapter == adapter)


def everything(connection: Connection) -> list[Seen]:
    """All that is kept, of each type the shape seen first at first."""
    order = (shapes.c.adapter, shapes.c.type, shapes.c.first_at, shapes.c.shape)
    return [
        Seen(**{**row, "paths": tuple(row["paths"])})
        for row in connection.execute(select(shapes).order_by(*order)).mappings()
    ]


def _row(one: Seen) -> dict[str, object]:
    return {
        "adapter": one.adapter,
        "type": one.type,
        "shape": one.shape,
        "paths": list(one.paths),
        "webhook": one.webhook,
        "count": one.count,
        "first_at": one.first_at,
        "last_at": one.last_at,
    }


def _keep(connection: Connection, most: int, *of: ColumnElement[bool]) -> None:
    surplus = select(shapes.c.last_at).where(*of).order_by(shapes.c.last_at.desc()).offset(most).limit(1)
    oldest = connection.execute(surplus).scalar_one_or_none()
    if oldest is not None:
        connection.execute(delete(shapes).where(*of, shapes.c.last_at <= oldest))


LEARNT_WITHIN = timedelta(days=1)
"""From a type's first payload on; what is seen in that time is what is usual, since some keys are optional."""


@dataclass(frozen=True)
class Drift:
    """Something that was not seen before. `kind` is `type` (the adapter does not know it) or `shape`.

    `new` are paths that no earlier payload of the type had, `gone` those that all of them had and this one has not.
    """

    kind: str
    seen: Seen
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def drifts(seen: Iterable[Seen]) -> list[Drift]:
    """What drifted, the newest first. A shape that only combines what was seen before is no drift."""
    found: list[Drift] = []
    usual: dict[tuple[str, str], _Usual] = {}
    for one in sorted(seen, key=lambda each: (each.first_at, each.shape)):
        if not one.shape:
            found.append(Drift("type", one))
            continue
        paths = frozenset(one.paths)
        before = usual.get((one.adapter, one.type)) or _Usual(one.first_at, paths, paths)
        new, gone = before.unlike(paths)
        if (new or gone) and one.first_at > before.since + LEARNT_WITHIN:
            found.append(Drift("shape", one, new, gone))
        usual[one.adapter, one.type] = _Usual(before.since, before.ever | paths, before.always & paths)
    return sorted(found, key=lambda each: each.seen.first_at, reverse=True)


@dataclass(frozen=True)
class _Usual:
    """The paths that any, and that every payload of a type had so far."""

    since: datetime
    ever: frozenset[str]
    always: frozenset[str]

    def unlike(self, paths: frozenset[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What is new in a payload, and what it lacks; that something is null, or is told that was null, is neither."""
        bare = {path for path in self.ever if ":" not in path}
        new = (path for path in paths - self.ever if ":" in path and not _within(path, bare))
        gone = (path for path in self.always - paths if ":" in path)
        return tuple(sorted(new)), tuple(sorted(gone))


def _within(path: str, bare: Set[str]) -> bool:
    """Whether a path leads into something that was null or empty before, or is that itself."""
    name = path.partition(":")[0]
    ends = (place for place, character in enumerate(name) if character in ".[")
    return name in bare or any(name[:end] in bare for end in ends)
