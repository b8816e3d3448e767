"""A cheap sender: requests that are rendered beforehand, on kept-alive connections, from one thread of a process."""

import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

_TIMEOUT = 30.0
"""Seconds without any answer after which the measurement is broken."""

_BETWEEN_CONNECTIONS = 0.01


@dataclass(frozen=True)
class Load:
    """How a run of requests went. Latencies are in milliseconds, from the first byte sent to the last one received.

    `sender` is the share of one core that the sender itself took: near 1 it, and not the server, was measured.
    """

    requests: int
    seconds: float
    latencies: tuple[float, ...]
    refused: int
    sender: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    def latency(self, share: float) -> float:
        """The latency that so many of the requests kept."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def post_all(port: int, requests: Sequence[bytes], connections: int) -> Load:
    """Send all of them, each connection one at a time, and wait for every answer."""
    waiting = iter(requests)
    latencies: list[float] = []
    refused = 0
    lines = [_connected(port) for _ in range(connections)]
    by_descriptor = {line.fileno(): line for line in lines}
    with selectors.EpollSelector() as selector:
        sent: dict[int, float] = {}
        began, cpu = time.perf_counter(), time.process_time()
        for line in lines:
            request = next(waiting, None)
            if request is not None:
                selector.register(line, selectors.EVENT_READ)
                sent[line.fileno()] = time.perf_counter()
                line.sendall(request)
        while sent:
            ready = selector.select(_TIMEOUT)
            if not ready:
                raise TimeoutError(f"no answer for {_TIMEOUT:g} s")
            for key, _ in ready:
                line = by_descriptor[key.fd]
                refused += not _is_accepted(line)
                now = time.perf_counter()
                latencies.append((now - sent.pop(key.fd)) * 1000)
                request = next(waiting, None)
                if request is None:
                    selector.unregister(line)
                    continue
                sent[key.fd] = now
                line.sendall(request)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    for line in lines:
        line.close()
    return Load(len(latencies), seconds, tuple(latencies), refused, cpu / seconds)


def _connected(port: int) -> socket.socket:
    """One connection, and time for the process that is free to take it: a burst goes to whichever wakes first."""
    line = socket.create_connection(("127.0.0.1", port))
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    time.sleep(_BETWEEN_CONNECTIONS)
    return line


def _is_accepted(line: socket.socket) -> bool:
    """Read one whole answer; whether its status is 200."""
    answer = line.recv(65536)
    while b"\r\n\r\n" not in answer:
        answer += _more(line)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    got = len(body)
    while got < length:
        got += len(_more(line))
    return head.startswith(b"HTTP/1.1 200")


def _more(line: socket.socket) -> bytes:
    piece = line.recv(65536)
    if not piece:
        raise ConnectionError("the server closed the connection")
    return piece
