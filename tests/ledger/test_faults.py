"""Whose fault it is: told from what the real drivers say, and what becomes of the webhooks."""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import StatementError

from gateway.errors import LedgerUnavailableError, PayloadError, UnavailableError
from gateway.ledger import faults
from gateway.ledger.database import Ledger
from gateway.ledger.facts.submission import Recorded, Submission
from gateway.ledger.migration import migrate
from gateway.ledger.recording.commit import Committer
from gateway.ledger.schema import events, webhooks
from tests.making import payment, rows, submission, told
from tests.services import Postgres

OWN = ["22001", "22003", "22021", "22P02", "23502", "23503", "23505", "23514", "54000"]
OF_THE_LEDGER = ["08006", "25006", "25P02", "40001", "42501", "42703", "42P01", "53100", "53300", "55P03", "57014"]
OF_THE_LEDGER += ["57P01", "58030", "P0001", "XX000", "F0000"]


@pytest.mark.parametrize(("state", "own"), [*((one, True) for one in OWN), *((one, False) for one in OF_THE_LEDGER)])
def test_what_postgresql_says_is_judged_by_its_class_with_and_without_sqlalchemy(
    state: str, own: bool, postgres: Postgres
) -> None:
    column = ", COLUMN = 'url', TABLE = 'webhooks'" if state == "23502" else ""
    statement = f"DO $$ BEGIN RAISE EXCEPTION USING MESSAGE = 'x', ERRCODE = '{state}'{column}; END $$"
    with postgres.connect() as connection, pytest.raises(psycopg.Error) as bare:
        connection.execute(statement)
    ledger = Ledger(postgres.url("postgres"))
    with pytest.raises(Exception) as wrapped, ledger.read() as through:  # noqa: PT011 - either kind is judged
        through.exec_driver_sql(statement)
    ledger.close()
    assert [faults.is_webhooks_own(one) for one in (bare.value, wrapped.value)] == [own, own]
    assert isinstance(wrapped.value, LedgerUnavailableError) != own


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "some.db", isolation_level=None)
    connection.execute("CREATE TABLE some (id INTEGER PRIMARY KEY, much TEXT, few TEXT UNIQUE CHECK (few != 'no'))")
    connection.execute("CREATE TABLE webhooks (url TEXT NOT NULL, of_a_later_version TEXT NOT NULL)")
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("statement", "own"),
    [
        ("INSERT INTO some (few) VALUES ('no')", True),
        ("INSERT INTO some (few) VALUES ('a'), ('a')", True),
        ("INSERT INTO some (id) VALUES ('text')", True),
        ("INSERT INTO some (much) VALUES (zeroblob(2000000000))", True),
        ("INSERT INTO webhooks (of_a_later_version) VALUES ('a')", True),
        ("INSERT INTO webhooks (url) VALUES ('a')", False),
        ("INSERT INTO some (novel) VALUES (1)", False),
        ("INSERT INTO nowhere VALUES (1)", False),
        ("PRAGMA query_only = 1; INSERT INTO some (few) VALUES ('a')", False),
        ("PRAGMA max_page_count = 1; INSERT INTO some (much) VALUES (zeroblob(100000))", False),
    ],
)
def test_what_sqlite_says_is_judged_by_its_code(statement: str, own: bool, sqlite: sqlite3.Connection) -> None:
    *before, last = statement.split(";")
    for one in before:
        sqlite.execute(one)
    with pytest.raises(sqlite3.Error) as caught:
        sqlite.execute(last)
    assert faults.is_webhooks_own(caught.value) == own


