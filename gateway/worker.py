"""The worker process: takes drains and bulk work from RQ's queue, and looks every second for what nobody called for."""

import signal
from functools import partial
from types import FrameType

import structlog
from redis import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer

from gateway.config import Config
from gateway.delivery import drain, upkeep
from gateway.delivery.tick import Chore, Tick, drop_outdated
from gateway.intake.route import routes
from gateway.ledger.database import Ledger
from gateway.ledger.outbox import restore_guard
from gateway.ledger.views import counters
from gateway.replay import bulk
from gateway.runtime.wakeups import QUEUE, Wakeups, connect
from gateway.startup import prepare, redis_url
from gateway.translation.registry import adapters, beside

_log = structlog.get_logger()


class DrainWorker(SimpleWorker):
    """RQ's worker without forks, ended by the first SIGTERM or SIGINT and deaf to later ones.

    RQ's own second signal raises inside the job, between a request and the note of its answer. Here the first one
    lets the drain finish what is under way, and whoever started the worker kills it after the longest request.
    """

    max_connection_wait_time = 1
    log_job_description = False
    delivery_pool: drain.DeliveryPool
    _draining = False

    def execute_job(self, job: Job, queue: Queue) -> None:
        self._draining = True
        try:
            super().execute_job(job, queue)
        finally:
            self._draining = False

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        if self._stop_requested:
            return
        self._stop_requested = True
        self.delivery_pool.stopping.set()
        _log.info("worker.stopping", signal=signal.Signals(signum).name, draining=self._draining)
        if not self._draining:
            raise StopRequested


def work(config: Config) -> None:
    """Deliver until told to stop. Ends early where Redis is away at the start: the supervisor tries again."""
    prepare(config)
    ledger = Ledger(config.database_url)
    delivery_pool = drain.DeliveryPool(ledger, config.destinations)
    drain.install(delivery_pool)
    keeper = upkeep.Upkeep(ledger, config.retention)
    upkeep.install(keeper)
    url = redis_url(config)
    wakeups = Wakeups(url)
    chores: list[Chore] = [
        partial(drop_outdated, ledger, config.destinations),
        partial(counters.keep, ledger),
        partial(keeper.call_if_due, wakeups.call_upkeep),
        partial(restore_guard.recognise, ledger, config.data, config.destinations, sandbox=config.sandbox),
    ]
    bulk.install(bulk.Replays(ledger, config.plans, lambda: routes(config, adapters(beside(config.file)))))
    tick = Tick(ledger, wakeups.notify, wakeups.call, chores)
    tick.start()
    connection = connect(url)
    try:
        worker = DrainWorker(
            [Queue(QUEUE, connection=connection, serializer=JSONSerializer)],
            connection=connection,
            serializer=JSONSerializer,
        )
        worker.delivery_pool = delivery_pool
        worker.work(logging_level="WARNING")
    except RedisError as error:
        _log.warning("worker.without_redis", error=type(error).__name__)
    finally:
        tick.stop()
        keeper.close()
        delivery_pool.close()
        ledger.close()
