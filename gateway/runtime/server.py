"""One web process: granian's event loop on a socket that the process inherits, until SIGTERM.

What was tried out of it (2.8): a sender who goes away within a body is told as `http.disconnect`; a HEAD's answer is
sent without its body; more than 99 headers, or headers past HTTP's limit, are answered with 431; a connection that
says nothing for `header_read_timeout` is closed, also between two requests; an answer before the end of the body closes
the connection; what waits to be read of a connection that has not begun a request is lost when the loop is told to end.
"""

import asyncio
import atexit
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import Any

from granian import _futures, _granian, asgi
from granian._loops import loops
from granian.constants import Loops
from granian.http import HTTP1Settings

from gateway.runtime.bridge import Bridge, Served
from gateway.runtime.logs import configure_logs
from gateway.runtime.supervised import tell_ready
from gateway.runtime.web import BACKLOG

CONNECTIONS = 8192
"""Open at once, idle ones included; past it the process takes no more and leaves them to the others."""

FILES_BESIDE = 256
"""Descriptors that are neither connections nor their bodies."""

HTTP = HTTP1Settings(header_read_timeout=10_000, max_buffer_size=64 * 1024)
"""Milliseconds that a sender may take for the headers, and bytes that they may have."""

ENDING = {signal.SIGTERM, signal.SIGINT}
"""Taken with sigwait: of granian's own handler one signal in ten was lost that came while a worker was starting."""

LEAVING = 0.5
"""Seconds in which connections that are kept learn with an answer that it was the last."""

BODIES_END = 1.5
"""Seconds from the signal in which a body that is coming may become whole."""

# granian runs its workers from its own command only; its stubs know less than the modules that they describe.
native: Any = _granian
futures: Any = _futures
wrapping: Any = asgi


def serve(application: str, descriptor: int, threads: int, processes: int) -> None:
    """Answers with what `application` (module:function) returns, a Served; at SIGTERM finishes what it has begun."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    module, _, function = application.partition(":")
    served: Served = getattr(import_module(module), function)()
    loop = loops.get(Loops.asyncio)
    bridge = Bridge(replace(served, bounds=replace(served.bounds, processes=processes)), threads)
    worker = native.ASGIWorker(
        1,
        (None, native.SocketHolder(descriptor, False, BACKLOG)),
        None,
        backpressure=_connections(),
        http1_opts=HTTP,
        websockets_enabled=False,
    )
    answer = futures._future_watcher_wrapper(wrapping._callback_wrapper(bridge, {"url_path_prefix": None}, {}, None))
    end, ended = native.WorkerSignal(), asyncio.Event()
    end.add_cb(lambda: loop.call_soon_threadsafe(ended.set))
    worker.serve_mtr(futures._new_cbscheduler(loop, answer, impl_asyncio=True), loop, end)
    asked = asyncio.Event()
    threading.Thread(target=_await_signal, args=(loop, asked), name="signals", daemon=True).start()
    tell_ready()
    loop.run_until_complete(_until_ended(bridge, descriptor, asked, end, ended))
    bridge.close()
    _exit()


async def _until_ended(bridge: Bridge, descriptor: int, asked: asyncio.Event, end: Any, ended: asyncio.Event) -> None:
    await asked.wait()
    bridge.leaving = True
    with _takes_no_more(descriptor):
        await asyncio.sleep(LEAVING)
        end.set()
        await asyncio.sleep(BODIES_END - LEAVING if bridge.room.is_collecting else 0)
        bridge.room.end_slow_ones()
        await ended.wait()


def _takes_no_more(descriptor: int) -> socket.socket:
    """Puts a socket that nobody knows in the place of the one that connections come from.

    Others go on taking connections from that; granian would take some, and close them unanswered as it ends.
    """
    nobody = socket.create_server(("127.0.0.1", 0))
    nobody.setblocking(False)
    os.dup2(nobody.fileno(), descriptor)
    return nobody


def _await_signal(loop: asyncio.AbstractEventLoop, asked: asyncio.Event) -> None:
    signal.sigwait(ENDING)
    loop.call_soon_threadsafe(asked.set)


def _exit() -> None:
    """What is to be done at the end is done, and the interpreter left as it is: now and then one of granian's threads
    still lets go of something when the interpreter has begun to go, which aborts the process.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _connections() -> int:
    """As many as the process may have files, its limit raised as far as that goes. Each may have a body in a file."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS + FILES_BESIDE
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        raised = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, most))
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        CONNECTIONS if allowed == resource.RLIM_INFINITY else max(64, min(CONNECTIONS, (allowed - FILES_BESIDE) // 2))
    )


def main(arguments: Sequence[str]) -> None:
    """`arguments` are those of `serve`, in words."""
    configure_logs()
    application, *numbers = arguments
    serve(application, *map(int, numbers))


if __name__ == "__main__":
    main(sys.argv[1:])
