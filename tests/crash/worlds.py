"""The worlds in which everything fails, on each kind of database: what fails of it, and where it lies."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.crash.chaos import World
from tests.crash.outages import full, locked_file, locked_table, small_disk
from tests.services import Postgres


@contextmanager
def on_sqlite(folder: Path, size: str, **given: Any) -> Iterator[World]:
    """The ledger has a disk of this size for itself."""
    with small_disk(folder / "disk", size) as disk:
        outages = {"file locked": locked_file(disk), "disk full": full(disk)}
        yield World(disk.url(), look=disk.copied, within=disk.within, outages=outages, **given)


@contextmanager
def on_postgresql(postgres: Postgres, **given: Any) -> Iterator[World]:
    with postgres.database() as name:
        outages = {"table locked": locked_table(postgres, name), "database away": postgres.away}
        yield World(postgres.url(name), outages=outages, **given)
