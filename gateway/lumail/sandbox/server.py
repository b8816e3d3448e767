"""Serves the sandbox over HTTP, with the connection at hand: what drops, hangs or drips needs the bare socket.

No WSGI server that the gateway uses gives an application its socket, and werkzeug's, which does, closes the connection
after every answer; so this is Python's own `http.server`, a thread a connection, kept alive, each answer one write.
"""

import io
import signal
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from flask import Flask

from gateway.lumail.sandbox.middleware import WIRE

_BODY_LIMIT = 10_000_000


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "_Server"

    def answer(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or int(length) > _BODY_LIMIT:
            self.close_connection = True
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        environ = self._environ(self.rfile.read(int(length)))
        head: list[str] = []
        written: list[bytes] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: object = None, /
        ) -> Callable[[bytes], object]:
            head[:] = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
            return written.append

        pieces: Iterable[bytes] = self.server.app.wsgi_app(environ, start_response)
        body = b"".join([*written, *pieces])
        if callable(close := getattr(pieces, "close", None)):
            close()
        answer = "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + (b"" if self.command == "HEAD" else body)
        wire: Callable[[Any, bytes], None] | None = environ.get(WIRE)
        if wire is None:
            self.connection.sendall(answer)
            return
        self.close_connection = True
        wire(self.connection, answer)

    do_GET = do_HEAD = do_POST = do_DELETE = answer  # noqa: N815  # the names that http.server calls

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True  # the client has gone: that is its right

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name of the method that it replaces
        """The log is `GET /requests`."""

    def _environ(self, body: bytes) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        host, port = self.server.server_address[:2]
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": str(host),
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
        }
        for name, value in self.headers.items():
            environ.setdefault(f"HTTP_{name.upper().replace('-', '_')}", value)
        return environ


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], app: Flask) -> None:
        self.app = app
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Without looking up the host's name, as `http.server` does."""
        super(ThreadingHTTPServer, self).server_bind()


class SandboxServer:
    """The sandbox on a thread of this process, while the `with` block lasts. Port 0: a free one.

    `url` has no path; `base_url` is what a destination is configured with.
    """

    def __init__(self, app: Flask, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._server = _Server((host, port), app)
        self.port: int = self._server.server_address[1]
        self.url = f"http://{host}:{self.port}"
        self.base_url = f"{self.url}/api/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> "SandboxServer":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def serve(app: Flask, *, host: str = "127.0.0.1", port: int = 0, ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is called with the URL once connections are taken. Main thread only."""
    stop = threading.Event()
    former = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with SandboxServer(app, host=host, port=port) as server:
            if ready is not None:
                ready(server.url)
            stop.wait()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
