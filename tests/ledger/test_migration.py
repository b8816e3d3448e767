from multiprocessing import get_context

import pytest
from sqlalchemy import text

from gateway.errors import LedgerError
from gateway.ledger.database import Ledger
from gateway.ledger.migration import differences, migrate
from gateway.ledger.schema import destinations
from tests.making import rows


def migrate_in_a_process(url: str) -> None:
    ledger = Ledger(url)
    migrate(ledger)
    ledger.close()


def test_migrations_make_exactly_the_tables_of_the_schema(ledger: Ledger) -> None:
    assert differences(ledger) == []


def test_migrating_again_changes_nothing(ledger: Ledger) -> None:
    migrate(ledger)
    assert rows(ledger, destinations, "name") == [("main",), ("other",)]


def test_several_processes_may_migrate_at_once(database_url: str) -> None:
    context = get_context("spawn")
    processes = [context.Process(target=migrate_in_a_process, args=(database_url,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]


def test_a_database_of_a_newer_version_is_refused(ledger: Ledger) -> None:
    with ledger.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LedgerError, match="run the newer version"):
        migrate(ledger)
