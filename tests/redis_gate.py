"""A way to a real Redis that can be shut: connections refused, or taken and never answered."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Gate:
    """Passes bytes on between a port of this machine and the server's socket."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._ends = threading.Event()
        self._silent = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._address = self._listener.getsockname()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._address[1]}/0"

    def silence(self) -> None:
        """Bytes go nowhere from now on, and nothing is told of it."""
        self._silent = True

    def refuse(self) -> None:
        """Nobody listens, and what was connected is cut."""
        self._stop()

    def open(self) -> None:
        if self._ends.is_set():
            self._ends = threading.Event()
            self._listener = socket.create_server(self._address)
            self._thread = threading.Thread(target=self._run)
            self._thread.start()
        self._silent = False

    def close(self) -> None:
        self._stop()

    def _stop(self) -> None:
        self._ends.set()
        self._thread.join()
        self._listener.close()
        for pair in self._pairs:
            for end in pair:
                end.close()
        self._pairs.clear()

    def _run(self) -> None:
        while not self._ends.is_set():
            others = {end: pair[1 - index] for pair in self._pairs for index, end in enumerate(pair)}
            watched = [self._listener] if self._silent else [self._listener, *others]
            for ready in select.select(watched, [], [], 0.02)[0]:
                if ready is self._listener:
                    self._take()
                elif ready in others and ready.fileno() >= 0:
                    self._pass_on(ready, others[ready])

    def _take(self) -> None:
        taken = self._listener.accept()[0]
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self._server))
        self._pairs.append((taken, server))

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        data = b""
        with suppress(OSError):
            data = source.recv(65536)
            target.sendall(data)
        if not data:
            self._pairs = [pair for pair in self._pairs if source not in pair]
            source.close()
            target.close()


@contextmanager
def gate(server: Path) -> Iterator[Gate]:
    made = Gate(server)
    try:
        yield made
    finally:
        made.close()
