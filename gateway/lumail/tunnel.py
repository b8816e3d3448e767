"""The way to Lumail through a proxy: a connection on which CONNECT was answered, and nothing else was said.

The proxy gets Lumail's name and port and its own password. What is sent afterwards goes to Lumail, so that nothing
counts as sent before. Plain HTTP goes this way too: else the proxy had the whole request, and its word would pass for
Lumail's.
"""

import os
import re
import socket
import time

from urllib3.util.connection import create_connection

from gateway.outgoing import Proxy

_LONGEST_ANSWER = 64 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})[ \r\n]")
_END = re.compile(rb"\r?\n\r?\n")
_ASKED_FOR_PASSWORD = 407


class ProxyError(Exception):
    """There is no way through the proxy. Its text names neither the proxy nor its password."""


def reach(proxy: Proxy, until: float) -> socket.socket:
    """A connection to the proxy itself, before the time `until` of `time.monotonic()`."""
    try:
        return create_connection(
            (proxy.host, proxy.port), _left(until), socket_options=[(socket.SOL_TCP, socket.TCP_NODELAY, 1)]
        )
    except socket.gaierror as error:
        raise ProxyError("the proxy's name can't be resolved") from error
    except OSError as error:
        raise ProxyError(f"the proxy: {_why(error)}") from error


def lead_through(connection: socket.socket, proxy: Proxy, host: str, port: int, until: float) -> None:
    """Let the proxy connect it to `host`, before the same time."""
    timeout = connection.gettimeout()
    try:
        connection.settimeout(_left(until))
        connection.sendall(_question(proxy, host, port))
        status = _answer(connection, until)
        connection.settimeout(timeout)
    except OSError as error:
        raise ProxyError(f"the proxy: {_why(error)}") from error
    if status == _ASKED_FOR_PASSWORD:
        wrong = "wants a user and password" if proxy.authorization is None else "refuses its user and password"
        raise ProxyError(f"the proxy {wrong} (407)")
    if not 200 <= status < 300:
        raise ProxyError(f"the proxy answered {status}")


def _question(proxy: Proxy, host: str, port: int) -> bytes:
    authority = f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _answer(connection: socket.socket, until: float) -> int:
    """The status of the proxy's answer. The other side speaks only when spoken to: what follows a yes is not its."""
    head = b""
    while (end := _END.search(head)) is None:
        connection.settimeout(_left(until))
        piece = connection.recv(4096)
        head += piece
        if not piece or len(head) > _LONGEST_ANSWER:
            raise ProxyError("the proxy ended the connection" if not piece else "the proxy's answer can't be read")
    status = _STATUS.match(head)
    if status is None or (status[1].startswith(b"2") and end.end() < len(head)):
        raise ProxyError("the proxy's answer can't be read")
    return int(status[1])


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _why(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return os.strerror(error.errno) if error.errno else type(error).__name__
