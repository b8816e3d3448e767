"""Redis in other shapes than the private one: on a port, as a cluster, and with a Sentinel that knows it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from gateway.runtime import private_redis
from tests.services import free_port
from tests.waiting import eventually


def _answers(port: int) -> bool:
    try:
        with redis.Redis(port=port, socket_timeout=2) as connection:
            return bool(connection.ping())
    except redis.RedisError:
        return False


LOWEST_WITHOUT_BUS = 65_536 - 10_000
"""A node of a cluster listens 10,000 ports above its own, too."""


@contextmanager
def served(folder: Path, *settings: str) -> Iterator[int]:
    """A server on a port of this machine, which it gives."""
    program = private_redis.binary()
    assert program is not None
    port = next(free for free in iter(free_port, None) if free < LOWEST_WITHOUT_BUS)
    where = ("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "")
    process = subprocess.Popen([program, *where, *settings], stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: _answers(port), what="Redis answers")
        yield port
    finally:
        process.kill()
        process.wait()


@contextmanager
def sentinel(folder: Path) -> Iterator[str]:
    """The URL of a master by its Sentinel, of which a second one in the list does not answer."""
    with served(folder) as master:
        port = free_port()
        file = folder / "sentinel.conf"
        file.write_text(f"port {port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor orders 127.0.0.1 {master} 1\n")
        program = private_redis.binary()
        assert program is not None
        process = subprocess.Popen([program, str(file), "--sentinel"], stdout=subprocess.DEVNULL)
        try:
            eventually(lambda: _answers(port), what="the Sentinel answers")
            yield f"redis+sentinel://127.0.0.1:9,127.0.0.1:{port}/orders/0"
        finally:
            process.kill()
            process.wait()
