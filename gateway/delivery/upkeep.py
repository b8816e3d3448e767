"""What a worker does besides delivering: it removes what is too old, in the background and a step at a time.

The tick of each worker looks once a minute whether something is due. Several at once are harmless: they take turns at
each step, and one that dies leaves the rest to the next.
"""

import threading
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, delete, insert, select

from gateway.config import Retention
from gateway.errors import LedgerUnavailableError
from gateway.ledger.database import Ledger
from gateway.ledger.retention import erasure
from gateway.ledger.retention.purge import purge
from gateway.ledger.schema import from_microseconds, marks, to_microseconds

PURGE_EVERY = timedelta(hours=1)

_PURGED = "purged"
"""The mark that says when the last purge began."""

_log = structlog.get_logger()


class Upkeep:
    """One a process. Its work is done by a thread of its own, and given up between two steps once it is closed."""

    def __init__(self, ledger: Ledger, retention: Retention) -> None:
        self._ledger = ledger
        self._retention = retention
        self._ends = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def is_due(self) -> bool:
        """Whether there is something to do."""
        with self._ledger.read() as connection:
            return _is_purge_due(connection, self._ledger.now(connection)) or bool(erasure.open_ids(connection))

    def start_if_due(self) -> None:
        if self.is_due():
            self.start()

    def start(self) -> None:
        """Do what is due in the background, unless this process is at it already."""
        with self._lock:
            if self._ends.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)
            self._thread.start()

    def close(self) -> None:
        with self._lock:
            self._ends.set()
            thread = self._thread
        if thread is not None:
            thread.join()

    def work(self) -> None:
        """Do what is due, now and here: what the law demands first."""
        with self._ledger.read() as connection:
            demanded = erasure.open_ids(connection)
        for identity in demanded:
            done = erasure.erase(self._ledger, identity, stopping=self._ends.is_set)
            if done.is_done:
                _log.info("ledger.erased", job=identity, **done.counts)
        if self._take_purge():
            self._purge()

    def _run(self) -> None:
        try:
            self.work()
        except LedgerUnavailableError as error:  # what is left is due again later
            _log.warning("upkeep.ended", error=str(error))

    def _take_purge(self) -> bool:
        with self._ledger.write([_PURGED]) as connection:
            now = self._ledger.now(connection)
            if not _is_purge_due(connection, now):
                return False
            connection.execute(delete(marks).where(marks.c.name == _PURGED))
            connection.execute(insert(marks).values(name=_PURGED, value=str(to_microseconds(now))))
        return True

    def _purge(self) -> None:
        with self._ledger.read() as connection:
            now = self._ledger.now(connection)
        removed: dict[str, int] = {}
        for step in purge(self._ledger, self._retention, now, stopping=self._ends.is_set):
            removed[step.what] = removed.get(step.what, 0) + step.rows
        _log.info("ledger.purged", **removed)


def _is_purge_due(connection: Connection, now: datetime) -> bool:
    value = connection.execute(select(marks.c.value).where(marks.c.name == _PURGED)).scalar_one_or_none()
    return value is None or now - from_microseconds(int(value)) >= PURGE_EVERY
