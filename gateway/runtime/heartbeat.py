"""How a process tells the others that it lives: a row of the ledger that it writes anew every few seconds."""

import os
import shutil
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import structlog

from gateway.errors import LedgerUnavailableError, place_of
from gateway.ledger import heartbeats
from gateway.ledger.database import Ledger
from gateway.ledger.heartbeats import Condition, Identity
from gateway.ledger.identity import new_id
from gateway.ledger.schema import SCHEMA

ENDS_WITHIN = 1.0
"""Seconds that the end of a process waits for the last word."""

_log = structlog.get_logger()


class Heartbeat:
    """One a process, with a connection and a thread of its own: whatever else it does, it is heard of."""

    def __init__(self, database_url: str, role: str, data: Path, redis: Callable[[], str | None]) -> None:
        self._ledger = Ledger(database_url)
        self._data = data
        self._redis = redis
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._who = Identity(new_id("hb"), role, socket.gethostname(), os.getpid(), version("lumail-gateway"), SCHEMA)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Tells that this process ends, unless that takes too long."""
        self._ends.set()
        self._thread.join(ENDS_WITHIN)

    def beat(self) -> None:
        """Raises LedgerUnavailableError."""
        redis, free = self._redis(), disk_free(self._data)
        with self._ledger.write(outdated_too=True) as connection:
            now = self._ledger.now(connection)
            found = Condition(datetime.now(UTC) - now, free, redis)
            heartbeats.beat(connection, self._who, found, now)

    def _run(self) -> None:
        away = False
        while not self._ends.is_set():
            try:
                self.beat()
                away = False
            except LedgerUnavailableError as error:
                if not away:
                    _log.warning("heartbeat.not_written", error=str(error))
                away = True
            except Exception as error:  # noqa: BLE001 - the process lives on, and is to be heard of again
                _log.error("heartbeat.failed", error=type(error).__name__, at=place_of(error))
            self._ends.wait(heartbeats.EVERY.total_seconds())
        try:
            with self._ledger.write(outdated_too=True) as connection:
                heartbeats.end(connection, self._who.id, self._ledger.now(connection))
        except LedgerUnavailableError:
            pass  # it is missed soon
        self._ledger.close()


def disk_free(folder: Path) -> int | None:
    """Bytes; None where that can't be told."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
