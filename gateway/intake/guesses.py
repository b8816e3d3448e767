"""Slows down who guesses shared secrets: a wrong one is told late, a right one never."""

import threading
import time
from collections.abc import Callable

FREE = 10
"""Wrong secrets from an address that are told at once."""

FIRST = 0.1
LONGEST = 2.0
"""Seconds that the answer to a wrong secret is late: doubled with each, up to this."""

FORGOTTEN_AFTER = 600.0
"""Seconds without a wrong secret after which an address is like any other."""

AT_ONCE = 4
"""Answers that are late at the same time in a process: each holds a thread. What comes above is told at once, so that
guessing by many side by side takes no more than these from anybody; there a secret's length is what stands."""

ADDRESSES = 4096


class Guesses:
    """One a web process. Threads share it."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._wrong: dict[str, tuple[int, float]] = {}
        self._late = threading.BoundedSemaphore(AT_ONCE)

    def wrong(self, address: str) -> None:
        """A wrong secret came from this address; returns once that may be told."""
        seconds = self._seconds(address)
        if seconds and self._late.acquire(blocking=False):
            try:
                self._sleep(seconds)
            finally:
                self._late.release()

    def _seconds(self, address: str) -> float:
        with self._lock:
            now = self._clock()
            count, last = self._wrong.pop(address, (0, now))
            count = count + 1 if now - last < FORGOTTEN_AFTER else 1
            self._wrong[address] = count, now
            while len(self._wrong) > ADDRESSES:
                del self._wrong[next(iter(self._wrong))]
        return 0.0 if count <= FREE else min(FIRST * 2 ** min(count - FREE - 1, 10), LONGEST)
