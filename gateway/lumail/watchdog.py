"""Ends requests on time: one thread a process that shuts the sockets of those whose deadline has passed.

A read time-out does not do it: an answer that drips a byte at a time never runs into one.
"""

import heapq
import os
import socket
import threading
import time
from contextlib import suppress


class Watch:
    """One request under watch until `end`; the watchdog shuts its socket at `deadline` (`time.monotonic()`).

    The watch holds its own descriptor of the socket, so that it reaches the connection in any state: during a TLS
    handshake, and after the HTTP library has let go of it but still reads the answer.
    """

    __slots__ = ("_descriptor", "_lock", "deadline", "expired", "over")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.expired = False
        self.over = False
        self._descriptor: socket.socket | None = None
        self._lock = threading.Lock()

    def attach(self, connection: socket.socket) -> None:
        """Watch this socket from now on; one that is attached after the deadline is shut at once."""
        twin = socket.socket(connection.family, connection.type, connection.proto, fileno=os.dup(connection.fileno()))
        with self._lock:
            former, self._descriptor = self._descriptor, twin
            if self.expired:
                self._shut()
        if former is not None:
            former.close()

    def expire(self) -> None:
        with self._lock:
            if not self.over:
                self.expired = True
                self._shut()

    def end(self) -> None:
        """The request is through; its connection may be used again."""
        with self._lock:
            self.over = True
            former, self._descriptor = self._descriptor, None
        if former is not None:
            former.close()

    def _shut(self) -> None:
        if self._descriptor is not None:
            with suppress(OSError):  # the peer has closed it already
                self._descriptor.shutdown(socket.SHUT_RDWR)


class Watchdog:
    """The thread and its heap of watches, the next deadline first; the thread starts with the first watch."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, Watch]] = []
        self._count = 0
        self._started = False

    def watch(self, deadline: float) -> Watch:
        watch = Watch(deadline)
        with self._changed:
            self._count += 1
            heapq.heappush(self._heap, (deadline, self._count, watch))
            if self._heap[0][2] is watch:
                self._changed.notify()
            if not self._started:
                self._started = True
                threading.Thread(target=self._run, name="lumail-watchdog", daemon=True).start()
        return watch

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait(self._seconds_to_next())
                due = self._take_due()
            for watch in due:
                watch.expire()

    def _seconds_to_next(self) -> float | None:
        """How long nothing is due; watches that are over are dropped on the way, so they cost no wake-up each."""
        while self._heap and self._heap[0][2].over:
            heapq.heappop(self._heap)
        return max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else None

    def _take_due(self) -> list[Watch]:
        now = time.monotonic()
        due = []
        while self._heap and (self._heap[0][0] <= now or self._heap[0][2].over):
            due.append(heapq.heappop(self._heap)[2])
        return due


class _OfThisProcess:
    """Holds the process's watchdog; a forked child begins with one of its own, since threads don't survive a fork."""

    def __init__(self) -> None:
        self.renew()
        os.register_at_fork(after_in_child=self.renew)

    def renew(self) -> None:
        self.watchdog = Watchdog()


_process = _OfThisProcess()


def watch_until(deadline: float) -> Watch:
    """Begin a watch with this process's watchdog."""
    return _process.watchdog.watch(deadline)
