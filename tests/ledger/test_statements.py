"""Statements that go past SQLAlchemy: the same rows on both databases, found through indexes, and no value left out."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, select

from gateway.ledger.database import Ledger
from gateway.ledger.migration import migrate
from gateway.ledger.money import refund_order
from gateway.ledger.outbox import transitions
from gateway.ledger.recording import loading, writing
from gateway.ledger.scheduling import lines
from gateway.ledger.schema import memory
from gateway.ledger.statements import Among, Given, Insert, Prepared, Update, savepoint
from tests.making import add_destinations, complained, record_facts, rows

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
REMEMBER = Insert(memory, ("destination", "key", "values", "at"), replaced=("values", "at"))
ASKED = Prepared(select(memory.c.key, memory.c["values"]).where(Among(memory.c.key)).order_by(memory.c.key))


def remember(ledger: Ledger, *told: tuple[str, Any]) -> None:
    with ledger.write(["main"]) as connection:
        REMEMBER.run(connection, [("main", key, values, NOON) for key, values in told])


def test_any_number_of_rows_goes_in_and_what_is_there_is_replaced(ledger: Ledger) -> None:
    remember(ledger, *((f"k:{number:03}", {"n": number}) for number in range(203)))
    remember(ledger, ("k:007", {"n": "seven"}))
    with ledger.read() as connection:
        found = ASKED.among(connection, ["k:007", "k:202", "k:900"])
    assert found == [("k:007", {"n": "seven"}), ("k:202", {"n": 202})]
    assert len(rows(ledger, memory, "key")) == 203


def test_rows_get_values_of_their_own_in_one_statement(ledger: Ledger) -> None:
    remember(ledger, ("a", {}), ("b", {}), ("c", {}))
    with ledger.write(["main"]) as connection:
        change = Update(memory, ("destination", "key"), ("values",))
        assert change.run(connection, [("main", "a", {"n": 1}), ("main", "b", {"n": 2}), ("main", "z", {})]) == 2
    assert rows(ledger, memory, "key", "values") == [("a", {"n": 1}), ("b", {"n": 2}), ("c", {})]


def test_a_value_that_is_missing_or_misspelt_is_refused(ledger: Ledger) -> None:
    one = Prepared(select(memory.c.at).where(memory.c.key == bindparam("its_key")))
    with ledger.read() as connection, pytest.raises(TypeError, match="its_kye"):
        one.rows(connection, its_kye="a")


def test_what_fails_within_a_savepoint_leaves_nothing(ledger: Ledger) -> None:
    with ledger.write(["main"]) as connection:
        with pytest.raises(ZeroDivisionError):
            remember_and_fail(connection)
        REMEMBER.run(connection, [("main", "b", {}, NOON)])
    assert rows(ledger, memory, "key") == [("b",)]


def remember_and_fail(connection: Connection) -> None:
    with savepoint(connection):
        REMEMBER.run(connection, [("main", "a", {}, NOON)])
        raise ZeroDivisionError


STATEMENTS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": statement
    for module in (lines, loading, writing, transitions, refund_order)
    for name, statement in vars(module).items()
    if isinstance(statement, Prepared | Given)
}


def test_no_statement_of_recording_reads_a_whole_table(sqlite_ledger: Ledger) -> None:
    record_facts(sqlite_ledger, *(complained(f"c:{number}") for number in range(50)))
    with sqlite_ledger.read() as connection:
        scans = {name: found for name, one in STATEMENTS.items() if (found := scanned(connection, one))}
    assert len(STATEMENTS) > 12
    assert scans == {}


def scanned(connection: Connection, statement: Prepared | Given) -> list[str]:
    """The tables of ours that the plan reads from one end to the other."""
    dialect = connection.dialect
    text = statement.text(dialect, 2) if isinstance(statement, Given) else statement.compiled(dialect).text
    plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", (None,) * text.count("?"))
    small = ("given", "json_each", "CONSTANT")
    return [row[3] for row in plan if row[3].startswith("SCAN") and not any(name in row[3] for name in small)]


@pytest.fixture
def sqlite_ledger(sqlite_url: str) -> Iterator[Ledger]:
    opened = Ledger(sqlite_url)
    migrate(opened)
    add_destinations(opened, "main")
    yield opened
    opened.close()
