"""The connection to the ledger's database, and the one lock that every writer of a destination takes first."""

import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, select, text
from sqlalchemy import func as sql
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gateway.errors import ConfigError, LedgerUnavailableError
from gateway.ledger import schema

LOCK_SECONDS = 3.5
"""How long a writer waits for the database before it gives up; below the door's own limit of 4 s."""

_SERIALIZATION_FAULTS = frozenset({"40001", "40P01"})
_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_CLOCK = select(sql.clock_timestamp())
_UNAVAILABLE_STATES = ("08", "53", "55", "57", "58")


class Ledger:
    """One database. Safe to share between threads; opened after a fork, never before one.

    Every transaction that writes something of a destination goes through `write`, which takes that destination's
    writer lock first, so that what it reads afterwards stays true until it commits.
    """

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite:
            if not parsed.database or parsed.database == ":memory:":
                raise ConfigError("DATABASE_URL: SQLite needs a file, such as sqlite:////var/lib/gateway/gateway.db")
            path = Path(parsed.database)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file_lock: _FileLock | None = _FileLock(path.with_name(path.name + ".writer"))
            self.engine = _sqlite(url)
        else:
            self._file_lock = None
            self.engine = _postgresql(url)
        self._writing = self.engine.execution_options(gateway_writes=True)  # the same pool

    def close(self) -> None:
        self.engine.dispose()
        if self._file_lock is not None:
            self._file_lock.close()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection whose reads belong together; nothing is written through it."""
        with _told_as_unavailable(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, destinations: Iterable[str] = ()) -> Iterator[Connection]:
        """A transaction that holds the writer locks of `destinations`; commits at the end, else nothing stays.

        Raises LedgerUnavailableError where the database is away or stays locked.
        """
        with _told_as_unavailable():
            if self._file_lock is not None:
                with self._file_lock.held(), self._writing.connect() as connection, connection.begin():
                    yield connection
                return
            with self._writing.connect() as connection, connection.begin():
                for name in sorted(set(destinations)):
                    connection.execute(_LOCK, {"key": _lock_key(name)})
                yield connection

    def now(self, connection: Connection) -> datetime:
        """The database's clock; all machines that share the ledger agree on it."""
        if self.is_sqlite:
            return datetime.now(UTC)
        instant: datetime = connection.execute(_CLOCK).scalar_one()
        return instant.astimezone(UTC)


class _FileLock:
    """One writer at a time on this machine: a lock between threads, then one between processes.

    SQLite's own lock makes losers sleep and retry, which starves some of them for hundreds of milliseconds; here
    they queue. The file is opened by the process that uses it, since an inherited descriptor excludes nobody.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.Lock()
        self._descriptor: int | None = None
        self._process = 0

    @contextmanager
    def held(self) -> Iterator[None]:
        with self._threads:
            descriptor = self._open()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._descriptor is not None and self._process == os.getpid():
            os.close(self._descriptor)
        self._descriptor = None

    def _open(self) -> int:
        if self._descriptor is None or self._process != os.getpid():
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._process = os.getpid()
        return self._descriptor


def _lock_key(name: str) -> int:
    digest = hashlib.blake2b(f"lumail-gateway writer {name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, hide_parameters=True, pool_size=16, max_overflow=48, pool_timeout=LOCK_SECONDS)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(LOCK_SECONDS * 1000)}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA cache_size = -16000")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A deferred transaction that reads and then writes fails at once when another wrote in between.
        writes = connection.get_execution_options().get("gateway_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: str) -> Engine:
    milliseconds = int(LOCK_SECONDS * 1000)
    return create_engine(
        url,
        hide_parameters=True,
        pool_size=16,
        max_overflow=48,
        pool_timeout=LOCK_SECONDS,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 3,
            "options": f"-c lock_timeout={milliseconds} -c idle_in_transaction_session_timeout=60000",
            "application_name": "lumail-gateway",
        },
    )


@contextmanager
def _told_as_unavailable() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise LedgerUnavailableError(f"the ledger's database can't be used now: {_words(error)}") from error
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or ""
        if error.connection_invalidated or state.startswith(_UNAVAILABLE_STATES) or state in _SERIALIZATION_FAULTS:
            raise LedgerUnavailableError(f"the ledger's database can't be used now: {_words(error)}") from error
        raise


def is_serialization_fault(error: LedgerUnavailableError) -> bool:
    """Whether the same transaction, tried again at once, is likely to succeed."""
    cause = error.__cause__
    return isinstance(cause, DBAPIError) and getattr(cause.orig, "sqlstate", None) in _SERIALIZATION_FAULTS


def _words(error: Exception) -> str:
    """The driver's words without the statement and its parameters, which hold people's data."""
    origin = getattr(error, "orig", None) or error
    return str(origin).splitlines()[0][:200] if str(origin) else type(origin).__name__


def wait_until_ready(ledger: Ledger, seconds: float) -> None:
    """Wait for the database to answer; LedgerUnavailableError when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with ledger.read() as connection:
                connection.execute(select(schema.destinations.c.name).limit(1))
        except LedgerUnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return
