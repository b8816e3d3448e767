"""A WSGI application that tells which process answered, for tests of the processes around it."""

import os
import time
from collections.abc import Callable, Iterable
from typing import Any


def create_app() -> Callable[..., Iterable[bytes]]:
    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/slow":
            time.sleep(1)
        body = f"{os.getpid()} {len(environ['wsgi.input'].read())}".encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    return answer
