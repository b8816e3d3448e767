"""The tick: once a second each worker looks for destinations that want a drain, so that no lost job delays anybody."""

import threading
from collections.abc import Callable

import structlog

from gateway.errors import LedgerUnavailableError
from gateway.ledger import leases
from gateway.ledger.database import Ledger

EVERY = 1.0

_log = structlog.get_logger()


class Tick:
    """Calls `ring` with the name of each destination that has something due and that nobody drains."""

    def __init__(self, ledger: Ledger, ring: Callable[[str], None]) -> None:
        self._ledger = ledger
        self._ring = ring
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tick", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ends.set()
        self._thread.join()

    def look(self) -> None:
        """One look, one indexed query."""
        with self._ledger.read() as connection:
            for name in leases.due(connection, self._ledger.now(connection)):
                self._ring(name)

    def _run(self) -> None:
        while not self._ends.wait(EVERY):
            try:
                self.look()
            except LedgerUnavailableError as error:
                _log.warning("tick.failed", error=str(error))
