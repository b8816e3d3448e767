"""A small HTTP proxy that knows CONNECT, on this machine."""

import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.lumail.peer import peer

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass
class Proxied:
    """`asked` are the heads that the proxy was sent, `tunnels` the two ends of each connection it made."""

    port: int = 0
    asked: list[bytes] = field(default_factory=list)
    tunnels: list[tuple[socket.socket, socket.socket]] = field(default_factory=list)

    def url(self, user: str = "") -> str:
        return f"http://{user}127.0.0.1:{self.port}"

    def die(self) -> None:
        """Break every tunnel."""
        for ends in self.tunnels:
            for end in ends:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


def head(connection: socket.socket) -> bytes:
    """What is asked, up to the empty line."""
    found = b""
    while b"\r\n\r\n" not in found:
        piece = connection.recv(4096)
        if not piece:
            break
        found += piece
    return found


@contextmanager
def proxy(answer: Callable[[socket.socket], bool] | None = None) -> Iterator[Proxied]:
    """`answer` may speak in its place; what it returns says whether the tunnel is made all the same."""
    made = Proxied()

    def talk(connection: socket.socket) -> None:
        made.asked.append(head(connection))
        if answer is not None and not answer(connection):
            return
        host, _, port = made.asked[-1].split()[1].decode().rpartition(":")
        with socket.create_connection((host, int(port)), 5) as there:
            there.settimeout(None)
            made.tunnels.append((connection, there))
            connection.sendall(ESTABLISHED)
            _pass_on(connection, there)

    with peer(talk) as listening:
        made.port = listening.port
        yield made
        made.die()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with selectors.DefaultSelector() as ready:
        ready.register(one, selectors.EVENT_READ, other)
        ready.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in ready.select():
                piece = key.fileobj.recv(65536)  # type: ignore[union-attr]  # only sockets are registered
                if not piece:
                    return
                key.data.sendall(piece)


def saying(answer: bytes) -> Callable[[socket.socket], bool]:
    """These bytes, and the end."""

    def speak(connection: socket.socket) -> bool:
        connection.sendall(answer)
        return False

    return speak


@contextmanager
def stuck(every: float | None = None, what: bytes = b"X") -> Iterator[Callable[[socket.socket], bool]]:
    """One that never gets to the end of its answer: it says nothing, or a byte from time to time."""
    stop = threading.Event()

    def speak(connection: socket.socket) -> bool:
        while not stop.wait(every):
            connection.sendall(what)
        return False

    yield speak
    stop.set()
