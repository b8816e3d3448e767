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

from gateway.app import prepare, redis_url
from gateway.bell import QUEUE, Bell, connect
from gateway.config import Config
from gateway.delivery import drain, upkeep
from gateway.delivery.tick import Chore, Tick, drop_outdated
from gateway.intake.route import routes
from gateway.ledger import copies, tallies
from gateway.ledger.database import Ledger
from gateway.replay import bulk
from gateway.translation.registry import adapters, beside

_log = structlog.get_logger()


class DrainWorker(SimpleWorker):
    """RQ's worker without forks, ended by the first SIGTERM or SIGINT and deaf to later ones.

    RQ's own second signal raises inside the job, between a request and the note of its answer. Here the first one
    lets the drain finish what is under way, and whoever started the worker kills it after the longest request.
    """

    max_connection_wait_time = 1
    log_job_description = False
    courier: drain.Courier
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
        self.courier.stopping.set()
        _log.info("worker.stopping", signal=signal.Signals(signum).name, draining=self._draining)
        if not self._draining:
            raise StopRequested


def work(config: Config) -> None:
    """Deliver until told to stop. Ends early where Redis is away at the start: the supervisor tries again."""
    prepare(config)
    ledger = Ledger(config.database_url)
    courier = drain.Courier(ledger, config.destinations)
    drain.install(courier)
    keeper = upkeep.Upkeep(ledger, config.retention)
    upkeep.install(keeper)
    url = redis_url(config)
    bell = Bell(url)
    chores: list[Chore] = [
        partial(drop_outdated, ledger, config.destinations),
        partial(tallies.keep, ledger),
        partial(keeper.call_if_due, bell.call_upkeep),
        partial(copies.recognise, ledger, config.data, config.destinations, sandbox=config.sandbox),
    ]
    bulk.install(bulk.Replays(ledger, config.plans, lambda: routes(config, adapters(beside(config.file)))))
    tick = Tick(ledger, bell.ring, bell.call, chores)
    tick.start()
    connection = connect(url)
    try:
        worker = DrainWorker(
            [Queue(QUEUE, connection=connection, serializer=JSONSerializer)],
            connection=connection,
            serializer=JSONSerializer,
        )
        worker.courier = courier
        worker.work(logging_level="WARNING")
    except RedisError as error:
        _log.warning("worker.without_redis", error=type(error).__name__)
    finally:
        tick.stop()
        keeper.close()
        courier.close()
        ledger.close()
