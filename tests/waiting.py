"""Waiting for what other processes do: asked again until it is so, and loud when it never becomes so."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

WITHIN = 60.0
"""Seconds; no bound of what is tried, but of a busy machine's delays."""


def eventually(ask: Callable[[], T | None], *, within: float = WITHIN, what: str = "") -> T:
    """The first answer that is true. Raises AssertionError with the last answer after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what or ask} (last answer: {answer!r})")
        time.sleep(0.01)
