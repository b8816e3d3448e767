"""How a drain is called for: an RQ job that names a destination, put into Redis in the background.

Nobody depends on it: what is due stands in the ledger, and each worker's tick finds it there. So a call that is lost
costs a second, a call too many costs a look, and whoever rings neither waits nor learns that Redis is away.

Several jobs go to Redis in one round trip (RQ 3.0, `Queue.enqueue_many`), `enqueue` would take two.
"""

import threading
import time

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue

QUEUE = "drains"

DRAIN = "gateway.delivery.drain.run"
"""Called by name with the destination's name: the job is data, and neither side imports the other."""

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


def connect(url: str) -> "redis.Redis":
    """A connection that gives up after seconds, and that tries once more where the server has closed it meanwhile."""
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=2,
        socket_timeout=2,
        retry=Retry(NoBackoff(), 1),
        retry_on_error=[redis.ConnectionError],
    )


class Bell:
    """Rung after a commit that left something due; safe to share between threads.

    A destination's first ring is passed on at once, then one in 250 ms, and the last is never lost while Redis
    answers. The thread that does it starts with the first ring, so a bell may be made before a fork.
    """

    def __init__(self, redis_url: str) -> None:
        self._url = redis_url
        self._changed = threading.Condition()
        self._wanted: dict[str, float] = {}
        """Destination, and the monotonic time from which its call may be passed on."""
        self._called: dict[str, float] = {}
        self._thread: threading.Thread | None = None

    def ring(self, destination: str) -> None:
        """Have this destination drained soon."""
        with self._changed:
            if destination in self._wanted:
                return
            self._wanted[destination] = self._called.get(destination, float("-inf")) + INTERVAL
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._pass_on, name="bell", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _pass_on(self) -> None:
        queue = Queue(QUEUE, connection=connect(self._url), serializer="json")
        away = False
        while True:
            destinations = self._next()
            try:
                _enqueue(queue, destinations)
            except (redis.RedisError, OSError) as error:
                if not away:
                    log.warning("bell.unheard", error=type(error).__name__, effect="workers look every second")
                away = True
                self._again(destinations)
            else:
                if away:
                    log.info("bell.heard_again")
                away = False

    def _next(self) -> list[str]:
        """Waits until a call is due, and takes all that are."""
        with self._changed:
            while True:
                now = time.monotonic()
                due = [name for name, when in self._wanted.items() if when <= now]
                if due:
                    for name in due:
                        del self._wanted[name]
                        self._called[name] = now
                    return due
                self._changed.wait(min(self._wanted.values()) - now if self._wanted else None)

    def _again(self, destinations: list[str]) -> None:
        with self._changed:
            for name in destinations:
                self._wanted[name] = time.monotonic() + RETRY_AFTER


def _enqueue(queue: Queue, destinations: list[str]) -> None:
    if queue.count >= LONGEST_QUEUE:
        return
    queue.enqueue_many(
        Queue.prepare_data(DRAIN, args=[destination], timeout=JOB_TIMEOUT, ttl=JOB_TTL, result_ttl=0, failure_ttl=0)
        for destination in destinations
    )
