"""A drain: one worker sends what is due to one destination, until nothing is, no place is free or its slice is over."""

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from queue import Empty, SimpleQueue

import structlog
from prometheus_client import Counter, Histogram
from sqlalchemy import Connection

from gateway.config import Destination
from gateway.delivery.message import compose, question, track_event
from gateway.delivery.outcome import ConcludeContext, conclude_all, outcome_of, unknown_policy
from gateway.errors import LedgerError, LedgerUnavailableError
from gateway.ledger.database import Ledger
from gateway.ledger.event import Event
from gateway.ledger.outbox import cycle, observed, uncertain, unknown_subscribers
from gateway.ledger.outbox.observed import Observed
from gateway.ledger.scheduling import leases
from gateway.ledger.scheduling.attempt import ENDS_WITHIN, SEND_WITHIN, Claimed, PostEvent, Settlement, sent_for
from gateway.lumail.answer import Answer
from gateway.lumail.transport import Transport

SLICE = 5.0
"""Seconds after which a drain ends even if more is due, where other destinations wait for their turn."""

ROUND = 8.0
"""Seconds in which every destination that waits should have had its turn, were there one worker only."""

SHORTEST_SLICE = 0.15

LOOK_AROUND = 0.25
"""Seconds after which a drain that waits for answers looks whether something urgent has come meanwhile."""

GATHER = 0.005
"""Seconds that answers are gathered for, so that one transaction settles several."""

THREADS = 32
"""Requests that one worker process has under way at the most."""

DRAINS = 8
"""Destinations that one worker process drains at once."""

REMEMBER_ANSWERS = 60.0
"""Seconds that a drain keeps trying to write down what Lumail answered while the ledger is away."""

_log = structlog.get_logger()

