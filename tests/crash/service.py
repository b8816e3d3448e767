"""An installation as a service manager keeps it: on a socket that outlives it, read again and started again at will."""

import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil

from tests.crash.installation import Installation, Setup, up

ENDED = ("reload.done", "reload.refused")
"""What tells that a reload is over."""

TRIES = 60
"""How often a service manager starts again what ended at once."""


class Service:
    """The `up` that runs now; it may be another one a moment later."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        setup: Setup,
        base_url: str,
        within: Sequence[str] = (),
        backlog: int = 1024,
    ) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self._start = partial(up, folder, database_url, setup, base_url, within=within, listener=self._listener)
        self._stack = ExitStack()
        self.now: Installation = self._stack.enter_context(self._start())
        self.url, self.log = self.now.url, self.now.log

    def restart(self) -> None:
        """End it in order, and start it again; who posts meanwhile waits at the socket."""
        self._stack.close()
        for left in reversed(range(TRIES)):
            try:
                self.now = self._stack.enter_context(self._start())
            except AssertionError:  # it could not start: no database, no room
                if left == 0:
                    raise
                time.sleep(1)
            else:
                return

    def reload(self, within: float) -> bool:
        """Whether all processes were replaced."""
        before = self._ended()
        self.now.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + within
        while self._ended() == before and time.monotonic() < deadline:
            time.sleep(0.05)
        return self._ended()[0] > before[0]

    def _ended(self) -> list[int]:
        return [len(self.now.lines(event)) for event in ENDED]

    def parts(self, part: str) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return self.now.parts(part)
        return []

    def kill(self, part: str) -> bool:
        with suppress(psutil.NoSuchProcess):
            return self.now.kill(part)
        return False

    def is_ready(self) -> bool:
        return self.now.process.poll() is None and self.now.is_ready()

    def close(self) -> None:
        self._stack.close()
        self._listener.close()


@contextmanager
def service(
    folder: Path, database_url: str, setup: Setup, base_url: str, within: Sequence[str] = ()
) -> Iterator[Service]:
    running = Service(folder, database_url, setup, base_url, within)
    try:
        yield running
    finally:
        running.close()
