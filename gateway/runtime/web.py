"""The web processes of an installation: so many of them, on one listening socket that they all inherit.

granian can keep several workers itself, but (2.8, tried out) its master leaves when a worker that it has just
replaced dies within 5.5 seconds; killed, it leaves its workers behind, holding the port; and each worker has a socket
of its own (SO_REUSEPORT), so connections that wait for a worker that dies are reset, and a second gateway on the same
port is not refused but takes half of the webhooks. So the supervisor keeps the processes, and this one socket: while
any of them lives it answers, while none does the connections wait, and a taken port is told.
"""

import os
import socket
from collections.abc import Mapping, MutableMapping

import structlog

from gateway.errors import ConfigError, StartError
from gateway.runtime.supervisor import Child

APPLICATION = "gateway.app:application"
"""A function without arguments, called in each process, that returns a `bridge.Served`."""

BACKLOG = 1024

FIRST_PASSED = 3
"""The descriptor at which passed sockets begin."""

ENDS_WITHIN = 10.0
"""Seconds: a commit that waits its longest, and the answers to those who queue behind it."""

THREADS = 64
"""Requests that one process works on at once. Most of them wait for the group commit that they share."""

log = structlog.get_logger()


def listen(host: str, port: int) -> socket.socket:
    """The socket that all web processes share; port 0 takes a free one. Raises StartError where that can't be."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections inherit it; without it an answer can wait 40 ms for the acknowledgement of its own head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StartError(
            f"can't listen on {host}:{port}: {error.strerror}. Choose another port with --port or PORT."
        ) from error
    listener.listen(BACKLOG)
    listener.setblocking(False)
    log.info("web.listens", host=host, port=listener.getsockname()[1])
    return listener


def passed(environ: MutableMapping[str, str]) -> socket.socket | None:
    """The listening socket that a service manager passed (`LISTEN_FDS`), taken out of the environment.

    It outlives this process: while nobody takes connections from it, they wait. None where none was passed to us.
    https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html. Raises ConfigError.
    """
    said = {name: environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
    if said["LISTEN_PID"] != str(os.getpid()) or said["LISTEN_FDS"] in ("", "0"):
        return None
    if said["LISTEN_FDS"] != "1":
        raise ConfigError(f"LISTEN_FDS: {said['LISTEN_FDS']!r} sockets were passed; the gateway takes one, of TCP")
    try:
        listener = socket.socket(fileno=FIRST_PASSED)
        listens = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise ConfigError(f"LISTEN_FDS: descriptor {FIRST_PASSED} is no socket ({error.strerror})") from error
    if listener.family not in (socket.AF_INET, socket.AF_INET6) or listener.type != socket.SOCK_STREAM or not listens:
        raise ConfigError("LISTEN_FDS: the socket that was passed is not one of TCP that listens (ListenStream=PORT)")
    listener.set_inheritable(False)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setblocking(False)
    return listener


def children(
    listener: socket.socket, processes: int, env: Mapping[str, str], application: str = APPLICATION
) -> list[Child]:
    """The web processes for the supervisor. `env` holds what the application reads in each."""
    numbers = map(str, (listener.fileno(), THREADS, processes))
    argv = ["gateway.runtime.server", application, *numbers]
    return [
        Child(f"web-{number}", argv, env, ENDS_WITHIN, listener=listener, is_ours=True)
        for number in range(1, processes + 1)
    ]
