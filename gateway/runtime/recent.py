"""An answer that may be a little old: whoever asks often costs no more than one question every few seconds."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")

FRESH = 2.0
"""Seconds for which an answer is good."""


class Recent(Generic[Answer]):
    """Asks on a thread of its own, one question at a time: what never answers keeps nobody waiting for longer than
    `patience` seconds. `ask` raises nothing.
    """

    def __init__(self, ask: Callable[[], Answer], patience: float) -> None:
        self._ask = ask
        self._patience = patience
        self._changed = threading.Condition()
        self._answer: Answer | None = None
        self._answered_at = float("-inf")
        self._is_asking = False

    def get(self) -> Answer | None:
        """None where no answer came in time."""
        with self._changed:
            asked_at = time.monotonic()
            if asked_at - self._answered_at < FRESH:
                return self._answer
            if not self._is_asking:
                self._is_asking = True
                threading.Thread(target=self._run, name="recent", daemon=True).start()
            if self._changed.wait_for(lambda: self._answered_at >= asked_at, self._patience):
                return self._answer
            return None

    def _run(self) -> None:
        answer = self._ask()
        with self._changed:
            self._answer, self._answered_at, self._is_asking = answer, time.monotonic(), False
            self._changed.notify_all()
