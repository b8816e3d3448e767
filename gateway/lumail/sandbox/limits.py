"""Counts an organization's requests a minute, in each of the ways that a service may count in; Lumail's is not known.

A request that is refused does not count.
"""

import math
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

_MINUTE = 60.0

BURST_SHARE = 0.1
"""The part of a minute's requests that `gcra` lets through at once."""


@dataclass(frozen=True)
class Place:
    """Whether a request is let through; `reset` is when this way of counting has forgotten what it counted.

    Of a sliding log it is when the next place is free. `again`: when one that is refused may come again, where that is
    sooner.
    """

    free: bool
    remaining: int
    reset: float
    again: float | None = None

    @property
    def retry_at(self) -> float:
        return self.reset if self.again is None else self.again


@dataclass
class _Counted:
    """What is known of an organization: the times of two minutes' requests, what its bucket holds, how far ahead of
    an even flow it is.
    """

    times: deque[float] = field(default_factory=deque)
    level: float | None = None
    filled_at: float = 0.0
    even_until: float = 0.0

    def since(self, begins: float) -> int:
        return sum(1 for time in self.times if time >= begins)


def _fixed(counted: _Counted, now: float, limit: int) -> Place:
    minute = now - now % _MINUTE
    left = limit - counted.since(minute)
    return Place(left > 0, max(0, left - 1), minute + _MINUTE)


def _sliding(counted: _Counted, now: float, limit: int) -> Place:
    """A log of the last minute's requests."""
    times = [time for time in counted.times if time > now - _MINUTE]
    left = limit - len(times)
    return Place(left > 0, max(0, left - 1), (times[0] if times else now) + _MINUTE)


def _buckets(counted: _Counted, now: float, limit: int) -> Place:
    """Two counters, the older weighted by how much of its minute lies in the last 60 s."""
    minute = now - now % _MINUTE
    this = counted.since(minute)
    before = counted.since(minute - _MINUTE) - this
    left = limit - this - before * (1 - (now - minute) / _MINUTE)
    return Place(left >= 1, max(0, math.floor(left) - 1), minute + _MINUTE)


def _token_bucket(counted: _Counted, now: float, limit: int) -> Place:
    """A bucket that holds a minute's tokens and is filled evenly."""
    a_second = limit / _MINUTE
    level = limit if counted.level is None else min(limit, counted.level + (now - counted.filled_at) * a_second)
    free = level >= 1
    counted.level, counted.filled_at = level - free, now
    return Place(
        free, math.floor(counted.level), now + (limit - counted.level) / a_second, now + (1 - level) / a_second
    )


def _gcra(counted: _Counted, now: float, limit: int) -> Place:
    """The generic cell rate algorithm: an even flow, and a burst of BURST_SHARE."""
    step = _MINUTE / limit
    ahead = step * max(1, math.floor(limit * BURST_SHARE))
    after = max(now, counted.even_until) + step
    free = after <= now + ahead + 1e-9
    if free:
        counted.even_until = after
    left = (now + ahead - max(now, counted.even_until)) / step
    return Place(free, max(0, math.floor(left + 1e-9)), max(now, counted.even_until), after - ahead)


WINDOWS: Mapping[str, Callable[[_Counted, float, int], Place]] = {
    "fixed": _fixed,
    "sliding": _sliding,
    "buckets": _buckets,
    "token_bucket": _token_bucket,
    "gcra": _gcra,
}
"""The ways to count."""

RESETS: Mapping[str, Callable[[Place, float], float | None]] = {
    "end": lambda place, _: place.reset,
    "minute": lambda _, now: now + _MINUTE,
    "seconds": lambda place, now: place.reset - now,
    "absent": lambda *_: None,
    "milliseconds": lambda place, _: place.reset * 1000,
}
"""What `X-RateLimit-Reset` names; None: there is none."""


class Limits:
    """The requests of the last two minutes; what a bucket held before the process began is not known."""

    def __init__(self, counted: Iterable[tuple[str, float]] = ()) -> None:
        self._lock = threading.Lock()
        self._counted: defaultdict[str, _Counted] = defaultdict(_Counted)
        for organization, time in counted:
            self._counted[organization].times.append(time)

    def take(self, organization: str, now: float, limit: int, window: str) -> Place:
        with self._lock:
            counted = self._counted[organization]
            while counted.times and counted.times[0] <= now - 2 * _MINUTE:
                counted.times.popleft()
            place = WINDOWS[window](counted, now, limit)
            if place.free:
                counted.times.append(now)
        return place

    def clear(self) -> None:
        with self._lock:
            self._counted.clear()
