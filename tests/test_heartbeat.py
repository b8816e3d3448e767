"""How a process tells that it lives, and what it says of Redis."""

from pathlib import Path

import pytest
import redis

from gateway.ledger import heartbeats
from gateway.ledger.database import Ledger
from gateway.runtime import private_redis
from gateway.runtime.heartbeat import Heartbeat
from gateway.runtime.redis_trouble import RedisTrouble, looker
from tests.redis_kinds import served
from tests.waiting import eventually

NOBODY = "redis://127.0.0.1:9/0"


def alive(ledger: Ledger) -> list[heartbeats.Process]:
    with ledger.read() as connection:
        return list(heartbeats.alive(connection, ledger.now(connection)))


def test_a_process_is_heard_of_from_its_start_to_its_end(ledger: Ledger, tmp_path: Path) -> None:
    heartbeat = Heartbeat(ledger.url, heartbeats.WORKER, tmp_path, looker(NOBODY))
    heartbeat.start()
    eventually(lambda: len(alive(ledger)) == 1)
    [found] = alive(ledger)
    assert (found.identity.role, found.identity.version, found.condition.redis) == ("worker", "0.1.0", "away")
    assert abs(found.condition.clock_offset.total_seconds()) < 5
    assert found.condition.disk_free
    heartbeat.close()
    eventually(lambda: alive(ledger) == [])


def test_redis_that_answers_has_no_trouble(redis_url: str) -> None:
    assert looker(redis_url)() is None


def test_without_a_url_there_is_to_be_none() -> None:
    assert looker(None)() is RedisTrouble.ABSENT


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        (("--maxmemory", "1", "--maxmemory-policy", "noeviction"), RedisTrouble.FULL),
        (("--cluster-enabled", "yes"), RedisTrouble.CLUSTER),
        (("--replicaof", "127.0.0.1 9"), RedisTrouble.READ_ONLY),
    ],
)
def test_redis_that_answers_and_takes_no_calls_says_why(
    tmp_path: Path, settings: tuple[str, ...], found: RedisTrouble
) -> None:
    with served(tmp_path, *settings) as port:
        assert looker(f"redis://127.0.0.1:{port}/0")() is found


def test_a_password_is_told_to_be_wrong_or_missing(tmp_path: Path) -> None:
    with served(tmp_path) as port:
        with redis.Redis(port=port) as server:
            server.config_set("requirepass", "right")
        urls = [f"redis://{user}127.0.0.1:{port}/0" for user in ("", ":wrong@", ":right@")]
        assert [looker(url)() for url in urls] == [RedisTrouble.PASSWORD, RedisTrouble.PASSWORD, None]


def test_a_private_redis_that_does_not_run_is_away(tmp_path: Path) -> None:
    assert looker(private_redis.url(tmp_path))() is RedisTrouble.AWAY
