"""Redis away means slower, not silent: whatever is wrong with it, what is due is delivered."""

import shutil
from pathlib import Path

import redis

from tests.crash.installation import Installation, Provider, Setup, installation, payments, settings_of
from tests.crash.telling import Told, told
from tests.redis_gate import gate
from tests.services import redis_server
from tests.waiting import eventually

SETUP = Setup(web=1, workers=1)
WITHIN = 60
"""Seconds for a busy machine; a quiet one needs two."""


def test_it_delivers_while_redis_is_silent_refuses_or_is_full_and_joins_it_again(
    tmp_path: Path, sqlite_url: str
) -> None:
    with (
        redis_server(tmp_path) as url,
        redis.Redis.from_url(url) as connection,
        gate(tmp_path / "redis" / "redis.sock") as way,
        installation(tmp_path, sqlite_url, SETUP, {"REDIS_URL": way.url}) as running,
    ):
        delivers(running, range(3))
        way.silence()
        delivers(running, range(3, 6))
        way.refuse()
        delivers(running, range(6, 9))
        way.open()
        connection.config_set("maxmemory-policy", "noeviction")
        connection.config_set("maxmemory", 1)
        delivers(running, range(9, 12))
        environ = settings_of(running, tmp_path, sqlite_url) | {"REDIS_URL": way.url}
        eventually(lambda: told(running, environ) == Told(200, frozenset(), frozenset({"redis"})), within=WITHIN)
        connection.config_set("maxmemory", 0)
        connection.config_resetstat()
        eventually(lambda: running.lines("worker.redis_is_back"), within=WITHIN, what="the worker listens again")
        eventually(lambda: called(connection), within=WITHIN, what="the worker waits for calls")
        delivers(running, range(12, 15))


def called(connection: "redis.Redis") -> bool:
    return "cmdstat_blpop" in connection.info("commandstats")


def delivers(running: Installation, numbers: range) -> None:
    Provider(running.url).post_all(payments(numbers))
    eventually(
        lambda: len(running.sandbox.events()) == numbers.stop, within=WITHIN, what=f"{numbers.stop} are delivered"
    )


def test_it_starts_and_delivers_without_any_redis_and_says_so(tmp_path: Path, sqlite_url: str) -> None:
    """A machine without a binary: nothing of what is on the PATH is one."""
    empty = tmp_path / "bin"
    empty.mkdir()
    assert shutil.which("redis-server", path=str(empty)) is None
    with installation(tmp_path, sqlite_url, SETUP, {"PATH": str(empty)}) as running:
        assert running.parts("redis") == []
        delivers(running, range(3))
        said = eventually(lambda: greeting(running), what="it says so")
    assert "There is no Redis here, so workers look every second for what is due." in said


def greeting(running: Installation) -> str | None:
    text = running.log.read_text()
    return text if "Now type, in another terminal" in text else None
