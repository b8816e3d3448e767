"""Bodies are whole before they cost a thread: read by the event loop, within bounds of bytes, senders and time."""

import asyncio
import ipaddress
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

IN_MEMORY = 64 * 1024
"""Bytes of a body past which it is spilled to a file without a name."""

UNFINISHED = 256 * 1024 * 1024
"""Bytes of all bodies that are not answered yet, in all web processes of an installation."""

FOR_SMALL_ONES = UNFINISHED // 4
"""Of these, what large bodies can't take: a small one finds room beside them."""

PER_ADDRESS = 32
"""Bodies of one sender that take their time at once, in all web processes of an installation."""

PATIENCE = 1.0
"""Seconds after which a body takes its time. What is sent in one go never counts as a connection of its sender."""

WHOLE_WITHIN = 15.0
"""Seconds from the head of a request to the end of its body."""

Receive = Callable[[], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True)
class Bounds:
    """What the bodies of one web process may take, which is one of `processes`.

    `most`: bytes kept of one body; what follows is read and thrown away, and one byte more tells that it was longer.
    `spill_to`: the folder of the files; None is the system's temporary one.
    `trusted_proxies`: how many proxies stand in front, each of which has added an address to X-Forwarded-For.
    """

    most: int
    processes: int = 1
    trusted_proxies: int = 0
    spill_to: Path | None = None

    @property
    def unfinished(self) -> int:
        return UNFINISHED // self.processes

    @property
    def unfinished_large(self) -> int:
        return (UNFINISHED - FOR_SMALL_ONES) // self.processes

    @property
    def per_address(self) -> int:
        return -(-PER_ADDRESS // self.processes)


class NotWholeError(Exception):
    """The body did not come whole, or there is no room for it; `status` None where nobody is left to answer."""

    def __init__(self, status: int | None) -> None:
        self.status = status
        super().__init__(status)


class Body:
    """The bytes of one request, counted as long as it is not answered."""

    def __init__(self, room: "Room") -> None:
        self._room = room
        folder = None if room.bounds.spill_to is None else str(room.bounds.spill_to)
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=folder)  # noqa: SIM115 - see close
        self.size = 0

    def add(self, chunk: bytes) -> None:
        """Raises NotWholeError where there is no room for it. What is past the longest body is dropped."""
        kept = chunk[: max(0, self._room.bounds.most + 1 - self.size)]
        if not self._room.takes(self.size, len(kept)):
            raise NotWholeError(503)
        self.size += len(kept)
        try:
            self._file.write(kept)
        except OSError as error:  # the disk is full: smaller bodies need none
            raise NotWholeError(503) from error

    def reader(self) -> IO[bytes]:
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        self._room.unfinished -= self.size
        self.size = 0
        self._file.close()


@dataclass
class Room:
    """What of the bounds is taken now. Used by the event loop alone."""

    bounds: Bounds
    unfinished: int = 0
    slow: "Counter[str]" = field(default_factory=Counter)
    """Bodies that take their time, by sender."""
    collecting: "set[_Collecting]" = field(default_factory=set)

    def takes(self, before: int, more: int) -> bool:
        """Whether a body of so many bytes finds room for some more, which are its own from then on."""
        small = before + more <= IN_MEMORY
        if self.unfinished + more > (self.bounds.unfinished if small else self.bounds.unfinished_large):
            return False
        self.unfinished += more
        return True

    def end_slow_ones(self) -> None:
        """What is not whole by now is not waited for: this process ends, and its sender has to come again."""
        for one in list(self.collecting):
            one.give_up(503)

    async def collect(self, headers: Mapping[bytes, bytes], peer: str, receive: Receive) -> Body:
        """The whole body. Raises NotWholeError."""
        body = Body(self)
        try:
            if b"content-length" in headers or b"transfer-encoding" in headers:
                with _Collecting(self, sender(headers, peer, self.bounds.trusted_proxies)) as collecting:
                    await _read(body, receive, collecting)
        except BaseException:
            body.close()
            raise
        return body


class _Collecting:
    """Looks after one body while it comes: after a while it takes a connection of its sender, or is given up."""

    def __init__(self, room: Room, sender: str) -> None:
        self._room = room
        self._sender = sender
        self._task: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._slow = False
        self.gave_up: int | None = None
        """The status that the sender is answered with."""

    def __enter__(self) -> "_Collecting":
        loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(loop)
        self._timer = loop.call_later(PATIENCE, self._takes_its_time, loop)
        self._room.collecting.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._room.collecting.discard(self)
        if self._slow:
            self._room.slow[self._sender] -= 1
            if self._room.slow[self._sender] <= 0:
                del self._room.slow[self._sender]

    def give_up(self, status: int) -> None:
        if self.gave_up is None and self._task is not None:
            self.gave_up = status
            self._task.cancel()

    def _takes_its_time(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._room.slow[self._sender] >= self._room.bounds.per_address:
            self.give_up(503)
            return
        self._room.slow[self._sender] += 1
        self._slow = True
        self._timer = loop.call_later(WHOLE_WITHIN - PATIENCE, self.give_up, 408)


async def _read(body: Body, receive: Receive, collecting: _Collecting) -> None:
    try:
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise NotWholeError(None)
            if chunk := message.get("body"):
                body.add(chunk)
            more = message.get("more_body", False)
    except asyncio.CancelledError:
        if collecting.gave_up is None:
            raise
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        raise NotWholeError(collecting.gave_up) from None


def sender(headers: Mapping[bytes, bytes], peer: str, trusted_proxies: int) -> str:
    """Whose connections are counted together: an address, of IPv6 the network that one customer has."""
    told = [part.strip() for part in headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")]
    name = told[-trusted_proxies] if 0 < trusted_proxies <= len(told) else peer
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return peer
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)
