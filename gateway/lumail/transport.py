"""One request to Lumail: sent at most once, not after its time, ended on time, and knowing whether a byte left."""

import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit
from weakref import WeakSet

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from gateway.errors import ConfigError
from gateway.lumail.answer import Answer, read_date, read_rate_limit, read_tracked_event
from gateway.lumail.tunnel import ProxyError, lead_through, reach
from gateway.lumail.watchdog import Watch, watch_until
from gateway.outgoing import STRAIGHT, Outgoing, Proxy, new_session

BODY_LIMIT = 64 * 1024
"""How much of an answer's body is read, in bytes; a longer one is cut and its connection closed."""

_HEADER_TEXT = re.compile(r"[!-~]+")
_CLOSING_GRACE = 2.0  # seconds past ends_by after which a read gives up even if the watchdog had died


class _NotSentError(Exception):
    """Surely no byte of the request has left."""


class _TooLateError(_NotSentError):
    """`send_before` had passed before the first byte."""


class _Flight:
    """One request under way in this thread: its two deadlines, its way, and whether a byte left."""

    __slots__ = ("proxy", "send_before", "sent", "watch")

    def __init__(self, send_before: float, watch: Watch, proxy: Proxy | None = None) -> None:
        self.send_before = send_before
        self.watch = watch
        self.proxy = proxy
        self.sent = False

    def depart(self, connection: socket.socket, head: bytes) -> None:
        """Write the first bytes of the request, unless it is too late for it."""
        self.watch.attach(connection)
        if isinstance(connection, ssl.SSLSocket):
            self._check_time()
            self.sent = True  # before the write: what a failed one has put on the wire can't be known
            connection.sendall(head)
            return
        self._check_time()
        try:
            written = connection.send(head)
        except OSError as error:
            raise _NotSentError from error
        self.sent = True
        if written < len(head):
            connection.sendall(head[written:])

    def _check_time(self) -> None:
        if time.monotonic() >= self.send_before:
            raise _TooLateError


_this_thread = threading.local()  # .flight: what the connections below, made deep inside urllib3, belong to


def _write(connection: HTTPConnection, data: bytes) -> None:
    flight: _Flight = _this_thread.flight
    if connection.sock is None:
        connection.connect()
    if flight.sent:
        connection.sock.sendall(data)
    else:
        flight.depart(connection.sock, data)


def _connected(asked: HTTPConnection, straight: Callable[[], socket.socket]) -> socket.socket:
    flight: _Flight = _this_thread.flight
    proxy = flight.proxy
    connection = straight() if proxy is None else reach(proxy, flight.send_before)
    flight.watch.attach(connection)  # a TLS handshake that follows is under watch too
    if proxy is not None:
        try:
            lead_through(connection, proxy, asked.host, asked.port, flight.send_before)
        except BaseException:
            connection.close()
            raise
    return connection


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connected(self, super()._new_conn)

    def send(self, data: bytes) -> None:  # type: ignore[override]  # request bodies are always bytes here
        _write(self, data)


