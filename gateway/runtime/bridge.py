"""From the event loop to the application and back: a whole request becomes a call of WSGI on a thread.

The application meets PEP 3333, with these choices: of a header sent twice the last counts; a header whose name has an
underscore is dropped, since `X_A` could not be told from `X-A`; `CONTENT_LENGTH` is what the sender declared, and
`wsgi.input` holds one byte more than the longest body at the most.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any
from urllib.parse import unquote_to_bytes

import structlog

from gateway.errors import place_of
from gateway.runtime.collecting import Body, Bounds, NotWholeError, Receive, Room

HEALTH = {"/healthz": 1, "/readyz": 2}
"""Threads of their own, so that these are answered while all others are taken."""

AT_ONCE = 1024 * 1024
"""Bytes of an answer of known length up to which it is sent in one piece."""

RETRY_AFTER = b"5"

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

_log = structlog.get_logger()

_BASE: dict[str, Any] = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "SCRIPT_NAME": "",
    "SERVER_SOFTWARE": "granian",
    "wsgi.errors": sys.stderr,
    "wsgi.input_terminated": True,
    "wsgi.multiprocess": True,
    "wsgi.multithread": True,
    "wsgi.run_once": False,
    "wsgi.version": (1, 0),
}


@dataclass(frozen=True)
class Served:
    """What a web process answers with: a WSGI application and the bounds of the bodies that it takes."""

    application: Application
    bounds: Bounds


@dataclass
class _Answer:
    status: int = 500
    headers: list[tuple[bytes, bytes]] | None = None

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], Any]:
        del exc_info
        self.status = int(status.split(" ", 1)[0])
        self.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return _no_write

    @property
    def length(self) -> int | None:
        return next((int(value) for name, value in self.headers or () if name == b"content-length"), None)


def _no_write(_: bytes) -> None:
    raise NotImplementedError("this server takes an answer's body from what the application returns")


class Bridge:
    """An ASGI application in front of a WSGI one. Made and called by the event loop, save where it says otherwise."""

    def __init__(self, served: Served, threads: int) -> None:
        self._application = served.application
        self.room = Room(served.bounds)
        self._loop = asyncio.get_event_loop_policy().get_event_loop()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._health = {path: ThreadPoolExecutor(most, thread_name_prefix="health") for path, most in HEALTH.items()}
        self._done: deque[tuple[asyncio.Future[Any], Any]] = deque()
        self._woken = False
        self.leaving = False
        """Whether each answer is the last on its connection."""

    def close(self) -> None:
        """Not on the event loop: waits for what is under way."""
        for pool in (self._threads, *self._health.values()):
            pool.shutdown(wait=True)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        try:
            body = await self.room.collect(headers, scope["client"][0], receive)
        except NotWholeError as error:
            await _refuse(send, error.status)
            return
        try:
            await self._answered(scope, headers, body, send)
        finally:
            body.close()

    async def _answered(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes], body: Body, send: Send) -> None:
        future = self._loop.create_future()
        pool = self._health.get(scope["path"], self._threads)
        pool.submit(self._call, _environ(scope, headers, body), send, future)
        answer, whole = await future
        if whole is not None:
            await send(self._head(answer))
            await send({"type": "http.response.body", "body": whole})

    def _head(self, answer: _Answer) -> dict[str, Any]:
        headers = [*(answer.headers or ()), *([(b"connection", b"close")] if self.leaving else ())]
        return {"type": "http.response.start", "status": answer.status, "headers": headers}

    def _call(self, environ: dict[str, Any], send: Send, future: "asyncio.Future[Any]") -> None:
        """On a thread: the application, to the end of its answer. A long one is passed on while it is made."""
        answer = _Answer()
        try:
            whole = self._run(environ, answer, send)
        except Exception as error:  # noqa: BLE001 - the thread's last word; nobody else would tell
            _log.error("web.failed", error=type(error).__name__, at=place_of(error))
            answer, whole = _Answer(500, [(b"content-length", b"0")]), b""
        self._done.append((future, (answer, whole)))
        if not self._woken:  # one call of the loop for all that is done by then
            self._woken = True
            self._loop.call_soon_threadsafe(self._wake)

    def _run(self, environ: dict[str, Any], answer: _Answer, send: Send) -> bytes | None:
        """The whole body, or None where it has been sent piece by piece."""
        chunks = self._application(environ, answer.start)
        try:
            pieces = iter(chunks)
            first = next(pieces, b"")
            length = answer.length
            if length is not None and length <= AT_ONCE:
                return b"".join([first, *pieces])
            self._pass_on(send, self._head(answer))
            for piece in chain([first], pieces):
                self._pass_on(send, {"type": "http.response.body", "body": piece, "more_body": True})
            self._pass_on(send, {"type": "http.response.body", "body": b"", "more_body": False})
            return None
        finally:
            if (close := getattr(chunks, "close", None)) is not None:
                close()

    def _pass_on(self, send: Send, message: Mapping[str, Any]) -> None:
        asyncio.run_coroutine_threadsafe(_sent(send, message), self._loop).result()

    def _wake(self) -> None:
        self._woken = False
        while self._done:
            future, result = self._done.popleft()
            if not future.done():
                future.set_result(result)


async def _sent(send: Send, message: Mapping[str, Any]) -> None:
    await send(message)


async def _refuse(send: Send, status: int) -> None:
    """An answer before the body was read ends the connection."""
    headers = [(b"connection", b"close"), (b"content-length", b"0")]
    if status == 503:
        headers.append((b"retry-after", RETRY_AFTER))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


_NAMES = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}


def _environ(scope: Mapping[str, Any], headers: Mapping[bytes, bytes], body: Body) -> dict[str, Any]:
    path = scope["raw_path"]
    environ = {
        **_BASE,
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": (unquote_to_bytes(path) if b"%" in path else path).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": scope["server"][0],
        "SERVER_PORT": str(scope["server"][1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0],
        "wsgi.input": body.reader(),
        "wsgi.url_scheme": scope["scheme"],
    }
    for name, value in headers.items():
        if b"_" not in name:
            key = _NAMES.get(name) or f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}"
            environ[key] = value.decode("latin-1")
    return environ
