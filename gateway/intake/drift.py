"""Notices when a provider begins to say what was not seen before: looks at webhooks after they were answered.

What comes faster than it can be looked at is left out, the oldest first: a new shape comes again. Webhooks with
something that was not understood have a queue of their own, so that a flood of the usual does not push them out.
"""

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

import structlog

from gateway.errors import LedgerUnavailableError, PayloadError, place_of
from gateway.ledger.database import Ledger
from gateway.ledger.facts.submission import Recorded
from gateway.ledger.views import payload_drift
from gateway.ledger.views.payload_drift import LONGEST_TYPE, Seen
from gateway.translation import shape
from gateway.translation.adapter import Adapter, SourceEvent, covers, split
from gateway.translation.webhook import VerifiedWebhook

FLUSH_EVERY = 5.0

MOST_USUAL = 20
MOST_ODD = 100
"""Webhooks that wait to be looked at; their bodies stay in memory for so long."""

LARGEST_BODY = 128 * 1024
"""Bytes of a webhook that is looked at."""

MOST_ITEMS = 50
"""Source events of one webhook whose shape is looked at; of the others only the type."""

MOST_KINDS = 500
"""Different types and shapes counted between two flushes."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class _Received:
    adapter: Adapter
    verified: VerifiedWebhook
    webhook: str


class DriftWatch:
    """One a process; its thread starts with the first webhook, after any fork."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._usual: deque[_Received] = deque(maxlen=MOST_USUAL)
        self._odd: deque[_Received] = deque(maxlen=MOST_ODD)
        self._flushing = threading.Lock()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ends = threading.Event()

    def observe(self, adapter: Adapter, verified: VerifiedWebhook, recorded: Recorded) -> None:
        """Have a look at this webhook some time; costs the caller one step on a queue."""
        if recorded.duplicate or len(verified.body) > LARGEST_BODY:
            return
        queue = self._odd if recorded.quarantined else self._usual
        queue.append(_Received(adapter, verified, recorded.webhook))
        if self._thread is None:
            self._start()

    def flush(self) -> None:
        """Look at what waits and count it; left out where the ledger is away."""
        with self._flushing:
            counted: dict[tuple[str, str, str], Seen] = {}
            for one in chain(_drained(self._odd), _drained(self._usual)):
                _count(counted, one)
            if not counted:
                return
            try:
                with self._ledger.write() as connection:
                    payload_drift.add(connection, list(counted.values()))
            except LedgerUnavailableError as error:
                _log.warning("drift.not_written", error=str(error))
            except Exception as error:  # noqa: BLE001 - the thread must outlive what can't be written, and leaves it out
                _log.error("drift.left_out", error=type(error).__name__, at=place_of(error))

    def close(self) -> None:
        self._ends.set()
        self.flush()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="drift", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._ends.wait(FLUSH_EVERY):
            self.flush()


def _drained(queue: deque[_Received]) -> Iterator[_Received]:
    for _ in range(len(queue)):
        yield queue.popleft()


def _count(counted: dict[tuple[str, str, str], Seen], received: _Received) -> None:
    try:
        found = split(received.adapter, received.verified)
    except PayloadError:
        return
    for position, item in enumerate(found):
        if isinstance(item, SourceEvent) and (known := _paths(received.adapter, item, position)) is not None:
            _add(counted, received, item.type, known)


def _paths(adapter: Adapter, event: SourceEvent, position: int) -> tuple[str, ...] | None:
    """Empty for a type that is not known; None for one that is left out on purpose, or not looked at."""
    if event.type in adapter.handlers:
        return shape.paths(event.payload) if position < MOST_ITEMS else None
    return None if any(covers(pattern, event.type) for pattern in adapter.ignored) else ()


def _add(counted: dict[tuple[str, str, str], Seen], of: _Received, event_type: str, paths: tuple[str, ...]) -> None:
    kind = (of.adapter.name, event_type[:LONGEST_TYPE], shape.fingerprint(paths) if paths else "")
    at = of.verified.webhook.received_at
    known = counted.get(kind)
    if known is not None:
        last = max(known.last_at, at)
        counted[kind] = replace(known, count=known.count + 1, webhook=of.webhook, last_at=last)
    elif len(counted) < MOST_KINDS:
        counted[kind] = Seen(*kind, paths, of.webhook, 1, at, at)
