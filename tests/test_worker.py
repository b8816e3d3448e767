"""Whoever can write to Redis can ring, and nothing else."""

import json
import pickle
import threading
import zlib
from pathlib import Path
from typing import Any

import pytest
import redis
from rq import Queue
from rq.callbacks import Callback
from rq.serializers import JSONSerializer
from structlog.testing import capture_logs

from gateway.config import Destination
from gateway.delivery import drain
from gateway.ledger.database import Ledger
from gateway.ledger.schema import GENERATION
from gateway.replay import bulk
from gateway.runtime import wakeups
from gateway.runtime.wakeups import DRAIN, QUEUES, WORK
from gateway.worker import ANSWERS_WITHIN, LISTENS, LONGEST_CALL, Persistent, _take_calls, call_of
from tests.waiting import eventually

KNOWN = {"main"}


def packed(*call: Any) -> bytes:
    return zlib.compress(json.dumps(call).encode())


def test_the_calls_of_the_gateway_are_understood() -> None:
    assert call_of(packed(DRAIN, None, ["main"], {}), KNOWN) == (drain.run, "main")
    assert call_of(packed(WORK, None, ["jb_01a"], {}), KNOWN) == (bulk.run, "jb_01a")


@pytest.mark.parametrize(
    "data",
    [
        packed("os.system", None, ["touch /tmp/pwned"], {}),
        packed(DRAIN, None, ["elsewhere"], {}),
        packed(DRAIN, None, [["main"]], {}),
        packed(DRAIN, None, ["main", "main"], {}),
        packed(DRAIN, None, [], {"destination": "main"}),
        packed(DRAIN, "main", ["main"], {}),
        packed(WORK, None, ["jb_1'; DROP TABLE jobs"], {}),
        packed(WORK, None, ["../jb_1"], {}),
        packed("gateway.delivery.upkeep.run", None, ["due"], {}),
        packed(["os.system"], None, ["main"], {}),
        packed(DRAIN),
        zlib.compress(b"[" * LONGEST_CALL),
        zlib.compress(b" " * 100_000_000 + packed(DRAIN, None, ["main"], {})),
        zlib.compress(pickle.dumps((DRAIN, None, ["main"], {}))),
        pickle.dumps((DRAIN, None, ["main"], {})),
        json.dumps([DRAIN, None, ["main"], {}]).encode(),
        b"",
        None,
    ],
)
def test_anything_else_is_none(data: bytes | None) -> None:
    assert call_of(data, KNOWN) is None


class Watched(drain.DeliveryPool):
    """Notes what it is called for, and ends with the last of it."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(
            ledger, {"main": Destination("main", "http://127.0.0.1:9/api/v1", "lum_x", requests_per_minute=100)}
        )
        self.called: list[str] = []

    def start(self, destination: str) -> None:
        self.called.append(destination)
        self.stopping.set()


def test_what_strangers_put_into_the_queue_is_dropped_and_what_was_called_for_is_done(
    redis_url: str, ledger: Ledger, tmp_path: Path
) -> None:
    connection = wakeups.connect(redis_url)
    queue = Queue(QUEUES[-1], connection=connection, serializer=JSONSerializer)
    proof = tmp_path / "proof"
    queue.enqueue("os.system", f"touch {proof}")
    queue.enqueue(DRAIN, "main", on_success=Callback("os.remove"), on_failure=Callback("os.remove"), repeat=None)
    Queue(QUEUES[-1], connection=connection).enqueue("os.system", f"touch {proof}")
    connection.rpush(queue.key, b"\xff\x00", "x" * 1000, queue.key)
    connection.set("rq:suspended", 1)
    delivery_pool = Watched(ledger)
    drain.install(delivery_pool)
    with capture_logs() as logs:
        _take_calls(connection, delivery_pool)
    assert (delivery_pool.called, proof.exists()) == (["main"], False)
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["worker.call_dropped"]
    delivery_pool.close()


def test_a_worker_tells_redis_nothing_and_hears_no_commands(redis_url: str, ledger: Ledger) -> None:
    delivery_pool = Watched(ledger)
    drain.install(delivery_pool)
    seen: list[object] = []

    def look() -> None:
        with redis.Redis.from_url(redis_url) as connection:
            eventually(lambda: any(one["cmd"] == "blpop" for one in connection.client_list()))
            seen.extend([connection.keys("*"), connection.pubsub_channels()])
            Queue(QUEUES[-1], connection=connection, serializer=JSONSerializer).enqueue(DRAIN, "main")

    looking = threading.Thread(target=look)
    looking.start()
    _take_calls(wakeups.connect(redis_url), delivery_pool)
    looking.join()
    delivery_pool.close()
    assert (seen, delivery_pool.called) == ([[], []], ["main"])


def test_calls_of_a_newer_version_are_left_to_its_workers(redis_url: str, ledger: Ledger) -> None:
    newer = Queue(f"drains-{GENERATION + 1}", connection=wakeups.connect(redis_url), serializer=JSONSerializer)
    newer.enqueue("gateway.newer.work", "main")
    Queue(QUEUES[-1], connection=newer.connection, serializer=JSONSerializer).enqueue(DRAIN, "main")
    delivery_pool = Watched(ledger)
    drain.install(delivery_pool)
    _take_calls(wakeups.connect(redis_url), delivery_pool)
    delivery_pool.close()
    assert (len(newer.job_ids), delivery_pool.called) == (1, ["main"])


def test_what_nobody_takes_up_is_done_here_a_second_later() -> None:
    rung: list[str] = []
    done: list[str] = []
    wanted = Persistent(rung.append, done.append)
    wanted("main")
    assert (rung, done) == (["main"], [])

    def looked() -> list[str]:
        wanted("main")
        return done

    eventually(looked)
    assert (set(rung), done) == ({"main"}, ["main"])


def test_a_worker_whom_nobody_calls_keeps_its_redis(redis_url: str) -> None:
    connection = wakeups.connect(redis_url, ANSWERS_WITHIN)
    connection.ping()
    assert connection.blpop(["nobody-calls-here"], LISTENS) is None