ATTEMPTS = Counter("gateway_attempts", "Requests to Lumail by outcome.", ["destination", "kind", "outcome"])
ATTEMPT_SECONDS = Histogram(
    "gateway_attempt_seconds",
    "From the first byte to Lumail's answer.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)


class DeliveryPool:
    """What a worker process delivers with: the ledger, a transport for each destination, and threads to wait on them.

    Several destinations are drained at once, so that one which does not answer keeps nobody else waiting; the threads
    are shared fairly among them. `stopping` ends drains early: nothing new is claimed, what is under way is awaited
    and written down.
    """

    def __init__(self, ledger: Ledger, destinations: Mapping[str, Destination], threads: int = THREADS) -> None:
        self.ledger = ledger
        self.destinations = destinations
        self.stopping = threading.Event()
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="send")
        self._threads = threads
        self._drains = ThreadPoolExecutor(DRAINS, thread_name_prefix="drain")
        self._lock = threading.Lock()
        self._under_way: dict[str, int] = {}
        """Requests under way by the destination that is being drained."""
        self._transports = {
            name: Transport(one.base_url, one.api_token, outgoing=one.outgoing) for name, one in destinations.items()
        }

    def transport(self, destination: str) -> Transport:
        return self._transports[destination]

    def start(self, destination: str) -> None:
        """Drain it in the background, unless this process is at it already."""
        with self._lock:
            if destination in self._under_way or self.stopping.is_set():
                return
            self._under_way[destination] = 0
        self._drains.submit(self._drain, destination)

    def room(self, destination: str, under_way: int) -> int:
        """How many requests more a drain may have under way, which has `under_way` now."""
        with self._lock:
            self._under_way[destination] = under_way
            share = max(1, self._threads // max(1, len(self._under_way)))
            return max(0, min(share - under_way, self._threads - sum(self._under_way.values())))

    def has_others_waiting(self) -> bool:
        """Whether a destination waits in this process until the drain of another ends."""
        with self._lock:
            return len(self._under_way) > DRAINS

    def close(self) -> None:
        self.stopping.set()
        self._drains.shutdown(wait=True)
        self.pool.shutdown(wait=True)

    def _drain(self, destination: str) -> None:
        try:
            drain(self, destination)
        except LedgerUnavailableError as error:  # the lease ends by itself, and the tick calls for another drain
            _log.warning("drain.ended", destination=destination, error=str(error))
        except Exception as error:  # noqa: BLE001 - nobody asks this thread how it ended, so it says so itself
            _log.error("drain.failed", destination=destination, error=type(error).__name__, exc_info=error)
        finally:
            with self._lock:
                self._under_way.pop(destination, None)


@dataclass(frozen=True)
class _Answered:
    claimed: Claimed
    answer: Answer


def drain(delivery_pool: DeliveryPool, name: str) -> int:
    """Drain one destination; returns how many requests were made. Ends at once where another drain is at it."""
    destination = delivery_pool.destinations.get(name)
    if destination is None:
        return 0  # the job is older than the configuration
    owner = secrets.token_hex(16)
    with delivery_pool.ledger.write([name]) as connection:
        now = delivery_pool.ledger.now(connection)
        others = len(leases.due(connection, now)) - 1
        if not leases.take(connection, name, owner, now):
            return 0
    return _Drain(delivery_pool, destination, owner, _slice(others)).run()


def conclude_context(connection: Connection, destination: Destination, now: datetime) -> ConcludeContext:
    """What the ledger knows that answers of this destination are judged by."""
    name = destination.name

    def posted(event: Event) -> Sequence[str]:
        """What was posted for an event; of one restored from before its attempts, what must have been."""
        return sent_for(connection, event.id) or [track_event(event, destination)]

    return ConcludeContext(
        destination=destination,
        now=now,
        observed=observed_of(connection, name),
        is_known=partial(unknown_subscribers.is_known, connection, name),
        sent=posted,
        owners=partial(uncertain.owners, connection, name),
    )


def observed_of(connection: Connection, destination: str) -> Callable[[], Observed]:
    """What was seen of the destination's Lumail, looked up once where it is asked for."""
    return cache(lambda: observed.read(connection, destination))


def _slice(others: int) -> float:
    """Seconds for one drain: the more destinations wait, the sooner is it the next one's turn."""
    return max(SHORTEST_SLICE, min(SLICE, ROUND / (1 + max(0, others))))


class _Drain:
    def __init__(self, delivery_pool: DeliveryPool, destination: Destination, owner: str, seconds: float) -> None:
        self._delivery_pool = delivery_pool
        self._destination = destination
        self._owner = owner
        self._ends = time.monotonic() + seconds
        self._answers: SimpleQueue[_Answered] = SimpleQueue()
        self._under_way = 0
        self._made = 0
        self._leased = True

    def run(self) -> int:
        unsettled: list[_Answered] = []
        while True:
            over = not self._leased or self._delivery_pool.stopping.is_set() or self._had_its_turn()
            room = self._delivery_pool.room(self._destination.name, self._under_way)
            goes_on = self._persistent_cycle(unsettled, 0 if over else room)
            if not self._under_way and (over or not goes_on):
                break
            unsettled = self._await_answers()
        if self._leased:
            self._release()
        return self._made

    def _had_its_turn(self) -> bool:
        """Ending for nobody's sake would only wait for the slowest request under way."""
        return time.monotonic() > self._ends and self._delivery_pool.has_others_waiting()

    def _persistent_cycle(self, unsettled: Sequence[_Answered], wanted: int) -> bool:
        """A turn, tried until the ledger takes it: what Lumail answered is known nowhere else."""
        gives_up = time.monotonic() + REMEMBER_ANSWERS
        while True:
            try:
                return self._cycle(unsettled, wanted)
            except LedgerUnavailableError as error:
                if not (unsettled or self._under_way) or time.monotonic() > gives_up:
                    raise
                _log.warning("drain.waits_for_ledger", destination=self._destination.name, error=str(error))
                wanted = 0
                time.sleep(0.2)

    def _cycle(self, unsettled: Sequence[_Answered], wanted: int) -> bool:
        """One transaction: write down the answers, renew the lease, claim more and send it off.

        Whether another turn may bring more.
        """
        ledger, name = self._delivery_pool.ledger, self._destination.name
        with ledger.write([name]) as connection:
            started = time.monotonic()
            now = ledger.now(connection)
            done = cycle.run(
                connection,
                name,
                self._owner,
                now,
                settlements=self._conclude(connection, now, unsettled),
                wanted=wanted,
                limit=self._destination.requests_per_minute,
                compose=partial(compose, observed_of(connection, name), self._destination),
                unknown_policy=partial(unknown_policy, self._destination),
            )
        self._leased = done.leased
        for reason in done.paused_anew:
            _log.error("destination.paused", destination=name, reason=reason)
        for one in done.claimed:
            self._under_way += 1
            self._made += 1
            self._delivery_pool.pool.submit(self._send, one, started)
        return bool(done.claimed) or done.again

    def _conclude(self, connection: Connection, now: datetime, unsettled: Sequence[_Answered]) -> list[Settlement]:
        seen = conclude_context(connection, self._destination, now)
        return conclude_all([(one.claimed, one.answer) for one in unsettled], seen)

    def _send(self, claimed: Claimed, claimed_at: float) -> None:
        began = time.monotonic()
        transport = self._delivery_pool.transport(self._destination.name)
        send_before = claimed_at + SEND_WITHIN.total_seconds()
        ends_by = claimed_at + ENDS_WITHIN.total_seconds()
        try:
            if isinstance(claimed.request, PostEvent):
                answer = transport.post_event(claimed.sent.encode(), send_before=send_before, ends_by=ends_by)
            else:
                method, path, body = question(claimed)
                answer = transport.exchange(method, path, body, send_before=send_before, ends_by=ends_by)
        except Exception as error:  # noqa: BLE001 - a fault of ours: whether a byte left is unknown, the drain must hear
            _log.error("delivery.failed", event_id=claimed.event_id, error=type(error).__name__, exc_info=error)
            answer = Answer(None, sent=True, duration=time.monotonic() - began, error=type(error).__name__)
        self._answers.put(_Answered(claimed, answer))

    def _await_answers(self) -> list[_Answered]:
        """The answers that came; none after a while in which something urgent may have come instead."""
        answered: list[_Answered] = []
        if not self._under_way:
            return answered
        patience = LOOK_AROUND
        while True:
            try:
                answered.append(self._answers.get(timeout=patience))
            except Empty:
                break
            if len(answered) == self._under_way:
                break
            patience = GATHER
        for one in answered:
            self._note(one)
        self._under_way -= len(answered)
        return answered

    def _note(self, one: _Answered) -> None:
        outcome = outcome_of(one.claimed.kind, one.answer)
        event = one.claimed.event
        ATTEMPTS.labels(self._destination.name, one.claimed.kind.value, outcome).inc()
        ATTEMPT_SECONDS.observe(one.answer.duration)
        _log.info(
            "delivery.attempted",
            destination=self._destination.name,
            kind=one.claimed.kind.value,
            source="" if event is None else event.source,
            event_id=one.claimed.event_id,
            webhook="" if event is None else event.webhook,
            attempt=one.claimed.attempt,
            type=None if event is None else event.type.value,
            lane=one.claimed.lane.word,
            outcome=outcome,
            status=one.answer.status,
            lumail_event_id=one.answer.event_id,
            ms=round(one.answer.duration * 1000),
        )

    def _release(self) -> None:
        ledger, name = self._delivery_pool.ledger, self._destination.name
        with ledger.write([name]) as connection:
            limit = self._destination.requests_per_minute
            cycle.release(connection, name, self._owner, ledger.now(connection), limit)


_delivery_pool: DeliveryPool | None = None


def install(delivery_pool: DeliveryPool) -> None:
    """Name the courier that jobs of this process deliver with."""
    global _delivery_pool  # RQ calls `run` by its name, with nothing but JSON arguments
    _delivery_pool = delivery_pool


def run(destination: str) -> None:
    """RQ's unit of work: see to it that the destination is drained."""
    if _delivery_pool is None:
        raise LedgerError("this process was not set up to deliver: run it as `lumail-gateway worker`")
    _delivery_pool.start(destination)