@pytest.mark.parametrize(
    ("error", "own"),
    [
        (KeyError("x"), True),
        (OverflowError("Python int too large to convert to SQLite INTEGER"), True),
        (StatementError("x", "INSERT", {}, TypeError("x")), True),
        (PayloadError("x"), True),
        (psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"), True),
        (OSError(75, "Value too large for defined data type"), True),
        (sqlite3.ProgrammingError("Cannot operate on a closed database."), False),
        (psycopg.OperationalError("the connection is closed"), False),
        (UnavailableError("x"), False),
        (MemoryError(), False),
        (OSError(24, "Too many open files"), False),
    ],
)
def test_what_python_says_is_the_webhooks_unless_the_machine_is_short_of_something(error: Exception, own: bool) -> None:
    assert faults.is_webhooks_own(error) == own


def submitted(ledger: Ledger, *submissions: Submission) -> list[Recorded | None]:
    """Together in one group; None for each that is to be sent again."""
    committer = Committer(ledger)

    def submit(one: Submission) -> Recorded | None:
        try:
            return committer.submit(one, 30)
        except LedgerUnavailableError:
            return None

    with ThreadPoolExecutor(len(submissions)) as pool:
        with ledger.write(["main"]):
            asked = [pool.submit(submit, one) for one in submissions]
        found = [one.result() for one in asked]
    committer.close()
    return found


def numbered(count: int) -> list[Submission]:
    return [submission(told(payment(f"p:{n}", subscriber=f"s{n}@example.com"))) for n in range(count)]


def altered(ledger: Ledger, *statements: str) -> None:
    with ledger.write() as connection:
        for one in statements:
            connection.execute(text(one))


def raising(state: str, when: str) -> list[str]:
    function = (
        f"CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {when} THEN "
        f"RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END IF; RETURN NEW; END $$"
    )
    return [function, "CREATE TRIGGER stumbles BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION stumble()"]


@pytest.fixture
def postgresql(postgresql_url: str) -> Iterator[Ledger]:
    ledger = Ledger(postgresql_url)
    migrate(ledger)
    yield ledger
    ledger.close()


@pytest.mark.parametrize(("state", "expected"), [("P0001", None), ("53100", None), ("23514", "quarantined")])
def test_of_a_group_only_the_one_at_fault_is_refused_or_quarantined(
    state: str, expected: str | None, postgresql: Ledger
) -> None:
    altered(postgresql, *raising(state, "NEW.subscriber = 's2@example.com'"))
    found = submitted(postgresql, *numbered(5))
    assert [None if one is None else one.word for one in found] == ["translated"] * 2 + [expected] + ["translated"] * 2
    assert len(rows(postgresql, webhooks, "id")) == (4 if expected is None else 5)


def test_what_met_another_transaction_is_tried_again_at_once(postgresql: Ledger) -> None:
    altered(postgresql, "CREATE SEQUENCE tries", *raising("40001", "nextval('tries') < 3"))
    assert [one is not None for one in submitted(postgresql, *numbered(1))] == [True]
    assert len(rows(postgresql, events, "id")) == 1


def test_a_table_that_a_stranger_locks_costs_no_webhook(postgresql: Ledger) -> None:
    with postgresql.engine.connect() as subscriber_answer:
        subscriber_answer.execute(text("LOCK TABLE events IN ACCESS EXCLUSIVE MODE"))
        assert submitted(postgresql, *numbered(3)) == [None, None, None]
        subscriber_answer.rollback()
    assert rows(postgresql, webhooks, "id") == []
    assert [len(one.events) for one in submitted(postgresql, *numbered(3)) if one is not None] == [1, 1, 1]


@pytest.mark.parametrize(
    ("table", "column"), [("webhooks", "url"), ("events", "named_by"), ("keys", "group"), ("destinations", "wake_at")]
)
def test_a_process_that_is_older_than_the_schema_loses_nothing(table: str, column: str, ledger: Ledger) -> None:
    altered(ledger, f'ALTER TABLE {table} RENAME COLUMN "{column}" TO novel')
    assert submitted(ledger, *numbered(2)) == [None, None]
    altered(ledger, f'ALTER TABLE {table} RENAME COLUMN novel TO "{column}"')
    assert rows(ledger, webhooks, "id") == []
    assert [one.word for one in submitted(ledger, *numbered(2)) if one is not None] == ["translated"] * 2


def test_a_webhook_for_which_there_is_no_room_costs_nobody_else(sqlite_url: str) -> None:
    ledger = Ledger(sqlite_url)
    migrate(ledger)

    @event.listens_for(ledger.engine, "connect")
    def limit(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages + 40}")

    with ledger.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    ledger.engine.dispose()
    first, second = numbered(2)
    large = submission(told(payment("p:large")), body=Random(1).randbytes(400_000))
    assert [one is not None for one in submitted(ledger, first, large, second)] == [True, False, True]
    assert len(rows(ledger, webhooks, "id")) == 2
    ledger.close()


def test_whoever_is_told_after_a_commit_can_not_end_the_committer(ledger: Ledger) -> None:
    called = threading.Event()

    def fail(_: object) -> None:
        called.set()
        raise ZeroDivisionError

    committer = Committer(ledger, after_commit=fail)
    made = [committer.submit(one, 30).word for one in numbered(2)]
    committer.close()
    assert (made, called.is_set()) == (["translated"] * 2, True)
