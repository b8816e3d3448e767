"""Brings a database to the schema that this version needs; safe when several processes start at once."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from gateway.errors import LedgerError
from gateway.ledger.database import Ledger
from gateway.ledger.schema import metadata

_EVERYBODY = "migration"


def migrate(ledger: Ledger) -> None:
    """Apply what is missing. Raises LedgerError where the database belongs to a newer version."""
    with ledger.write([_EVERYBODY]) as connection:
        script = ScriptDirectory.from_config(_config())
        current = MigrationContext.configure(connection).get_current_revision()
        if current == script.get_current_head():
            return
        known = {revision.revision for revision in script.walk_revisions()}
        if current is not None and current not in known:
            raise LedgerError(
                f"the database is at schema {current}, which this version does not know: "
                "run the newer version of the gateway that made it, or restore a backup"
            )
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@cache
def head() -> str:
    """The schema that this version works with."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    if found is None:
        raise LedgerError("this version has no migrations: it is not installed whole")
    return found


def require_current(ledger: Ledger) -> None:
    """Raise LedgerError where the database has not the schema that this version works with."""
    wanted = head()
    with ledger.read() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current != wanted:
        found = f"at schema {current}" if current else "empty"
        raise LedgerError(
            f"the database is {found}, this version works with schema {wanted}: "
            "`lumail-gateway up` (or `worker`) brings it there"
        )


def differences(ledger: Ledger) -> list[object]:
    """How the database differs from the tables in `schema`; empty when the migrations are complete."""
    with ledger.read() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
