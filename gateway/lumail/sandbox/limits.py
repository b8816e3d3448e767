"""Counts an organization's requests a minute, in a fixed or a sliding window."""

import threading
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

_MINUTE = 60.0


@dataclass(frozen=True)
class Place:
    """Whether a request is let through; `reset` is when the next place (sliding) or all (fixed) are free again."""

    free: bool
    remaining: int
    reset: float


class Limits:
    """The times of the last minute's requests; one that is refused does not count."""

    def __init__(self, counted: Iterable[tuple[str, float]] = ()) -> None:
        self._lock = threading.Lock()
        self._times: defaultdict[str, deque[float]] = defaultdict(deque)
        for organization, time in counted:
            self._times[organization].append(time)

    def take(self, organization: str, now: float, limit: int, window: Literal["fixed", "sliding"]) -> Place:
        minute = now - now % _MINUTE
        with self._lock:
            times = self._times[organization]
            while times and times[0] <= now - _MINUTE:
                times.popleft()
            counted = len(times) if window == "sliding" else sum(1 for time in times if time >= minute)
            free = counted < limit
            if free:
                times.append(now)
                counted += 1
            reset = times[0] + _MINUTE if window == "sliding" and times else minute + _MINUTE
        return Place(free, limit - counted, reset)

    def clear(self) -> None:
        with self._lock:
            self._times.clear()
