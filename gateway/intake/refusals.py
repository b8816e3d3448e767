"""Counts what the door turns away in memory, so that a stranger's request costs no write of its own."""

import threading
from collections import Counter

import structlog

from gateway.errors import LedgerUnavailableError, place_of
from gateway.ledger.database import Ledger
from gateway.ledger.views import rejections
from gateway.ledger.views.rejections import Refused

FLUSH_EVERY = 3.0
MOST_KINDS = 500
"""Different paths and causes counted between two flushes; what comes above is counted together."""

_log = structlog.get_logger()

_Kind = tuple[str | None, str, str, str]


class Refusals:
    """One a process; its thread starts with the first refusal, after any fork."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._counts: Counter[_Kind] = Counter()
        self._unavailable: Counter[tuple[str, str]] = Counter()
        self._proven: set[str] = set()
        self._thread: threading.Thread | None = None
        self._ends = threading.Event()

    def count(self, source: str | None, path: str, cause: str, detail: str = "") -> None:
        kind = (source, _printable(path), cause, _printable(detail))
        with self._lock:
            if kind not in self._counts and len(self._counts) >= MOST_KINDS:
                kind = (source, "(many paths)", cause, "")
            self._counts[kind] += 1
            self._start()

    def count_unavailable(self, source: str, cause: str) -> None:
        """A request was answered 503; told once the ledger is back."""
        with self._lock:
            self._unavailable[source, cause] += 1
            self._start()

    def note_proven(self, source: str) -> None:
        """A webhook was proven that leaves no trace of its own: a duplicate."""
        with self._lock:
            self._proven.add(source)
            self._start()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="refusals", daemon=True)
            self._thread.start()

    def flush(self) -> None:
        """Write what was counted; kept for the next time where the ledger is away."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            unavailable, self._unavailable = self._unavailable, Counter()
            proven, self._proven = self._proven, set()
        if not counts and not unavailable and not proven:
            return
        try:
            with self._ledger.write() as connection:
                now = self._ledger.now(connection)
                rejections.add(connection, [Refused(*kind, count) for kind, count in counts.items()], now)
                rejections.add_unavailable(connection, unavailable, now)
                rejections.close(connection, proven, now)
        except LedgerUnavailableError as error:
            _log.warning("refusals.not_written", error=str(error))
            with self._lock:
                self._counts.update(counts)
                self._unavailable.update(unavailable)
                self._proven |= proven
        except Exception as error:  # noqa: BLE001 - the thread must outlive what can't be written, and leaves it out
            _log.error("refusals.left_out", error=type(error).__name__, at=place_of(error))

    def close(self) -> None:
        self._ends.set()
        self.flush()

    def _run(self) -> None:
        while not self._ends.wait(FLUSH_EVERY):
            self.flush()


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in text[:200])
