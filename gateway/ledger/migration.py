"""Brings a database to the schema that this version needs; safe when several processes start at once.

Versions work on one ledger beside each other: a migration only adds, in a time that does not grow with the ledger, and
says in `works_beside` which is the oldest schema whose programs go on writing then. What is added is filled by upkeep,
and what nobody needs any more is removed by a later release, which raises `works_beside`.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import structlog
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, delete, insert, select

from gateway.errors import LedgerError, LedgerUnavailableError
from gateway.ledger import faults, heartbeats
from gateway.ledger.database import Ledger
from gateway.ledger.heartbeats import Identity
from gateway.ledger.schema import OLDEST_SCHEMA, SCHEMA, marks, metadata

TRIES = 10
"""How often a lock is tried for that somebody reads under; each try holds up others for two seconds at most."""

TRIES_AGAIN = 1.0

_log = structlog.get_logger()


@dataclass(frozen=True)
class Step:
    """A migration that is missing, `why` it is there, and the oldest schema that may write beside it."""

    schema: str
    why: str
    works_beside: str


def migrate(ledger: Ledger) -> Sequence[Step]:
    """Apply what is missing; what that was.

    Raises OutdatedError where the database belongs to newer versions, and LedgerError where processes that live could
    not go on writing.
    """
    for left in reversed(range(TRIES)):
        try:
            with ledger.alter() as connection:
                return _migrate(ledger, connection)
        except LedgerUnavailableError as error:
            if left == 0 or not faults.is_locked(error):
                raise
            time.sleep(TRIES_AGAIN)
    raise AssertionError("the last try returns or raises")


def _migrate(ledger: Ledger, connection: Connection) -> Sequence[Step]:
    current = schema_of(connection)
    if _is_newer(ledger, connection, current):
        return ()
    steps = _missing(current)
    behind = left_behind(ledger, connection, current, steps)
    if behind:
        raise LedgerError(
            f"these could not go on writing to the ledger at schema {SCHEMA}: {', '.join(map(named, behind))}. "
            "End them, then try again"
        )
    if steps:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        oldest = max(one.works_beside for one in steps)
        connection.execute(delete(marks).where(marks.c.name == OLDEST_SCHEMA))
        connection.execute(insert(marks).values(name=OLDEST_SCHEMA, value=oldest))
        _log.info("ledger.migrated", was=current, schema=SCHEMA, oldest=oldest)
    return steps


def left_behind(
    ledger: Ledger, connection: Connection, current: str | None, steps: Sequence[Step]
) -> Sequence[Identity]:
    """The processes that live and are too old to write once these steps are done."""
    if current is None or not steps:
        return ()
    needed = max(one.works_beside for one in steps)
    living = [one.identity for one in heartbeats.alive(connection, ledger.now(connection))]
    return [one for one in living if one.schema_version < needed]


def named(process: Identity) -> str:
    return f"{process.role} of version {process.version} on {process.host}, pid {process.pid}"


def pending(ledger: Ledger) -> Sequence[Step]:
    """What `migrate` would apply. Raises OutdatedError as it does."""
    with ledger.read() as connection:
        current = schema_of(connection)
        return () if _is_newer(ledger, connection, current) else _missing(current)


def require_current(ledger: Ledger) -> None:
    """Raise LedgerError where the database has not the schema that this version works with."""
    with ledger.read() as connection:
        current = schema_of(connection)
        if current == SCHEMA or _is_newer(ledger, connection, current):
            return
    found = f"at schema {current}" if current else "empty"
    raise LedgerError(
        f"the database is {found}, this version works with schema {SCHEMA}: "
        "`lumail-gateway migrate` (or `up`, or `worker`) brings it there"
    )


def differences(ledger: Ledger) -> list[object]:
    """How the database differs from the tables in `schema`; empty when the migrations are complete."""
    with ledger.read() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))


def oldest_schema(connection: Connection) -> str:
    """The oldest whose programs may write here."""
    found = connection.execute(select(marks.c.value).where(marks.c.name == OLDEST_SCHEMA)).scalar_one_or_none()
    return found or ""


def schema_of(connection: Connection) -> str | None:
    """None where there are no tables yet."""
    return MigrationContext.configure(connection).get_current_revision()


def _is_newer(ledger: Ledger, connection: Connection, current: str | None) -> bool:
    """Whether a newer version has changed it in a way that this one can work beside; raises OutdatedError if not."""
    if current is None or current <= SCHEMA:
        return False
    ledger.refuse_outdated(connection)
    return True


def _missing(current: str | None) -> Sequence[Step]:
    script = ScriptDirectory.from_config(configuration())
    return [_step(one) for one in reversed(list(script.iterate_revisions("head", current or "base")))]


def _step(script: Script) -> Step:
    return Step(script.revision, (script.doc or "").rstrip("."), script.module.works_beside)


def configuration(output: TextIO | None = None) -> Config:
    """Where the migrations are, and where it is told what they would do."""
    config = Config(output_buffer=output)
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
