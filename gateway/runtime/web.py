"""The web processes of an installation: so many of them, on one listening socket that they all inherit.

granian can keep several workers itself, but (2.8, tried out) its master leaves when a worker that it has just
replaced dies within 5.5 seconds; killed, it leaves its workers behind, holding the port; and each worker has a socket
of its own (SO_REUSEPORT), so connections that wait for a worker that dies are reset, and a second gateway on the same
port is not refused but takes half of the webhooks. So the supervisor keeps the processes, and this one socket: while
any of them lives it answers, while none does the connections wait, and a taken port is told.
"""

import socket
import sys
from collections.abc import Mapping

import structlog

from gateway.errors import CommandError
from gateway.runtime import supervisor
from gateway.runtime.supervisor import Child

APPLICATION = "gateway.app:application"
"""A function without arguments, called in each process, that returns the WSGI application."""

BACKLOG = 1024

THREADS = 64
"""More than the work needs: a slow sender holds a thread while its body comes. Those not needed are not started."""

log = structlog.get_logger()


def listen(host: str, port: int) -> socket.socket:
    """The socket that all web processes share; port 0 takes a free one. Raises CommandError where that can't be."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections inherit it; without it an answer can wait 40 ms for the acknowledgement of its own head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CommandError(
            f"can't listen on {host}:{port}: {error.strerror}. Choose another port with --port or PORT."
        ) from error
    listener.listen(BACKLOG)
    listener.setblocking(False)
    log.info("web.listens", host=host, port=listener.getsockname()[1])
    return listener


def children(
    listener: socket.socket, processes: int, env: Mapping[str, str], application: str = APPLICATION
) -> list[Child]:
    """The web processes for the supervisor. `env` holds what the application reads in each."""
    argv = [sys.executable, "-m", "gateway.runtime.server", application, str(listener.fileno()), str(THREADS)]
    return [Child(f"web-{number}", argv, env, listener=listener) for number in range(1, processes + 1)]


def serve(host: str, port: int, processes: int, env: Mapping[str, str]) -> None:
    """The web processes alone, until SIGTERM or SIGINT."""
    supervisor.run([children(listen(host, port), processes, env)])
