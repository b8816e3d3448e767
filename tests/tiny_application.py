"""A WSGI application that tells which process answered, for tests of the processes around it.

`/slow` takes a second, `/stuck` until the file `let-go` beside its log is there, `/stream` answers in pieces.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from gateway.runtime.bridge import Served
from gateway.runtime.collecting import Bounds

LONGEST = 1024 * 1024
LET_GO = "TINY_LET_GO"


def create_app() -> Served:
    return Served(answer, Bounds(most=LONGEST, trusted_proxies=1))


def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/slow":
        time.sleep(1)
    while path == "/stuck" and not Path(os.environ[LET_GO]).exists():
        time.sleep(0.01)
    if path == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return pieces()
    if path == "/broken":
        raise RuntimeError
    size = len(environ["wsgi.input"].read())
    told = environ.get(f"HTTP_{path.strip('/').upper()}", "") if path.startswith("/x_") else size
    body = f"{os.getpid()} {told}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def pieces() -> Iterator[bytes]:
    for number in range(3):
        yield f"piece {number}\n".encode()
