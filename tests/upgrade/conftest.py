"""Ledgers that former versions left, opened by this one: the `ledger` of all tests here."""

import lzma
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from gateway.ledger.database import Ledger
from gateway.ledger.migration import migrate
from tests.cli.conftest import live_environ, terminal
from tests.conftest import SQLITE
from tests.desk.conftest import app, desk_parts, operator, password_hash
from tests.services import Postgres
from tests.upgrade.make import LEDGERS, POSTGRESQL
from tests.upgrade.make import SQLITE as SQLITE_FILE

__all__ = ["app", "desk_parts", "live_environ", "operator", "password_hash", "terminal"]

SCHEMAS = sorted(file.name.removesuffix(SQLITE_FILE) for file in LEDGERS.glob(f"*{SQLITE_FILE}"))


@pytest.fixture
def postgresql_url(postgres: Postgres) -> Iterator[str]:
    """A database without tables, also where a test asks for a ledger."""
    with postgres.database() as name:
        yield postgres.url(name)


@pytest.fixture(params=SCHEMAS)
def left_behind(request: pytest.FixtureRequest, database_url: str) -> Iterator[Ledger]:
    """As it was left; nothing was migrated yet."""
    kept = LEDGERS / f"{request.param}{SQLITE_FILE if database_url.startswith(SQLITE) else POSTGRESQL}"
    if database_url.startswith(SQLITE):
        with lzma.open(kept) as packed, Path(database_url.removeprefix(SQLITE)).open("wb") as file:
            shutil.copyfileobj(packed, file)
    else:
        with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(lzma.decompress(kept.read_bytes()))
    opened = Ledger(database_url)
    yield opened
    opened.close()


@pytest.fixture
def ledger(left_behind: Ledger) -> Ledger:
    migrate(left_behind)
    return left_behind