class _SecureConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connected(self, super()._new_conn)

    def send(self, data: bytes) -> None:  # type: ignore[override]  # request bodies are always bytes here
        _write(self, data)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: object) -> None:
        super().init_poolmanager(connections, maxsize, block, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


@dataclass
class _Line:
    """What one thread keeps between requests: its session, and the prepared `POST /events` with all but the body."""

    pid: int
    session: requests.Session
    post_event: requests.PreparedRequest


class Transport:
    """Requests to one Lumail organization. Safe to use from many threads: each has its own session and connection.

    Follows no redirect, retries nothing, takes nothing from the environment (proxies, netrc). What goes wrong with a
    request is told in the `Answer`; nothing is raised for it. Through a proxy, only what has passed it can have been
    sent; what goes wrong before is told as the proxy's.
    """

    def __init__(self, base_url: str, api_token: str, *, outgoing: Outgoing = STRAIGHT) -> None:
        address = urlsplit(base_url)
        if address.scheme not in ("http", "https") or not address.hostname or address.query or address.fragment:
            raise ConfigError(f"base URL {base_url!r}: expected something like https://lumail.io/api/v1")
        if not _HEADER_TEXT.fullmatch(api_token):
            raise ConfigError("the API token is empty or holds characters that can't stand in a header")
        self.base_url = base_url.rstrip("/")
        self._proxy = outgoing.proxy_to(base_url)
        self._verify = outgoing.verify
        self._headers = {
            "Authorization": f"Bearer {api_token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "lumail-gateway",
        }
        self._threads = threading.local()
        self._sessions: WeakSet[requests.Session] = WeakSet()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Transport({self.base_url!r})"

    def post_event(self, body: bytes, *, send_before: float, ends_by: float) -> Answer:
        """`POST /events`; `body` is the whole JSON document.

        Both deadlines are times of `time.monotonic()`. The first byte does not leave after `send_before` (checked just
        before the write: what passes between that check and the kernel, microseconds, can't be closed). At `ends_by`
        the socket is shut, whatever the answer is doing. Only finding the host (its name, then its addresses one by
        one) can hold the call longer, and then nothing is sent.
        """
        line = self._line()
        request = line.post_event
        request.body = body
        request.headers["Content-Length"] = str(len(body))
        return self._send(line.session, request, send_before, ends_by, reads_event=True)

    def exchange(
        self, method: str, path: str, body: bytes | None = None, *, send_before: float, ends_by: float
    ) -> Answer:
        """Any other request, with the same promises; `path` begins after the base URL and is percent-encoded."""
        line = self._line()
        request = self._prepared(line.session, method, path)
        if body is not None:
            request.body = body
            request.headers["Content-Length"] = str(len(body))
        return self._send(line.session, request, send_before, ends_by, reads_event=False)

    def close(self) -> None:
        """Close the idle connections of all threads."""
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.close()

    def _line(self) -> _Line:
        line: _Line | None = getattr(self._threads, "line", None)
        if line is None or line.pid != os.getpid():  # a forked child must not share its parent's connections
            session = new_session()
            for scheme in ("http://", "https://"):
                session.mount(scheme, _Adapter(pool_connections=1, pool_maxsize=1, max_retries=0))
            line = _Line(os.getpid(), session, self._prepared(session, "POST", "/events"))
            self._threads.line = line
            with self._lock:
                self._sessions.add(session)
        return line

    def _prepared(self, session: requests.Session, method: str, path: str) -> requests.PreparedRequest:
        return session.prepare_request(requests.Request(method, self.base_url + path, headers=self._headers))

    def _send(
        self,
        session: requests.Session,
        request: requests.PreparedRequest,
        send_before: float,
        ends_by: float,
        *,
        reads_event: bool,
    ) -> Answer:
        began = time.monotonic()
        if began >= send_before:
            return Answer(None, sent=False, duration=0.0, too_late=True, error="too late to send")
        flight = _Flight(send_before, watch_until(ends_by), self._proxy)
        _this_thread.flight = flight
        try:
            # The adapter, not session.send: that reads a redirect's body whole, however long it is.
            response = session.get_adapter(self.base_url).send(
                request,
                stream=True,
                timeout=(send_before - began, ends_by - began + _CLOSING_GRACE),
                verify=self._verify,
            )
            with response:
                return _read(response, flight, began, reads_event=reads_event)
        except _TooLateError:
            return Answer(None, sent=False, duration=_since(began), too_late=True, error="too late to send")
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, _NotSentError, ProxyError) as error:
            return Answer(None, sent=flight.sent, duration=_since(began), error=_words(error, flight))
        finally:
            flight.watch.end()


def _read(response: requests.Response, flight: _Flight, began: float, *, reads_event: bool) -> Answer:
    body, error = _read_body(response, flight)
    text = body.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
    date = read_date(response.headers.get("Date"))
    whole_event = reads_event and error is None and response.status_code == 200
    return Answer(
        status=response.status_code,
        sent=True,
        duration=_since(began),
        rate_limit=read_rate_limit(response.headers, date),
        date=date,
        event=read_tracked_event(text) if whole_event else None,
        error=error,
        body=text,
    )


def _read_body(response: requests.Response, flight: _Flight) -> tuple[bytes, str | None]:
    """The body up to the limit, and why it is not whole. A connection with something left on it is closed."""
    body = b""
    try:
        while len(body) <= BODY_LIMIT:
            piece = response.raw.read(BODY_LIMIT + 1 - len(body), decode_content=True)
            if not piece:
                return body, None
            body += piece
    except (urllib3.exceptions.HTTPError, OSError) as error:
        response.raw.close()
        return body, _words(error, flight)
    response.raw.close()
    return body[:BODY_LIMIT], "the answer's body is longer than is read"


def _words(error: BaseException, flight: _Flight) -> str:
    """What went wrong, from the innermost cause; the libraries' own texts are not used: they quote URLs."""
    if flight.watch.expired:
        return "no whole answer in time"
    if isinstance(error, ProxyError):
        return str(error)
    innermost = list(_causes(error))[-1]
    if isinstance(innermost, ssl.SSLCertVerificationError):
        return f"TLS: {innermost.verify_message}"
    if isinstance(innermost, ssl.SSLError):
        return f"TLS: {innermost.reason or 'failed'}"
    if isinstance(innermost, socket.gaierror):
        return "the host's name can't be resolved"
    if isinstance(innermost, TimeoutError):
        return "timed out"
    if isinstance(innermost, OSError) and innermost.errno:
        return os.strerror(innermost.errno)
    return type(innermost).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    inner: BaseException | None = error
    while inner is not None and id(inner) not in seen:
        seen.add(id(inner))
        yield inner
        held = (*inner.args, getattr(inner, "reason", None), inner.__cause__, inner.__context__)
        inner = next((each for each in held if isinstance(each, BaseException)), None)


def _since(began: float) -> float:
    return time.monotonic() - began
