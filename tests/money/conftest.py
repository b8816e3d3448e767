"""Offices to play histories to, and how many histories there are."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.ledger.database import Ledger
from gateway.ledger.migration import migrate
from gateway.lumail.sandbox import Sandbox
from gateway.lumail.transport import Transport
from tests.making import add_destinations
from tests.money.office import Office, empty_ledger, lumail, office
from tests.money.trial import Opens
from tests.services import Postgres

CHUNK = 15
"""Histories that are played to one gateway side by side."""

IN_MEMORY = "/dev/shm"
"""Where ledgers lie, on systems that have it: nothing of a history has to outlive it, and no disk is waited for."""

SHARES = {"stripe_chunk": 0.6, "shopify_chunk": 0.4, "declared_chunk": 0.1}
"""How many of all histories are whose."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for name, share in SHARES.items():
        if name in metafunc.fixturenames:
            seed = metafunc.config.getoption("histories_seed")
            count = round(metafunc.config.getoption("histories") * share)
            starts = range(0, count, CHUNK)
            chunks = [(seed, range(start, min(start + CHUNK, count))) for start in starts]
            metafunc.parametrize(name, chunks, ids=[f"{seed}-{start}" for start in starts])


@pytest.fixture(scope="session")
def stand_in() -> Iterator[tuple[Sandbox, Transport, str]]:
    with lumail() as at:
        yield at


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return empty_ledger(tmp_path_factory.mktemp("money"))


@pytest.fixture
def open_office(empty_file: Path, stand_in: tuple[Sandbox, Transport, str]) -> Opens:
    """Opens an office on a new ledger, on SQLite."""

    @contextmanager
    def opened() -> Iterator[Office]:
        folder = Path(tempfile.mkdtemp(prefix="gateway-money-", dir=IN_MEMORY if Path(IN_MEMORY).is_dir() else None))
        shutil.copy(empty_file, folder / "ledger.db")
        try:
            with office(f"sqlite:///{folder / 'ledger.db'}", stand_in) as made:
                yield made
        finally:
            shutil.rmtree(folder)

    return opened


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as name:
        ledger = Ledger(postgres.url(name))
        migrate(ledger)
        add_destinations(ledger, "main")
        ledger.close()
        yield name


@pytest.fixture
def open_postgres_office(postgres: Postgres, postgres_template: str, stand_in: tuple[Sandbox, Transport, str]) -> Opens:
    """Opens an office on a new ledger, on PostgreSQL."""

    @contextmanager
    def opened() -> Iterator[Office]:
        with postgres.database(postgres_template) as name, office(postgres.url(name), stand_in) as made:
            yield made

    return opened
