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

import structlog
from sqlalchemy import Connection, Engine, create_engine, event, make_url, select
from sqlalchemy import func as sql

from gateway.errors import ConfigError, LedgerUnavailableError, OutdatedError
from gateway.ledger import faults, postgresql
from gateway.ledger.schema import OLDEST_SCHEMA, SCHEMA

LOCK_SECONDS = 3.5
"""How long a writer waits for the database before it gives up; below the door's own limit of 4 s."""

TABLE_SECONDS = 2.0
"""How long one that has its writer locks waits for a table or a row that a stranger has locked."""

REMINDS = 60.0
"""Seconds between two lines of the log that say that this process is too old for the ledger."""

_CLOCK = select(sql.clock_timestamp())

_OLDEST = f"SELECT value FROM marks WHERE name = '{OLDEST_SCHEMA}'"  # noqa: S608 - a constant

_log = structlog.get_logger()


class Ledger:
    """One database. Safe to share between threads; opened after a fork, never before one.

    Every transaction that writes something of a destination goes through `write`, which takes that destination's
    writer lock first, so that what it reads afterwards stays true until it commits.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            parsed = make_url(url)
            if not parsed.database or parsed.database == ":memory:":
                raise ConfigError("DATABASE_URL: SQLite needs a file, such as sqlite:////var/lib/gateway/gateway.db")
            path = Path(parsed.database)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file_lock: _FileLock | None = _FileLock(path.with_name(path.name + ".writer"))
            self.engine = _sqlite(url)
        else:
            self._file_lock = None
            self.engine = postgresql.reach(url, LOCK_SECONDS)
        self._writing = self.engine.execution_options(gateway_writes=True)  # the same pool
        self._reminded_at = float("-inf")

    def close(self) -> None:
        self.engine.dispose()
        if self._file_lock is not None:
            self._file_lock.close()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection whose reads belong together; nothing is written through it."""
        with _told_as_unavailable(self.engine), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(
        self,
        destinations: Iterable[str] = (),
        table_seconds: float = TABLE_SECONDS,
        *,
        outdated_too: bool = False,
    ) -> Iterator[Connection]:
        """A transaction that holds the writer locks of `destinations`; commits at the end, else nothing stays.

        `table_seconds` is how long it waits for what somebody who does not ask for these locks has locked.
        `outdated_too`: what is written has one shape in all versions.
        Raises LedgerUnavailableError where the database is away, stays locked, or fails in any way that is not the
        fault of what is written; OutdatedError where this version must not write there any more.
        """
        locks = [f"pg_advisory_xact_lock('{_lock_key(name)}'::bigint)" for name in sorted(set(destinations))]
        with self._changing([f"pg_advisory_xact_lock_shared('{_SCHEMA_LOCK}'::bigint)", *locks], table_seconds) as (
            connection,
            oldest,
        ):
            if not outdated_too:
                self._refuse_outdated(oldest)
            yield connection

    @contextmanager
    def alter(self) -> Iterator[Connection]:
        """A transaction beside which nobody writes and that may change tables: for migrations."""
        locks = [f"pg_advisory_xact_lock('{_SCHEMA_LOCK}'::bigint)"]
        with self._changing(locks, TABLE_SECONDS, marked=False) as (connection, _):
            yield connection

    @contextmanager
    def _changing(
        self, locks: list[str], table_seconds: float, *, marked: bool = True
    ) -> Iterator[tuple[Connection, str | None]]:
        """The transaction, and the oldest schema that may write there, read once all locks are held."""
        question = _OLDEST if marked else "SELECT NULL WHERE false"
        with _told_as_unavailable(self.engine):
            if self._file_lock is not None:
                with self._file_lock.held(), self._writing.connect() as connection, connection.begin():
                    yield connection, connection.exec_driver_sql(question).scalar()
                return
            with self._writing.connect() as connection, connection.begin():
                limit = f"set_config('lock_timeout', '{round(table_seconds * 1000)}', true)"
                # One round trip; the second statement sees what was committed while the first waited.
                found = connection.exec_driver_sql(f"SELECT {', '.join([*locks, limit])}; {question}")
                cursor: Any = found.cursor
                cursor.nextset()
                row = cursor.fetchone()
                found.close()
                yield connection, None if row is None else row[0]

    def refuse_outdated(self, connection: Connection) -> None:
        """Raise OutdatedError where this version must not write any more."""
        self._refuse_outdated(connection.exec_driver_sql(_OLDEST).scalar())

    def _refuse_outdated(self, oldest: str | None) -> None:
        if oldest is None or oldest <= SCHEMA:
            return
        if time.monotonic() - self._reminded_at > REMINDS:
            self._reminded_at = time.monotonic()
            _log.error(
                "ledger.outdated",
                needs=oldest,
                knows=SCHEMA,
                effect="this process takes no webhooks and delivers nothing",
                advice="start the newer version in its place",
            )
        raise OutdatedError(
            f"a newer version of the gateway has changed the ledger: whoever writes there must know schema {oldest}, "
            f"and this version knows {SCHEMA}. Start the newer version in its place"
        )

    def let_nothing_linger(self) -> bool:
        """What was erased stands in no file of the database any more; False where somebody reads at this moment.

        SQLite keeps pages as they were in its write-ahead log until that is taken into the database and cut off.
        """
        if self._file_lock is None:
            return True
        with _told_as_unavailable(self.engine), self._file_lock.held():
            raw = self.engine.raw_connection()
            try:
                busy, *_ = raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                raw.close()
        return not busy

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
            try:
                descriptor = self._open()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError as error:
                raise LedgerUnavailableError(f"{self._path}: can't be locked: {error.strerror}") from error
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


_SCHEMA_LOCK = _lock_key("migration")
"""Shared by all writers; a migration has it alone."""


def _sqlite(url: str) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=16,
        max_overflow=48,
        pool_timeout=LOCK_SECONDS,
        connect_args={"cached_statements": 512},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(LOCK_SECONDS * 1000)}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA cache_size = -16000")
        cursor.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten, not only let go
        cursor.execute("PRAGMA temp_store = MEMORY")  # there may be no folder for temporary files
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A deferred transaction that reads and then writes fails at once when another wrote in between.
        writes = connection.get_execution_options().get("gateway_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def _told_as_unavailable(engine: Engine) -> Iterator[None]:
    """Whatever the database refuses is told as its fault, but for what only the one who asked can be blamed for."""
    try:
        yield
    except Exception as error:
        if not faults.is_of_database(error) or faults.is_webhooks_own(error):
            raise
        if faults.is_read_only(error):
            engine.dispose()
        raise LedgerUnavailableError(f"the ledger's database can't be used now: {faults.words(error)}") from error
