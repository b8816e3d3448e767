"""What a migration would do to this ledger before it does it: whom it would leave behind, and what takes long."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from alembic import command
from sqlalchemy import func as sql
from sqlalchemy import select, table

from gateway.ledger import migration
from gateway.ledger.database import Ledger
from gateway.ledger.heartbeats import Identity
from gateway.ledger.migration import Step

_ADDS = re.compile(r"ALTER TABLE (?P<table>\S+) ADD COLUMN (?P<column>\S+) (?P<rest>.*)", re.DOTALL)
_INDEX = re.compile(r"CREATE (UNIQUE )?INDEX \S+ ON (?P<table>\S+)")
_OF_NOBODY = re.compile(
    r"CREATE TABLE |COMMENT ON |UPDATE alembic_version |INSERT INTO alembic_version |BEGIN|COMMIT|--"
)
_NAMED = re.compile(r"(?:UPDATE|DELETE FROM|INSERT INTO|ALTER TABLE|DROP TABLE|ON) (\S+)")


@dataclass(frozen=True)
class Lasting:
    """A statement whose time grows with the ledger. `table` None: nobody can tell which it goes through."""

    statement: str
    table: str | None
    rows: int


@dataclass(frozen=True)
class Plan:
    was: str | None
    steps: Sequence[Step]
    lasting: Sequence[Lasting]
    left_behind: Sequence[Identity]


def plan(ledger: Ledger) -> Plan:
    """Raises OutdatedError where the ledger belongs to newer versions."""
    steps = migration.pending(ledger)
    with ledger.read() as connection:
        was = migration.schema_of(connection)
        behind = migration.left_behind(ledger, connection, was, steps)
    if was is None or not steps:
        return Plan(was, steps, (), ())
    return Plan(was, steps, [_counted(ledger, one) for one in lasting(_statements(ledger, was))], behind)


def lasting(statements: Sequence[str]) -> list[str]:
    """Those that do more than to add what no row has yet."""
    made = {one.split()[2] for one in statements if one.startswith("CREATE TABLE ")}
    return [one for one in statements if not _is_at_once(one, made)]


def _is_at_once(statement: str, made: set[str]) -> bool:
    index = _INDEX.match(statement)
    if index is not None:
        return index["table"] in made
    adds = _ADDS.match(statement)
    if adds is not None:  # a default that is the same for all is not written into the rows
        return adds["table"] in made or not re.search(r"NOT NULL(?!.*DEFAULT)|\(", _without_size(adds["rest"]))
    return _OF_NOBODY.match(statement) is not None


def _without_size(column: str) -> str:
    """`VARCHAR(40)` is no call of a function."""
    return re.sub(r"^\w+\(\d+(, ?\d+)?\)", "", column)


def _statements(ledger: Ledger, was: str) -> list[str]:
    written = io.StringIO()
    config = migration.configuration(written)
    config.attributes["dialect"] = ledger.engine.dialect.name
    command.upgrade(config, f"{was}:head", sql=True)
    lines = [line for line in written.getvalue().splitlines() if not line.startswith("--")]
    return [" ".join(one.split()) for one in "\n".join(lines).split(";\n") if one.strip()]


def _counted(ledger: Ledger, statement: str) -> Lasting:
    named = _NAMED.search(statement)
    if named is None:
        return Lasting(statement, None, 0)
    with ledger.read() as connection:
        rows = connection.execute(select(sql.count()).select_from(table(named[1].strip('"')))).scalar_one()
    return Lasting(statement, named[1], rows)
