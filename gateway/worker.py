"""The worker process: takes drains and bulk work from RQ's queue, and looks every second for what nobody called for.

Redis is trusted with nothing but to ring: whatever lies in the queue is at most a call for one of two functions, with
one argument that the ledger or the configuration knows. And it is not needed: what nobody has taken up a second after
the tick saw it is done here, whether Redis is away, refuses, stands still or is full of what somebody else put there.
"""

import json
import re
import signal
import time
import zlib
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any

import redis
import structlog
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer

from gateway.config import Config
from gateway.delivery import drain, upkeep
from gateway.delivery.tick import Chore, Tick, drop_outdated
from gateway.errors import LedgerUnavailableError, place_of
from gateway.intake.route import routes
from gateway.ledger import heartbeats
from gateway.ledger.database import Ledger
from gateway.ledger.outbox import restore_guard
from gateway.ledger.views import counters
from gateway.replay import bulk, by_itself
from gateway.runtime.heartbeat import Heartbeat
from gateway.runtime.redis_trouble import looker
from gateway.runtime.supervised import tell_ready
from gateway.runtime.wakeups import DRAIN, QUEUES, WORK, Wakeups, connect
from gateway.startup import awaited_redis, prepare, redis_url
from gateway.translation.registry import adapters, beside

LONGEST_CALL = 2048
"""Bytes, packed or not."""

LISTENS = 2
"""Seconds that Redis is asked to wait for a call, before it is asked again."""

ANSWERS_WITHIN = LISTENS + 3.0
"""Seconds without an answer after which Redis is taken to be away; it answers after LISTENS where nobody calls."""

TRIES_AGAIN = 1.0
"""Seconds until Redis is tried again."""

TAKEN_WITHIN = 1.0
"""Seconds in which somebody should have taken up what was called for."""

_JOB = re.compile(r"jb_[0-9A-Za-z]{1,64}")

_log = structlog.get_logger()

Call = tuple[Callable[[str], None], str]


class DrainWorker(SimpleWorker):
    """RQ's worker without forks, ended by the first SIGTERM or SIGINT and deaf to later ones.

    RQ's own second signal raises inside the job, between a request and the note of its answer. Here the first one
    lets the drain finish what is under way, and whoever started the worker kills it after the longest request.

    Of RQ's jobs it reads the function's name and the argument and nothing else: their callbacks, results, repetitions
    and registries do not exist for it, and it hears no commands; through each of them a writer could run code here.
    """

    worker_ttl = LISTENS + 15
    """RQ listens for 15 seconds less, and gives up a connection that stays silent for 10 seconds more than that."""

    delivery_pool: drain.DeliveryPool
    fault: Exception | None = None
    """Why it ended, where nobody asked it to."""

    _draining = False
    _dropped = 0
    _dropped_told = 0.0

    def bootstrap(self, *_: Any, **__: Any) -> None:
        """Registers nowhere, and subscribes to nothing."""

    def teardown(self) -> None:
        """Has nothing to take back."""

    def check_for_suspension(self, burst: bool) -> None:
        del burst
        if self.delivery_pool.stopping.is_set():
            raise StopRequested

    @property
    def should_run_maintenance_tasks(self) -> bool:
        return False

    def heartbeat(self, *_: Any, **__: Any) -> None:
        """Nobody looks for it in Redis."""

    def dequeue_job_and_maintain_ttl(self, timeout: int | None, max_idle_time: int | None = None) -> Any:
        """The next call that is one of ours, and its queue."""
        del timeout, max_idle_time
        names = {queue.key.encode(): queue for queue in reversed(self.queues)}
        while True:
            self.check_for_suspension(burst=False)
            try:
                found: Any = self.connection.blpop([*names], LISTENS)
                call = None if found is None else self._call(found[1])
            except (redis.RedisError, OSError) as error:
                self.fault = error
                raise StopRequested from error
            if call is not None:
                return call, names[found[0]]
            if found is not None:
                self._drop()

    def execute_job(self, job: Any, queue: Queue) -> None:
        del queue
        function, argument = job
        self._draining = True
        try:
            function(argument)
        except Exception as error:  # noqa: BLE001 - one call must not end the worker; the tick calls again
            _log.error("worker.call_failed", error=type(error).__name__, at=place_of(error))
        finally:
            self._draining = False

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        del frame
        if self.delivery_pool.stopping.is_set():
            return
        self.delivery_pool.stopping.set()
        _log.info("worker.stopping", signal=signal.Signals(signum).name, draining=self._draining)
        if not self._draining:
            raise StopRequested

    def _call(self, identity: Any) -> Call | None:
        key = b"rq:job:" + identity
        length = self.connection.hstrlen(key, "data")
        with self.connection.pipeline(transaction=False) as pipeline:
            if length <= LONGEST_CALL:
                pipeline.hget(key, "data")
            pipeline.delete(key)
            found = pipeline.execute()
        return call_of(found[0], self.delivery_pool.destinations) if length <= LONGEST_CALL else None

    def _drop(self) -> None:
        """Told once in a while, however much comes."""
        self._dropped += 1
        if time.monotonic() - self._dropped_told > 1:
            _log.warning("worker.call_dropped", calls=self._dropped, why="not one of those that the gateway makes")
            self._dropped, self._dropped_told = 0, time.monotonic()


