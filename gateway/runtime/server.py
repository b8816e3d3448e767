"""One web process: granian's WSGI server on a socket that the process inherits, until SIGTERM.

What the application meets there (2.8, tried out): `wsgi.input` streams, so a body that is not read takes no memory;
`read(n)` comes back with n bytes or the rest, and has no time limit; a sender who goes away leaves a body shorter
than CONTENT_LENGTH and no error; of a header sent twice the last counts, and `X_A` is taken for `X-A`. A HEAD's answer
is sent without its body. More than 99 headers, or headers past HTTP's limit, are answered with 431.
"""

import signal
import sys
import threading
from importlib import import_module
from typing import Any

from granian import _futures, _granian
from granian._loops import loops
from granian.constants import Loops
from granian.http import HTTP1Settings
from granian.wsgi import _callback_wrapper

from gateway.runtime.logs import configure_logs
from gateway.runtime.web import BACKLOG

CONNECTIONS = 1024
"""Open at once, idle ones included; past it the process takes no more and leaves them to the others."""

HTTP = HTTP1Settings(header_read_timeout=10_000, max_buffer_size=64 * 1024)
"""Milliseconds that a sender may take for the headers, and bytes that they may have."""

ENDING = {signal.SIGTERM, signal.SIGINT}
"""Taken with sigwait: of granian's own handler one signal in ten was lost that came while a worker was starting."""

# granian runs its workers from its own command only; its stubs know less than the modules that they describe.
native: Any = _granian
futures: Any = _futures


def serve(application: str, descriptor: int, threads: int) -> None:
    """Answers with what `application` (module:function) returns; at SIGTERM finishes what it has begun."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    module, _, function = application.partition(":")
    answer = _callback_wrapper(getattr(import_module(module), function)(), {"url_path_prefix": None})
    worker = native.WSGIWorker(
        1,
        (None, native.SocketHolder(descriptor, False, BACKLOG)),
        None,
        py_threads=threads,
        backpressure=CONNECTIONS,
        http1_opts=HTTP,
    )
    loop = loops.get(Loops.asyncio)
    end = native.WorkerSignal()
    ended = threading.Event()
    end.add_cb(ended.set)
    worker.serve_mtr(futures._new_cbscheduler(loop, answer, impl_asyncio=True), loop, end)
    signal.sigwait(ENDING)
    end.set()
    ended.wait()


if __name__ == "__main__":
    configure_logs()
    serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
