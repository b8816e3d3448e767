"""Lines of many subscribers at several destinations, delivered by several workers where much fails."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from gateway.events import Lane
from gateway.ledger.database import Ledger
from gateway.ledger.schema import events
from gateway.lumail.sandbox import Sandbox, SandboxSettings
from tests.crash import chaos
from tests.crash.installation import STRIPE, TOKEN, Setup, installation
from tests.making import complained, payment, record, rows, submission, told
from tests.waiting import eventually

DESTINATIONS = ("first", "second", "third")


@dataclass(frozen=True)
class Size:
    """It fails for so many seconds at the most; `within`: seconds in which the rest has to be settled."""

    subscribers: int
    events: int
    workers: int
    fails_for: float
    within: float


@dataclass(frozen=True)
class Order:
    """`inverted` are pairs of events of one line that Lumail has in the other order than they happened in."""

    recorded: int
    doubled: int
    lines: int
    inverted: Sequence[tuple[str, str]]


def run(folder: Path, database_url: str, size: Size, faults: float = 0.1) -> Order:
    setup = Setup(
        destinations={name: {} for name in DESTINATIONS},
        sources={f"stripe-{name}": {**STRIPE, "destination": name} for name in DESTINATIONS},
        lumail=SandboxSettings(api_tokens=(TOKEN,), latency_ms=20),
        web=1,
        workers=size.workers,
    )
    with installation(folder, database_url, setup) as running:
        ledger = Ledger(database_url)
        chaos.inject(running.sandbox, faults)
        for name in DESTINATIONS:
            _wait_together(ledger, name, size)
        with chaos.stopping(running, every=(2, 5), lasts=(11, 14)):
            _until(ledger, size.fails_for)
        running.sandbox.faults.clear()
        eventually(lambda: chaos.open_events(ledger) == 0, within=size.within, what=f"all is settled; {running.log}")
        found = _judge(ledger, running.sandbox)
        ledger.close()
    return found


def _until(ledger: Ledger, seconds: float) -> None:
    try:
        eventually(lambda: chaos.open_events(ledger) == 0, within=seconds)
    except AssertionError:  # what is left is delivered once nothing fails any more
        return


def _wait_together(ledger: Ledger, destination: str, size: Size) -> None:
    """One transaction, so that all of a line wait before the first leaves; told in no order."""
    now = datetime.now(UTC)
    facts = []
    for number in range(size.events // len(DESTINATIONS)):
        make = (payment, complained)[number // 7 % 2]
        subscriber = f"{destination}-{number % (size.subscribers // len(DESTINATIONS))}@example.com"
        at = now - timedelta(hours=1) + timedelta(seconds=number)
        facts.append(make(f"{destination}:{number}", subscriber=subscriber, occurred_at=at))
    random.shuffle(facts)
    translated_items = [told(one) for one in facts]
    record(ledger, submission(*translated_items, destination=destination, source=f"stripe-{destination}"))


def _judge(ledger: Ledger, sandbox: Sandbox) -> Order:
    place: dict[str, int] = {}
    recorded = sandbox.events()
    for one in recorded:
        place.setdefault(one["data"]["gatewayEventId"], one["seq"])
    lines: dict[tuple[str, int, str], list[tuple[datetime, str]]] = {}
    for event, destination, lane, subscriber, occurred_at in rows(
        ledger, events, "id", "destination", "lane", "subscriber", "occurred_at"
    ):
        if lane != Lane.BULK and event in place:
            lines.setdefault((destination, lane, subscriber), []).append((occurred_at, event))
    inverted = []
    for line in lines.values():
        happened = [event for _, event in sorted(line)]
        inverted += [(one, two) for one, two in pairwise(happened) if place[one] > place[two]]
    return Order(len(place), len(recorded) - len(place), len(lines), inverted)
