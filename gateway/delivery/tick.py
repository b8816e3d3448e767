"""The tick: once a second each worker looks who wants a drain, and which bulk work goes on: no lost call delays it.

Now and then it also does what nothing else calls for, such as dropping what was held for too long.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import structlog

from gateway.config import Destination
from gateway.errors import LedgerUnavailableError
from gateway.ledger.database import Ledger
from gateway.ledger.jobs import jobs
from gateway.ledger.outbox import expiry
from gateway.ledger.scheduling import leases

EVERY = 1.0

SOONEST = 0.25
"""Seconds between two looks where a drain is soon of use: a payment that has settled does not wait for the second."""

CHORES_EVERY = 60.0

Chore = Callable[[], object]

_log = structlog.get_logger()


class Tick:
    """Calls `notify` with the name of each destination that has something due and that nobody drains.

    `call` is called with the id of each job of which a step is of use. `chores` are done once a minute.
    """

    def __init__(
        self,
        ledger: Ledger,
        notify: Callable[[str], None],
        call: Callable[[str], None],
        chores: Sequence[Chore] = (),
    ) -> None:
        self._chores = chores
        self._call = call
        self._ledger = ledger
        self._notify = notify
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tick", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ends.set()
        self._thread.join()

    def look(self) -> float:
        """One look, three indexed queries; returns in how many seconds the next is of use."""
        with self._ledger.read() as connection:
            now = self._ledger.now(connection)
            for name in leases.due(connection, now):
                self._notify(name)
            for job in jobs.to_do(connection, now):
                self._call(job)
            wakes_at = leases.next_wake(connection, now)
        return wait_for(wakes_at, now)

    def _run(self) -> None:
        wait = EVERY
        chores_at = time.monotonic()
        while not self._ends.wait(wait):
            try:
                wait = self.look()
                if time.monotonic() >= chores_at:
                    chores_at = time.monotonic() + CHORES_EVERY
                    for chore in self._chores:
                        chore()
            except LedgerUnavailableError as error:
                wait = EVERY
                _log.warning("tick.failed", error=str(error))


def wait_for(wakes_at: datetime | None, now: datetime) -> float:
    """Seconds until a look is of use; `wakes_at` is when something is due next, None where nothing is."""
    return EVERY if wakes_at is None else min(EVERY, max(SOONEST, (wakes_at - now).total_seconds()))


def drop_outdated(ledger: Ledger, destinations: Mapping[str, Destination]) -> None:
    """Drop what expired or was held for too long, and let go what waited long enough for a better telling: a step at
    a time, so that nobody waits long for the ledger.
    """
    for name, destination in destinations.items():
        with ledger.read() as connection:
            more = expiry.is_any(connection, name, ledger.now(connection), destination.hold_for)
        while more:
            with ledger.write([name]) as connection:
                now = ledger.now(connection)
                more = expiry.drop_expired(connection, name, now)
                more = expiry.drop_held(connection, name, now, destination.hold_for) or more
                more = expiry.let_go(connection, name, now) or more
