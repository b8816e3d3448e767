"""How workers are called: an RQ job that names a destination to drain, or a job to go on with, put into Redis.

It is put there in the background, and nobody depends on it: what is due stands in the ledger, and each worker's tick
finds it there. So a call that is lost costs a second, a call too many costs a look, and whoever rings neither waits nor
learns that Redis is away.

Several jobs go to Redis in one round trip (RQ 3.0, `Queue.enqueue_many`), `enqueue` would take two.
"""

import re
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel
from rq import Queue

from gateway.errors import ConfigError
from gateway.ledger.schema import GENERATION

QUEUES = tuple(f"drains-{number}" for number in range(1, GENERATION + 1))
"""Those that a worker listens to, the newest last. A newer version calls in a queue that older workers do not know."""

DRAIN = "gateway.delivery.drain.run"
"""Called by name with the destination's name: the job is data, and neither side imports the other."""

WORK = "gateway.replay.bulk.run"
"""The same with the id of a job of the ledger."""

JOB_TIMEOUT = 120
"""Seconds. A drain ends by itself after its slice of 5 s and the 20 s that its last request may take."""

JOB_TTL = 300
"""Seconds in the queue after which a job is forgotten: nobody takes any, and the tick will call again."""

INTERVAL = 0.25
"""Seconds between two calls for one destination."""

LONGEST_QUEUE = 1000
"""Jobs waiting, past which none is added: the workers are away or behind, and more would only fill the memory."""

RETRY_AFTER = 1.0
"""Seconds until Redis is tried again."""

log = structlog.get_logger()


SENTINEL = re.compile(
    r"(?P<scheme>rediss?)\+sentinel://(?:(?P<user>[^:@/]*):(?P<password>[^@/]*)@)?"
    r"(?P<hosts>[^/@?#\s]+)/(?P<service>[^/?#\s]+)(?:/(?P<database>\d+))?"
)
"""Which server is the master now is asked of the Sentinels that are listed, of the first that answers."""

SENTINEL_PORT = 26379


def connect(url: str, answers_within: float = 2.0) -> "redis.Redis":
    """A connection that gives up after so many seconds, and tries once more where the server closed it meanwhile."""
    settings: dict[str, Any] = {
        "socket_connect_timeout": 2,
        "socket_timeout": answers_within,
        "retry": Retry(NoBackoff(), 1),
        "retry_on_error": [redis.ConnectionError],
    }
    found = SENTINEL.fullmatch(url)
    if found is None:
        return redis.Redis.from_url(url, **settings)
    settings |= {"db": int(found["database"] or 0), "ssl": found["scheme"] == "rediss"}
    if found["password"]:
        settings |= {"username": unquote(found["user"]) or None, "password": unquote(found["password"])}
    short = {"socket_connect_timeout": 1, "socket_timeout": 1}
    addresses = [_address(one) for one in found["hosts"].split(",")]
    sentinels: Any = Sentinel(addresses, sentinel_kwargs=short, **settings)  # type: ignore[no-untyped-call]  # theirs
    master: redis.Redis = sentinels.master_for(found["service"])
    return master


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":") if re.search(r":\d+$", text) else (text, "", "")
    return host.strip("[]"), int(port or SENTINEL_PORT)


def refuse_cluster(url: str) -> None:
    """Raises ConfigError where a cluster answers: RQ's queue and its jobs would lie on several of its nodes.

    One that does not answer now is taken: workers do without meanwhile.
    """
    try:
        told: Mapping[str, Any] = connect(url).info("cluster")
    except (redis.RedisError, OSError):
        return
    if told.get("cluster_enabled"):
        raise ConfigError(
            "REDIS_URL: a Redis Cluster answers there, which RQ can't work with. Name a single Redis, or Sentinels: "
            "redis+sentinel://host1:26379,host2:26379/mymaster. Or leave it unset: the gateway starts a private one."
        )


class Wakeups:
    """Rung after a commit that left something due; safe to share between threads.

    The first ring for a destination is passed on at once, then one in 250 ms, and the last is never lost while Redis
    answers; so is a call for a job. The thread that does it starts with the first ring, so a bell may be made before a
    fork.
    """

    def __init__(self, redis_url: str) -> None:
        self._url = redis_url
        self._changed = threading.Condition()
        self._wanted: dict[_Call, float] = {}
        """What is called for, and the monotonic time from which that may be passed on."""
        self._called: dict[_Call, float] = {}
        self._thread: threading.Thread | None = None

    def notify(self, destination: str) -> None:
        """Have this destination drained soon."""
        self._want((DRAIN, destination))

    def call(self, job: str) -> None:
        """Have somebody go on with this job of the ledger soon."""
        self._want((WORK, job))

    def _want(self, call: "_Call") -> None:
        with self._changed:
            if call in self._wanted:
                return
            self._wanted[call] = self._called.get(call, float("-inf")) + INTERVAL
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._pass_on, name="bell", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _pass_on(self) -> None:
        queue = Queue(QUEUES[-1], connection=connect(self._url), serializer="json")
        away = False
        while True:
            calls = self._next()
            try:
                _enqueue(queue, calls)
            except (redis.RedisError, OSError) as error:
                if not away:
                    log.warning("bell.unheard", error=type(error).__name__, effect="workers look every second")
                away = True
                self._again(calls)
            else:
                if away:
                    log.info("bell.heard_again")
                away = False

    def _next(self) -> "list[_Call]":
        """Waits until a call is due, and takes all that are."""
        with self._changed:
            while True:
                now = time.monotonic()
                due = [call for call, when in self._wanted.items() if when <= now]
                if due:
                    for call in due:
                        del self._wanted[call]
                        self._called[call] = now
                    return due
                self._changed.wait(min(self._wanted.values()) - now if self._wanted else None)

    def _again(self, calls: "list[_Call]") -> None:
        with self._changed:
            for call in calls:
                self._wanted[call] = time.monotonic() + RETRY_AFTER


_Call = tuple[str, str]
"""The function that is called by its name, and what it is given."""


def _enqueue(queue: Queue, calls: list[_Call]) -> None:
    if queue.count >= LONGEST_QUEUE:
        return
    queue.enqueue_many(
        Queue.prepare_data(function, args=[given], timeout=JOB_TIMEOUT, ttl=JOB_TTL, result_ttl=0, failure_ttl=0)
        for function, given in calls
    )
