"""A web server on this machine that answers as it is told, for what the gateway fetches from elsewhere."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Webserver:
    """`asked` are the paths that were asked for."""

    url: str
    asked: list[str] = field(default_factory=list)


Answering = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def webserver(answer: Answering) -> Iterator[Webserver]:
    """Each GET is answered by `answer`, which writes to the handler that it gets."""
    made = Webserver("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        made.url = f"http://127.0.0.1:{server.server_port}"
        yield made
        server.shutdown()
        thread.join()


def answering(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Answering:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer
