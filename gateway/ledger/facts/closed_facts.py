"""Facts that are never told again though no event says so any more: their events were purged, or a person erased."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import BindParameter, Connection, Table, bindparam, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway.ledger.facts import hashing
from gateway.ledger.schema import groups
from gateway.ledger.status import Closed

_CHUNK = 500
_ASKED: BindParameter[Any] = bindparam("asked", expanding=True)
_CLOSED = select(groups.c.id, groups.c.closed).where(groups.c.id.in_(_ASKED), groups.c.closed.is_not(None))


def _upsert(insert_into: Any, table: Table) -> Any:
    upsert = insert_into(table)
    return upsert.on_conflict_do_update(index_elements=["id"], set_={"closed": upsert.excluded["closed"]})


_CLOSE = {"sqlite": _upsert(sqlite_insert, groups), "postgresql": _upsert(postgresql_insert, groups)}


class Closures:
    """What is closed among the facts of one batch of webhooks, and stays so when facts turn out to be one."""

    def __init__(self, connection: Connection, destination: str) -> None:
        self._connection = connection
        self._destination = destination
        self._is_any = hashing.salt(connection) is not None
        self._why: dict[str, str] = {}
        self._changed: set[str] = set()

    def read(self, wanted: Iterable[str]) -> None:
        """Read why these groups are closed, before anything of them is told."""
        ordered = sorted(set(wanted)) if self._is_any else []
        for start in range(0, len(ordered), _CHUNK):
            found = self._connection.execute(_CLOSED, {"asked": ordered[start : start + _CHUNK]})
            self._why.update({row.id: row.closed for row in found})

    def is_closed(self, group: str) -> bool:
        return group in self._why

    def is_erased(self, group: str) -> bool:
        return self._why.get(group) == Closed.ERASED

    def unite(self, group: str, other: str) -> None:
        """The facts `other` and `group` are one."""
        met = {self._why.pop(one) for one in (group, other) if one in self._why}
        if met:
            self._why[group] = Closed.ERASED if Closed.ERASED in met else Closed.PURGED
            self._changed.add(group)

    def stored(self, key: str, group: str) -> str:
        """A new key of a group as it is written: of one that is closed nothing is kept in clear."""
        its_salt = hashing.salt(self._connection) if self.is_closed(group) else None
        return key if its_salt is None else hashing.hashed(its_salt, key)

    def write(self) -> None:
        """Write down what facts that became one are now."""
        close(self._connection, self._destination, {one: why for one, why in self._why.items() if one in self._changed})


def close(connection: Connection, destination: str, why: dict[str, str]) -> None:
    """Close these groups, each for its reason."""
    rows = [{"id": group, "destination": destination, "closed": word} for group, word in sorted(why.items())]
    if rows:
        connection.execute(_CLOSE[connection.dialect.name], rows)
