"""How a ledger gets its tables, and what versions do that meet on one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text, update
from structlog.testing import capture_logs

from gateway.errors import CommandError, OutdatedError
from gateway.ledger import schema
from gateway.ledger.database import Ledger
from gateway.ledger.jobs import jobs, privacy_requests
from gateway.ledger.jobs.jobs import Order
from gateway.ledger.jobs.privacy_requests import Origin
from gateway.ledger.migration import configuration, differences, migrate, require_current
from gateway.ledger.retention import erasure
from gateway.ledger.schema import GENERATION, OLDEST_SCHEMA, SCHEMA, destinations, events, marks
from gateway.privacy import Duty, PrivacyRequest, Subject
from gateway.replay.bulk import Replays, cancel
from tests.making import add_destinations, payment, record_facts, rows
from tests.waiting import eventually


@pytest.fixture
def own_ledger(database_url: str) -> Iterator[Ledger]:
    """For a test that changes more than rows, which others would find."""
    made = Ledger(database_url)
    migrate(made)
    add_destinations(made, "main")
    yield made
    made.close()


def test_migrations_make_exactly_the_tables_of_the_schema(ledger: Ledger) -> None:
    assert differences(ledger) == []


def test_migrating_again_changes_nothing(ledger: Ledger) -> None:
    migrate(ledger)
    assert rows(ledger, destinations, "name") == [("main",), ("other",)]


def test_several_may_migrate_at_once(database_url: str) -> None:
    ledgers = [Ledger(database_url) for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        done = [[step.schema for step in steps] for steps in threads.map(migrate, ledgers)]
    for one in ledgers:
        one.close()
    assert sorted(done) == [[], [], [SCHEMA]]


def changed_by_a_newer_version(ledger: Ledger, oldest: str) -> None:
    """As it leaves a ledger whose programs must know the schema `oldest` at least."""
    with ledger.alter() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(update(marks).where(marks.c.name == OLDEST_SCHEMA).values(value=oldest))


def test_beside_a_newer_version_one_goes_on_writing(own_ledger: Ledger) -> None:
    changed_by_a_newer_version(own_ledger, oldest=SCHEMA)
    assert migrate(own_ledger) == ()
    require_current(own_ledger)
    [event] = record_facts(own_ledger, payment("p:1"))
    assert rows(own_ledger, events, "id") == [(event,)]


def test_what_a_newer_version_keeps_for_itself_is_not_written_to_and_said_once(own_ledger: Ledger) -> None:
    changed_by_a_newer_version(own_ledger, oldest="9999")
    with capture_logs() as logs:
        for work in (migrate, require_current, lambda one: record_facts(one, payment("p:1"))):
            with pytest.raises(OutdatedError, match="must know schema 9999, and this version knows"):
                work(own_ledger)
    assert rows(own_ledger, events, "id") == []
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["ledger.outdated"]


def test_a_webhook_that_waited_for_a_migration_sees_what_that_made_of_the_ledger(own_ledger: Ledger) -> None:
    """It is refused, though it had asked for its lock before."""
    refused: list[BaseException] = []

    def write() -> None:
        try:
            record_facts(own_ledger, payment("p:1"))
        except OutdatedError as error:
            refused.append(error)

    with own_ledger.alter() as connection:
        waiting = Thread(target=write)
        waiting.start()
        connection.execute(update(marks).where(marks.c.name == OLDEST_SCHEMA).values(value="9999"))
        eventually(lambda: waits_for_a_lock(own_ledger))
    waiting.join()
    assert (len(refused), rows(own_ledger, events, "id")) == (1, [])


def waits_for_a_lock(ledger: Ledger) -> bool:
    """SQLite's writers wait for each other in this process, which nobody can see."""
    if ledger.is_sqlite:
        return True
    with ledger.read() as connection:
        return bool(connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one())


def test_the_newest_migration_is_the_schema_that_statements_are_written_for() -> None:
    script = ScriptDirectory.from_config(configuration())
    assert script.get_current_head() == SCHEMA
    assert all(len(one.revision) == len(SCHEMA) for one in script.walk_revisions()), "they are compared as texts"


def test_work_of_a_newer_version_is_left_to_its_workers(ledger: Ledger) -> None:
    with ledger.write(["main"]) as connection:
        now = ledger.now(connection)
        bulk = jobs.begin(connection, Order(jobs.EVENTS, "main", {"newer": 1}, 1, "ana"), now)
        demand = PrivacyRequest(Duty.ERASE, Subject(("ana@example.com",)))
        privacy_requests.record(connection, demand, Origin("ana"), now)
        assert (jobs.to_do(connection, now), len(erasure.open_ids(connection))) == ([bulk], 1)
        connection.execute(update(schema.jobs).values(generation=GENERATION + 1))
        assert (jobs.to_do(connection, now), erasure.open_ids(connection)) == ([], [])
    assert Replays(ledger, {"main": 100}, dict).step(bulk) is False
    with pytest.raises(CommandError, match="begun by a newer version"):
        cancel(ledger, bulk, "ana")
