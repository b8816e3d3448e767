"""How a drain is called for, against a real Redis."""

import socket
from pathlib import Path

import pytest
import redis
from rq import Queue
from structlog.processors import CallsiteParameter, CallsiteParameterAdder
from structlog.testing import capture_logs

from gateway.errors import ConfigError
from gateway.runtime import private_redis, wakeups
from gateway.runtime.wakeups import Wakeups, connect, refuse_cluster
from tests.redis_kinds import sentinel, served
from tests.services import redis_server
from tests.waiting import eventually

QUEUE = f"rq:queue:{wakeups.QUEUES[-1]}"


def waiting(url: str) -> list[str]:
    """The destinations that jobs in the queue name, oldest first."""
    queue = Queue(wakeups.QUEUES[-1], connection=redis.Redis.from_url(url), serializer="json")
    return [job.args[0] for job in queue.jobs]


def test_a_ring_becomes_a_job_that_names_the_drain_and_leaves_nothing_behind(redis_url: str) -> None:
    Wakeups(redis_url).notify("main")
    eventually(lambda: waiting(redis_url))

    (job,) = Queue(wakeups.QUEUES[-1], connection=redis.Redis.from_url(redis_url), serializer="json").jobs
    assert (job.func_name, job.args, job.kwargs) == ("gateway.delivery.drain.run", ["main"], {})
    assert (job.timeout, job.ttl, job.result_ttl, job.failure_ttl) == (120, 300, 0, 0)


def test_a_call_for_a_job_names_the_job(redis_url: str) -> None:
    Wakeups(redis_url).call("jb_1")
    eventually(lambda: waiting(redis_url))

    (job,) = Queue(wakeups.QUEUES[-1], connection=redis.Redis.from_url(redis_url), serializer="json").jobs
    assert (job.func_name, job.args) == ("gateway.replay.bulk.run", ["jb_1"])


def test_a_hundred_rings_are_one_call_now_and_one_after_them(redis_url: str) -> None:
    bell_ = Wakeups(redis_url)
    bell_.notify("main")
    eventually(lambda: waiting(redis_url))
    for _ in range(99):
        bell_.notify("main")
    eventually(lambda: len(waiting(redis_url)) == 2)

    bell_.notify("other")
    eventually(lambda: "other" in waiting(redis_url))
    assert waiting(redis_url) == ["main", "main", "other"]


def test_destinations_do_not_wait_for_one_another(redis_url: str) -> None:
    bell_ = Wakeups(redis_url)
    for name in ("a", "b", "c"):
        bell_.notify(name)
    assert sorted(eventually(lambda: jobs if len(jobs := waiting(redis_url)) == 3 else None)) == ["a", "b", "c"]


def test_who_rings_does_not_wait_for_a_redis_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, capture_logs() as logs:
        Wakeups(f"redis://127.0.0.1:{silent.getsockname()[1]}").notify("main")
        assert logs == []  # who had waited would have learnt that nobody answers
        silent.accept()[0].close()


def test_without_redis_a_ring_is_told_once_and_arrives_when_redis_is_there(tmp_path: Path) -> None:
    with capture_logs([CallsiteParameterAdder({CallsiteParameter.THREAD})]) as logs:
        bell_ = Wakeups(private_redis.url(tmp_path))

        def said() -> list[str]:
            """By this one: those of tests before may still learn that their Redis has gone."""
            assert bell_._thread is not None
            return [entry["event"] for entry in logs if entry["thread"] == bell_._thread.ident]

        bell_.notify("main")
        eventually(said)
        with redis_server(tmp_path) as url:
            assert set(eventually(lambda: waiting(url))) == {"main"}
            eventually(lambda: len(said()) > 1)
    assert said() == ["bell.unheard", "bell.heard_again"]


def test_a_redis_that_was_killed_and_comes_back_empty_is_called_again(tmp_path: Path) -> None:
    bell_ = Wakeups(private_redis.url(tmp_path))
    with redis_server(tmp_path) as url:
        bell_.notify("main")
        eventually(lambda: waiting(url))
    with redis_server(tmp_path) as url:
        assert waiting(url) == []
        bell_.notify("main")
        assert eventually(lambda: waiting(url)) == ["main"]


def test_a_queue_that_nobody_works_on_stops_growing(redis_url: str) -> None:
    connection = redis.Redis.from_url(redis_url)
    connection.rpush(QUEUE, *range(wakeups.LONGEST_QUEUE))
    bell_ = Wakeups(redis_url)
    bell_.notify("main")
    eventually(lambda: not bell_._wanted)
    assert connection.llen(QUEUE) == wakeups.LONGEST_QUEUE


def test_the_master_is_asked_of_sentinels(tmp_path: Path) -> None:
    with sentinel(tmp_path) as url:
        Wakeups(url).notify("main")
        eventually(lambda: connect(url).llen(QUEUE))


def test_a_cluster_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with (
        served(tmp_path, "--cluster-enabled", "yes") as port,
        pytest.raises(ConfigError, match="a Redis Cluster"),
    ):
        refuse_cluster(f"redis://127.0.0.1:{port}/0")


def test_a_redis_that_does_not_answer_is_not_taken_for_a_cluster() -> None:
    refuse_cluster("redis://127.0.0.1:9/0")
