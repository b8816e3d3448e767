"""Bodies are whole before they cost a thread: read by the event loop, within bounds of bytes, senders and time."""

import asyncio
import ipaddress
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import IO, Any, cast

IN_MEMORY = 64 * 1024
"""Bytes of a body past which it is spilled to a file without a name."""

UNFINISHED = 256 * 1024 * 1024
"""Bytes of all bodies that are not answered yet, in all web processes of an installation."""

FOR_SMALL_ONES = UNFINISHED // 4
"""Of these, what large bodies can't take: a small one finds room beside them."""

PIECES = 1000
LEAST_PIECE = 64
"""A body comes in so many pieces at most, and one more for each so many bytes: each costs the event loop a turn, so
that a stream of single bytes would cost it far more than its length."""

PER_ADDRESS = 32
"""Bodies of one sender that take their time at once, in all web processes of an installation."""

PATIENCE = 1.0
"""Seconds after which a body takes its time. What is sent in one go never counts as a connection of its sender."""

WHOLE_WITHIN = 15.0
"""Seconds from the head of a request to the end of its body."""

LOOKS_EVERY = 0.25
"""Seconds between looks at how long bodies take."""

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
    """The body did not come whole, or there is no room for it; `status` is what its sender is told, if still there."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(status)


class Body:
    """The bytes of one request, counted as long as it is not answered."""

    def __init__(self, room: "Room") -> None:
        self._room = room
        self._only: bytes = b""
        """The first piece, as long as there is no other."""
        self._file: IO[bytes] | None = None
        self._is_on_disk = False
        self._pieces = 0
        self.size = 0

    def add(self, piece: bytes) -> None:
        """Raises NotWholeError where there is no room for it. What is past the longest body is dropped."""
        room, before = self._room, self.size
        kept = piece[: max(0, room.bounds.most + 1 - before)]
        if not room.takes(before, len(kept)):
            raise NotWholeError(503)
        self.size = before + len(kept)
        self._pieces += 1
        if self._pieces > PIECES + self.size // LEAST_PIECE:
            raise NotWholeError(400)
        if self._pieces == 1 and self.size <= IN_MEMORY:
            self._only = kept
            return
        try:
            self._write(kept)
        except OSError as error:  # the disk is full: smaller bodies need none
            raise NotWholeError(503) from error

    def _write(self, piece: bytes) -> None:
        if self._file is None:
            self._file = BytesIO()
            self._file.write(self._only)
            self._only = b""
        if self.size > IN_MEMORY and not self._is_on_disk:
            before = cast(BytesIO, self._file).getbuffer()
            self._file = tempfile.TemporaryFile(dir=self._room.bounds.spill_to)  # noqa: SIM115 - see close
            self._is_on_disk = True
            self._file.write(before)
        self._file.write(piece)

    def reader(self) -> IO[bytes]:
        if self._file is None:
            return BytesIO(self._only)
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        self._room.unfinished -= self.size
        self.size = 0
        if self._file is not None:
            self._file.close()


@dataclass(eq=False, slots=True)
class _Collecting:
    """One body while it comes."""

    since: float
    task: "asyncio.Task[Any]"
    sender: Callable[[], str]
    gave_up: int | None = None
    """The status that the sender is answered with."""

    def give_up(self, status: int) -> None:
        if self.gave_up is None:
            self.gave_up = status
            self.task.cancel()


class Room:
    """What of the bounds is taken now. Used by the event loop alone.

    Most bodies are whole at once, so none has a timer of its own: one looks at the oldest while there are any.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.unfinished = 0
        self._coming: dict[_Collecting, None] = {}
        self._slow: dict[_Collecting, str] = {}
        """Bodies that take their time, with their sender; both have the oldest first."""
        self._slow_of: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_collecting(self) -> bool:
        return bool(self._coming or self._slow)

    def takes(self, before: int, more: int) -> bool:
        """Whether a body of so many bytes finds room for some more, which are its own from then on."""
        small = before + more <= IN_MEMORY
        if self.unfinished + more > (self.bounds.unfinished if small else self.bounds.unfinished_large):
            return False
        self.unfinished += more
        return True

    def end_slow_ones(self) -> None:
        """What is not whole by now is not waited for: this process ends, and its sender has to come again."""
        for one in (*self._coming, *self._slow):
            one.give_up(503)

    async def collect(self, headers: Mapping[bytes, bytes], peer: str, receive: Receive) -> Body:
        """The whole body. Raises NotWholeError."""
        body = Body(self)
        try:
            if b"content-length" in headers or b"transfer-encoding" in headers:
                await self._collect(body, headers, peer, receive)
        except BaseException:
            body.close()
            raise
        return body

    async def _collect(self, body: Body, headers: Mapping[bytes, bytes], peer: str, receive: Receive) -> None:
        loop = asyncio.get_running_loop()
        # Called within a task, as a coroutine of the server's is.
        task = cast("asyncio.Task[Any]", asyncio.current_task(loop))
        one = _Collecting(loop.time(), task, partial(sender, headers, peer, self.bounds.trusted_proxies))
        self._coming[one] = None
        if self._timer is None:
            self._timer = loop.call_later(LOOKS_EVERY, self._look, loop)
        try:
            await _read(body, receive, one)
        finally:
            if one in self._coming:
                del self._coming[one]
            else:
                self._no_longer_slow(one)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        while self._coming and now - (oldest := next(iter(self._coming))).since >= PATIENCE:
            self._takes_its_time(oldest)
        for one in self._slow:
            if now - one.since < WHOLE_WITHIN:
                break
            one.give_up(408)
        self._timer = loop.call_later(LOOKS_EVERY, self._look, loop) if self.is_collecting else None

    def _takes_its_time(self, one: _Collecting) -> None:
        del self._coming[one]
        name = one.sender()
        if self._slow_of[name] >= self.bounds.per_address:
            one.give_up(503)
        self._slow[one] = name
        self._slow_of[name] += 1

    def _no_longer_slow(self, one: _Collecting) -> None:
        name = self._slow.pop(one)
        self._slow_of[name] -= 1
        if not self._slow_of[name]:
            del self._slow_of[name]


async def _read(body: Body, receive: Receive, collecting: _Collecting) -> None:
    try:
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise NotWholeError(400)  # gone, or sent what is no body
            if piece := message.get("body"):
                body.add(piece)
            more = message.get("more_body", False)
    except asyncio.CancelledError:
        if collecting.gave_up is None:
            raise
        collecting.task.uncancel()
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
