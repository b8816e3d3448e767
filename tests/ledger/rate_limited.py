"""A budget and a limiter in simulated time: who asks for how many places, and what the limiter makes of it.

Nothing of a ledger is in it but the rules. The limiters are the stand-in's, which know nothing of the budget.
"""

import bisect
import heapq
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.events import Lane
from gateway.ledger.scheduling.budget import LONGEST_HELD, places_of
from gateway.ledger.scheduling.schedules import Schedules, Taken
from gateway.ledger.scheduling.standing import WINDOW, Headers, Learned, Standing, Used
from gateway.lumail.sandbox.limits import RESETS, Limits
from tests.making import NOON

LOOKS_EVERY = 0.25
"""Seconds between two looks of a tick for what is due."""


@dataclass(frozen=True)
class Setup:
    """`reset`: what the limiter says of its end. `others`: the part of the plan that another client asks for."""

    window: str
    reset: str = "end"
    latency: float = 0.1
    others: float = 0.0
    payments_every: float | None = 10.0
    plan: int = 100
    minutes: int = 4
    seed: int = 1


@dataclass
class Found:
    """What came of it: times of requests let through, ours and the other client's; ours refused; waits of payments."""

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    refused: int = 0
    waits: list[float] = field(default_factory=list)

    def most_in_a_minute(self) -> int:
        return max(bisect.bisect_left(self.ours, at + 60) - place for place, at in enumerate(self.ours))

    def used(self, setup: Setup) -> float:
        """The part of the plan that both clients used, from the second minute on."""
        return sum(1 for at in [*self.ours, *self.theirs] if at >= 60) / (setup.plan * (setup.minutes - 1))


@dataclass
class _Request:
    taken_at: datetime
    place_until: datetime
    payment_due: float | None = None
    answered: bool = False


class _Simulation:
    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.found = Found()
        self._limits = Limits()
        self._told, self._schedules = Headers(), Schedules()
        self._requests: list[_Request] = []
        self._answers: list[tuple[float, int, _Request, Learned, float | None]] = []
        self._rests_until = 0.0
        self._payments: list[float] = []

    def run(self) -> Found:
        setup = self.setup
        ends = setup.minutes * 60.0
        theirs, payments = _times_of_others(setup), _times_of_payments(setup)
        next_of_theirs, next_payment = next(theirs), next(payments)
        at, begins = 0.0, 37.3  # within a minute of the limiter's clock
        while at < ends:
            while next_of_theirs <= at:
                if self._limits.take("org", begins + next_of_theirs, setup.plan, setup.window).free:
                    self.found.theirs.append(next_of_theirs)
                next_of_theirs = next(theirs)
            while next_payment <= at:
                self._payments.append(next_payment)
                next_payment = next(payments)
            self._settle(at)
            if at >= self._rests_until:
                self._send(at, begins)
            soon = [at + LOOKS_EVERY, *(one[0] for one in self._answers[:1]), next_payment]
            at = max(at + 0.001, min(soon))
        return self.found

    def _send(self, at: float, begins: float) -> None:
        now = _time(at)
        if not self._payments and not self._schedules.low_allowed(now, self.setup.plan):
            return
        found = places_of(self._standing(now), self._schedules)
        taken = Taken()
        while self._payments and found.for_lane(Lane.REVENUE, taken.all, taken.revenue):
            taken = taken.more(Lane.REVENUE, 1, scheduled=True)
            self._post(at, begins, self._payments.pop(0))
        bulk = found.for_lane(Lane.BULK, taken.all, taken.low)
        taken = taken.more(Lane.BULK, bulk, scheduled=True)
        for _ in range(bulk):
            self._post(at, begins, None)
        if taken.all:
            self._schedules = self._schedules.moved(taken, now, found.limit)

    def _post(self, at: float, begins: float, payment_due: float | None) -> None:
        """It reaches the limiter after half of the latency."""
        setup, now = self.setup, _time(at)
        arrives = at + setup.latency / 2
        place = self._limits.take("org", begins + arrives, setup.plan, setup.window)
        wrong = WRONG.get(setup.reset)
        reset = RESETS[setup.reset](place, begins + arrives) if wrong is None else begins + wrong(at)
        in_our_time = None if reset is None else _reset(reset, begins)
        learned = Learned(setup.plan, place.remaining, in_our_time)
        request = _Request(now, now + LONGEST_HELD, payment_due)
        self._requests.append(request)
        retry = None if place.free else max(1.0, place.retry_at - begins - arrives)
        heapq.heappush(self._answers, (at + setup.latency, id(request), request, learned, retry))
        if place.free:
            self.found.ours.append(arrives)
            if payment_due is not None:
                self.found.waits.append(at - payment_due)
        else:
            self.found.refused += 1

    def _settle(self, at: float) -> None:
        now, learned = _time(at), []
        while self._answers and self._answers[0][0] <= at:
            _, _, request, told, retry = heapq.heappop(self._answers)
            request.answered, request.place_until = True, now + WINDOW
            learned.append(told)
            if retry is not None:
                self._rests_until = max(self._rests_until, at + retry)
                if request.payment_due is not None:
                    self._payments.insert(0, request.payment_due)
        if learned:
            self._told = self._told.and_then(min(learned, key=lambda one: one.remaining or 0), now)
        self._requests = [one for one in self._requests if one.place_until > now - WINDOW]

    def _standing(self, now: datetime) -> Standing:
        told = self._told
        seen = told.at if told.at is not None and told.believable(now) else now
        held = [one for one in self._requests if one.place_until > now]
        used = Used(
            ours=len(held),
            then=sum(1 for one in self._requests if one.place_until > seen and one.taken_at <= seen),
            unseen=sum(1 for one in held if one.taken_at > seen or not one.answered),
            ended=sum(1 for one in self._requests if seen < one.place_until <= now),
            open=sum(1 for one in held if not one.answered),
            newest=max((one.taken_at for one in self._requests), default=None),
            first_ends=min((one.place_until for one in held), default=None),
        )
        return Standing(self.setup.plan, told, used, now)


WRONG: dict[str, Callable[[float], float]] = {
    "past": lambda at: at - 3600,
    "soon": lambda at: at + 1,
    "half a minute": lambda at: at + 30,
}
"""What a limiter may say that is not true, beside the stand-in's."""


def _reset(reset: float, begins: float) -> datetime:
    """The stand-in's clock shows the seconds of the simulation."""
    return _time(min(reset - begins, 1e9))


def _time(at: float) -> datetime:
    return NOON + timedelta(seconds=at)


def _times_of_others(setup: Setup) -> Iterator[float]:
    chance, at = random.Random(setup.seed), 0.0
    while setup.others:
        at += chance.expovariate(setup.others * setup.plan / 60)
        yield at
    yield float("inf")


def _times_of_payments(setup: Setup) -> Iterator[float]:
    at = 5.0
    while setup.payments_every:
        yield at
        at += setup.payments_every
    yield float("inf")


def simulate(setup: Setup) -> Found:
    return _Simulation(setup).run()
