"""What every test may ask for: a Redis that is empty and a ledger's database that is new, both real."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from gateway.ledger.database import Ledger
from gateway.ledger.migration import migrate
from tests.making import add_destinations
from tests.services import LENT_POSTGRES, Postgres, postgres_server, redis_server

SQLITE = "sqlite:///"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--histories", type=int, default=300, help="how many histories of money tests/money generates")
    parser.addoption("--histories-seed", default="1", help="another seed makes other histories")
    parser.addoption(
        "--both", action="store_true", help="installations on SQLite and on PostgreSQL, not on SQLite alone"
    )
    parser.addoption("--limiters", type=int, default=1, help="how many other clients the budget meets per limiter")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Where no code of one kind of database is asked, an installation on each kind is worth its time only on demand."""
    if "installed_url" in metafunc.fixturenames:
        kinds = ["sqlite", "postgresql"] if metafunc.config.getoption("both") else ["sqlite"]
        metafunc.parametrize("installed_url", kinds, indirect=True)


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def redis_url(shared_redis: str) -> str:
    """The URL of an empty Redis that runs for the whole session; a test that kills one starts its own."""
    with redis.Redis.from_url(shared_redis) as connection:
        connection.flushall()
    return shared_redis


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One cluster for each process that runs tests, unless one is lent to it."""
    lent = os.environ.get(LENT_POSTGRES)
    if lent is not None:
        yield Postgres(Path(lent), f"of_{os.getpid()}")
        return
    with postgres_server() as server:
        yield server


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"{SQLITE}{tmp_path / 'ledger.db'}"


@pytest.fixture(scope="session")
def postgresql_with_tables(postgres: Postgres) -> Iterator[str]:
    """The name of a database with all tables, for one test after the other: making one takes fifty times as long."""
    with postgres.database() as name:
        made = Ledger(postgres.url(name))
        migrate(made)
        made.close()
        yield name


@pytest.fixture
def postgresql_url(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[str]:
    """A new database; for a test that asks for a ledger, one with tables that are empty."""
    if "ledger" in request.fixturenames:
        name = request.getfixturevalue("postgresql_with_tables")
        postgres.empty(name)
        yield postgres.url(name)
    else:
        with postgres.database() as name:
            yield postgres.url(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database; a test that asks for it runs on each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def installed_url(request: pytest.FixtureRequest) -> str:
    """An empty database for a whole installation."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(scope="session")
def sqlite_with_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with all tables, to be copied: that takes a hundredth of the time in which they are made."""
    file = tmp_path_factory.mktemp("tables") / "ledger.db"
    made = Ledger(f"{SQLITE}{file}")
    migrate(made)
    made.close()
    return file


@pytest.fixture
def ledger(database_url: str, sqlite_with_tables: Path) -> Iterator[Ledger]:
    """A ledger with all tables and the destinations `main` and `other`; on each kind of database."""
    if database_url.startswith(SQLITE):
        shutil.copy(sqlite_with_tables, database_url.removeprefix(SQLITE))
    opened = Ledger(database_url)
    add_destinations(opened, "main", "other")
    yield opened
    opened.close()