def call_of(packed: bytes | None, destinations: Collection[str]) -> Call | None:
    """What a job's data calls for; None where that is nothing that the gateway would call for."""
    try:
        unpacking = zlib.decompressobj()
        function, instance, arguments, named = json.loads(unpacking.decompress(packed or b"", LONGEST_CALL))
    except (zlib.error, ValueError, TypeError, RecursionError):
        return None
    if instance is not None or named != {} or not isinstance(arguments, list) or len(arguments) != 1:
        return None
    (argument,) = arguments
    if not isinstance(argument, str) or not isinstance(function, str):
        return None
    if function == DRAIN and argument in destinations:
        return drain.run, argument
    return (bulk.run, argument) if function == WORK and _JOB.fullmatch(argument) else None


class Persistent:
    """Called for with every look that finds it to do: by the bell at first, then done here, on a thread of its own."""

    def __init__(self, notify: Callable[[str], None], do: Callable[[str], object]) -> None:
        self._notify = notify
        self._do = do
        self._seen: dict[str, tuple[float, float]] = {}
        """When what is to do was first called for, and when last."""

    def __call__(self, name: str) -> None:
        now = time.monotonic()
        first, last = self._seen.get(name, (now, now))
        if now - last > 3 * TAKEN_WITHIN:
            first = now
        self._seen[name] = (first, now)
        self._notify(name)
        if now - first >= TAKEN_WITHIN:
            del self._seen[name]
            self._do(name)


def work(config: Config) -> None:
    """Deliver until told to stop."""
    prepare(config)
    ledger = Ledger(config.database_url)
    delivery_pool = drain.DeliveryPool(ledger, config.destinations)
    drain.install(delivery_pool)
    keeper = upkeep.Upkeep(ledger, config.retention)
    url = redis_url(config)
    wakeups = Wakeups(url)
    chores: list[Chore] = [
        partial(drop_outdated, ledger, config.destinations),
        partial(by_itself.bring_back, ledger, config.plans),
        partial(counters.keep, ledger),
        keeper.start_if_due,
        partial(restore_guard.recognise, ledger, config.data, config.destinations, sandbox=config.sandbox),
    ]
    bulk.install(bulk.Replays(ledger, config.plans, lambda: routes(config, adapters(beside(config.file)))))
    aside = ThreadPoolExecutor(1, thread_name_prefix="bulk")
    tick = Tick(
        ledger,
        Persistent(wakeups.notify, delivery_pool.start),
        Persistent(wakeups.call, lambda job: aside.submit(_work_on, delivery_pool, job)),
        chores,
    )
    heartbeat = Heartbeat(config.database_url, heartbeats.WORKER, config.data, looker(awaited_redis(config)))
    tick.start()
    heartbeat.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: delivery_pool.stopping.set())
    tell_ready()
    try:
        _listen(url, delivery_pool)
    finally:
        delivery_pool.stopping.set()
        tick.stop()
        aside.shutdown(wait=True, cancel_futures=True)
        keeper.close()
        delivery_pool.close()
        heartbeat.close()
        ledger.close()


def _work_on(delivery_pool: drain.DeliveryPool, job: str) -> None:
    if delivery_pool.stopping.is_set():
        return
    try:
        bulk.run(job)
    except LedgerUnavailableError as error:
        _log.warning("worker.bulk_ended", error=str(error))
    except Exception as error:  # noqa: BLE001 - nobody asks this thread how it ended
        _log.error("worker.call_failed", error=type(error).__name__, at=place_of(error))


def _listen(url: str, delivery_pool: drain.DeliveryPool) -> None:
    """Takes calls from Redis while it is there; where it is not, the tick alone has things done."""
    away = False
    with suppress(StopRequested):  # RQ's handler of signals stays when its worker has ended, and raises anywhere
        while not delivery_pool.stopping.is_set():
            fault: Exception | None
            try:
                connection = connect(url, ANSWERS_WITHIN)
                connection.ping()
                if away:
                    _log.info("worker.redis_is_back")
                away = False
                fault = _take_calls(connection, delivery_pool)
            except (redis.RedisError, OSError) as error:
                fault = error
            if fault is not None and not away:
                away = True
                _log.warning(
                    "worker.without_redis", error=type(fault).__name__, effect="looks every second for what is due"
                )
            delivery_pool.stopping.wait(TRIES_AGAIN)


def _take_calls(connection: "redis.Redis", delivery_pool: drain.DeliveryPool) -> Exception | None:
    queues = [Queue(name, connection=connection, serializer=JSONSerializer) for name in QUEUES]
    worker = DrainWorker(queues, connection=connection, serializer=JSONSerializer, worker_ttl=DrainWorker.worker_ttl)
    worker.delivery_pool = delivery_pool
    worker.work(logging_level="CRITICAL")
    return worker.fault
