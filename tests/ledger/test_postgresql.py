"""How PostgreSQL is reached: what its URL may say, and a real pooler that lends connections by transaction."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from gateway.errors import ConfigError
from gateway.ledger.database import Ledger
from gateway.ledger.migration import migrate
from gateway.ledger.recording.commit import Committer
from gateway.ledger.schema import events
from tests.making import payment, rows, submission, told
from tests.services import Postgres, pgbouncer


@pytest.fixture(scope="module")
def pooled(postgres: Postgres) -> Iterator[Callable[[str], str]]:
    with pgbouncer(postgres) as url:
        yield url


def driver(ledger: Ledger) -> Any:
    """The driver's connection that the ledger gets."""
    with ledger.read() as connection:
        return connection.connection.driver_connection


def test_through_a_pooler_that_lends_by_transaction_all_is_recorded_once(
    pooled: Callable[[str], str], postgres: Postgres
) -> None:
    with postgres.database() as name:
        ledger = Ledger(pooled(name))
        migrate(ledger)
        committers = [Committer(ledger) for _ in range(4)]
        with ThreadPoolExecutor(16) as pool:
            list(
                pool.map(lambda n: committers[n % 4].submit(submission(told(payment(f"p:{n % 100}"))), 30), range(400))
            )
        for committer in committers:
            committer.close()
        assert len(rows(ledger, events, "id")) == 100
        ledger.close()


def test_limits_of_a_transaction_are_left_on_no_connection_of_the_pooler(
    pooled: Callable[[str], str], postgres: Postgres
) -> None:
    with postgres.database() as name:
        ledger = Ledger(pooled(name))
        migrate(ledger)
        with ledger.write(["main"]) as connection:
            assert connection.execute(text("SHOW lock_timeout")).scalar_one() == "2s"
        with ledger.engine.connect() as connection:
            dbapi = connection.connection.driver_connection
            assert dbapi is not None
            assert dbapi.execute("SHOW lock_timeout").fetchone() == ("0",)
        ledger.close()


@pytest.mark.parametrize(
    ("parameters", "expected"), [("", None), ("?prepare_threshold=7", 7), ("?prepare_threshold=none", None)]
)
def test_a_pooler_is_found_and_gets_no_prepared_statements_unless_they_are_asked_for(
    parameters: str, expected: int | None, pooled: Callable[[str], str], postgres: Postgres
) -> None:
    ledger = Ledger(pooled("postgres") + parameters)
    assert driver(ledger).prepare_threshold == expected
    ledger.close()


def test_without_a_pooler_statements_are_prepared(postgresql_url: str) -> None:
    ledger, other = Ledger(postgresql_url), Ledger(f"{postgresql_url}&prepare_threshold=none")
    assert (driver(ledger).prepare_threshold, driver(other).prepare_threshold) == (5, None)
    ledger.close()
    other.close()


def test_of_several_hosts_the_one_is_taken_that_takes_writes(pooled: Callable[[str], str]) -> None:
    address = pooled("postgres").removeprefix("postgresql://gateway@")
    url = f"postgresql://gateway@127.0.0.1:1,{address}?target_session_attrs=read-write&sslmode=prefer&connect_timeout=9"
    ledger = Ledger(url)
    given = driver(ledger).info.get_parameters()
    shown = {name: given[name] for name in ("target_session_attrs", "connect_timeout", "application_name")}
    assert shown == {
        "target_session_attrs": "read-write",
        "connect_timeout": "9",
        "application_name": "lumail-gateway",
    }
    ledger.close()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:secret@h/db?prepare_threshold=often", "prepare_threshold: must be a whole number, or none"),
        ("postgresql://u:secret@h/db?pool=yes", "PostgreSQL knows no parameter 'pool'"),
        ("postgresql://u:secret@[h/db", "PostgreSQL can't read it"),
    ],
)
def test_a_url_that_means_nothing_is_told_without_its_password(url: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        Ledger(url)
    assert "secret" not in str(caught.value)


def test_a_database_with_another_default_isolation_reads_what_was_written_before_its_lock(
    postgres: Postgres, postgresql_url: str
) -> None:
    name = postgresql_url.split("@/")[1].split("?")[0]
    with postgres.connect() as administrator:
        administrator.execute(f"ALTER DATABASE {name} SET default_transaction_isolation TO 'repeatable read'")
    ledger = Ledger(postgresql_url)
    migrate(ledger)
    with ledger.write(["main"]) as connection:
        assert connection.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"
    ledger.close()
