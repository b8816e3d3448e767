"""Load on an installation with a plan, and what Lumail's log of requests says of it."""

import bisect
import math
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from gateway.events import Lane
from gateway.ledger.database import Ledger
from gateway.ledger.schema import events
from gateway.lumail.sandbox import Sandbox, SandboxSettings
from tests.crash.installation import SENDGRID, STRIPE, TOKEN, Provider, Setup, signed_mail, signed_payment
from tests.making import complained, opened, payment, record, rows, submission, told

OTHER = "somebody-else@example.com"
"""Whom the organization's other client asks for."""

MINUTE = 60.0
GROUP = 1000


def setup(plan: int, *, window: str = "sliding", reset: str = "end", latency_ms: float = 50, workers: int = 2) -> Setup:
    """An installation whose destination and whose Lumail agree on the plan."""
    lumail = SandboxSettings(api_tokens=(TOKEN,), requests_per_minute=plan, latency_ms=latency_ms)
    return Setup(
        destinations={"main": {"requests_per_minute": plan}},
        sources={"stripe": {**STRIPE, "settle_seconds": 5}, "sendgrid": SENDGRID},
        lumail=lumail.changed({"window": window, "reset": reset}),
        web=1,
        workers=workers,
    )


@dataclass(frozen=True)
class Use:
    """How a plan was used. `sliding` and `fixed` are the most requests let through in any and in any clock's minute."""

    sliding: int
    fixed: int
    refused: int
    made: int

    def told(self, plan: int, seconds: float) -> str:
        share = self.made / (plan * seconds / MINUTE)
        return (
            f"{share:.1%} of the plan used, at most {self.sliding} in any 60 s and {self.fixed} in a minute of the"
            f" clock, of {plan}; {self.refused} answered 429"
        )


def use(log: Sequence[Mapping[str, Any]], begins: float = 0, ends: float = math.inf) -> Use:
    """Judge the log; `made` and `refused` are those of ours within the time asked for."""
    times = [one["time"] for one in log if one["status"] != 429]
    sliding = max((bisect.bisect_left(times, at + MINUTE) - place for place, at in enumerate(times)), default=0)
    minutes: dict[int, int] = {}
    for at in times:
        minutes[int(at // MINUTE)] = minutes.get(int(at // MINUTE), 0) + 1
    ours = [one for one in log if begins <= one["time"] < ends and OTHER not in one["path"].replace("%40", "@")]
    refused = sum(1 for one in ours if one["status"] == 429)
    return Use(sliding, max(minutes.values(), default=0), refused, len(ours) - refused)


def add_bulk(ledger: Ledger, number: int, series: str = "bulk") -> None:
    """So many opened mails wait."""
    now = datetime.now(UTC)
    for start in range(0, number, GROUP):
        facts = [
            opened(f"{series}:{one}", subscriber=f"s{one % 5000}@example.com", occurred_at=now)
            for one in range(start, min(start + GROUP, number))
        ]
        record(ledger, submission(*(told(one) for one in facts), source="sendgrid", adapter="sendgrid"))


def add_mixed(ledger: Ledger, number: int, series: str) -> None:
    """So many of payments and of complaints wait, of a subscriber each."""
    now = datetime.now(UTC)
    for one in range(number):
        facts = (
            payment(f"{series}:p{one}", subscriber=f"{series}p{one}@example.com", occurred_at=now),
            complained(f"{series}:c{one}", subscriber=f"{series}c{one}@example.com", occurred_at=now),
        )
        record(ledger, submission(*(told(one) for one in facts)))


@contextmanager
def trickle(ledger: Ledger, every: float) -> Iterator[None]:
    """While the block lasts, a payment and a complaint come in every so many seconds."""
    ends = threading.Event()

    def come() -> None:
        number = 0
        while not ends.wait(every):
            number += 1
            add_mixed(ledger, 1, f"trickle{number}-")

    yield from _meanwhile(come, ends)


@contextmanager
def other_client(base_url: str, a_minute: float) -> Iterator[None]:
    """While the block lasts, somebody else of the organization makes requests, at random moments."""
    ends = threading.Event()

    def ask() -> None:
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {TOKEN}"
        due = time.monotonic()
        while not ends.wait(max(0.0, due - time.monotonic())):
            due += random.expovariate(a_minute / MINUTE)
            session.get(f"{base_url}/subscribers/{OTHER}", timeout=10)

    yield from _meanwhile(ask, ends)


def _meanwhile(work: Any, ends: threading.Event) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


def overtaken(ledger: Ledger) -> list[tuple[str, str]]:
    """Bulk events that were claimed while one that is urgent or a payment was due, each with that one.

    By the database's clock, which all claims are made by; where nothing was tried twice.
    """
    claimed = rows(ledger, events, "id", "lane", "due_at", "first_attempt_at")
    bulk = [(first, event) for event, lane, _, first in claimed if lane == Lane.BULK and first is not None]
    return [
        (event, urgent)
        for urgent, lane, due, first in claimed
        if lane <= Lane.REVENUE and first is not None
        for at, event in bulk
        if due < at < first
    ]


@dataclass(frozen=True)
class Delays:
    """Seconds from a webhook's 200 to Lumail's record, in order."""

    urgent: Sequence[float]
    payments: Sequence[float]

    def told(self) -> str:
        return ", ".join(
            f"{len(found)} {name}: median {found[len(found) // 2]:.2f}, p99 {p99(found):.2f}, at most {found[-1]:.2f} s"
            for name, found in (("urgent", self.urgent), ("payments", self.payments))
        )


def p99(found: Sequence[float]) -> float:
    return found[min(len(found) - 1, int(len(found) * 0.99))]


def delays(url: str, sandbox: Sandbox, number: int, seconds: float, patience: float = 30.0) -> Delays:
    """Post so many complaints and payments, evenly spread, and see when Lumail has them."""
    provider = Provider(url)
    session = requests.Session()
    taken: dict[str, tuple[str, float]] = {}
    began = time.monotonic()
    for one in range(number):
        time.sleep(max(0.0, began + one * seconds / number - time.monotonic()))
        for kind, webhook in (
            ("urgent", signed_mail([_complaint(one)])),
            ("payments", signed_payment(f"{one:05d}", f"payer{one}@example.com")),
        ):
            answer = session.post(
                f"{provider.url}/webhooks/{webhook.source}",
                data=webhook.body,
                headers=dict(webhook.headers),
                timeout=10,
            )
            for event in answer.json()["events"]:
                taken[event] = (kind, time.time())
    deadline = time.monotonic() + patience
    while True:
        recorded = {one["data"]["gatewayEventId"]: one["recordedAt"] for one in sandbox.events()}
        if set(taken) <= set(recorded) or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    found: dict[str, list[float]] = {"urgent": [], "payments": []}
    for event, (kind, at) in taken.items():
        found[kind].append(recorded.get(event, math.inf) - at)
    return Delays(sorted(found["urgent"]), sorted(found["payments"]))


def _complaint(number: int) -> dict[str, Any]:
    return {
        "email": f"complainer{number}@example.com",
        "timestamp": int((datetime.now(UTC) - timedelta(seconds=1)).timestamp()),
        "event": "spamreport",
        "sg_event_id": f"delay-{number}",
        "sg_message_id": f"delay-{number}.filter0001",
    }
