"""One drain: deliveries a second, and what one costs the worker's process."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from statistics import median
from typing import Any

from benchmarks.stage import KINDS, TOKEN, Stage, lumail
from gateway.config import Destination
from gateway.delivery.drain import DeliveryPool, drain
from gateway.events import LumailEvent
from gateway.ledger.database import Ledger
from gateway.ledger.migration import migrate
from gateway.runtime.logs import configure_logs
from tests.making import add_destinations, opened, payment, record, submission
from tests.making import told as telling

LATENCIES = (0, 100)
LANES = ("bulk", "revenue")


@dataclass(frozen=True)
class Size:
    rounds: int
    events: int


FULL = Size(rounds=3, events=800)
QUICK = Size(rounds=1, events=120)


def measure(on: Stage, size: Size) -> dict[str, Any]:
    """By database, lane and latency."""
    found: dict[tuple[str, str, int], list[tuple[float, float]]] = {}
    urls = {kind: on.database(kind) for kind in KINDS}
    for url in urls.values():
        _prepare(url)
    for number in range(size.rounds):
        for latency in LATENCIES:
            with lumail(latency) as base_url:
                for kind, url in urls.items():
                    for lane in LANES:
                        series = f"{number}-{latency}-{lane}"
                        found.setdefault((kind, lane, latency), []).append(
                            _one(url, lane, base_url, series, size.events)
                        )
    return {
        kind: {
            lane: {
                latency: {
                    "rate": median(rate for rate, _ in found[kind, lane, latency]),
                    "cpu": median(cpu for _, cpu in found[kind, lane, latency]),
                }
                for latency in LATENCIES
            }
            for lane in LANES
        }
        for kind in KINDS
    }


def _prepare(url: str) -> None:
    ledger = Ledger(url)
    migrate(ledger)
    add_destinations(ledger, "main")
    ledger.close()


def _one(url: str, lane: str, base_url: str, series: str, events: int) -> tuple[float, float]:
    """Deliveries a second and CPU milliseconds each, in a process of its own."""
    ledger = Ledger(url)
    facts = _facts(lane, series, events)
    record(ledger, submission(*(telling(fact) for fact in facts)))
    ledger.close()
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(partial(drained, url, base_url, events)).result()


def _facts(lane: str, series: str, events: int) -> Sequence[LumailEvent]:
    make = opened if lane == "bulk" else payment
    return [make(f"{series}:{number}", subscriber=f"s{number}@example.com") for number in range(events)]


def drained(url: str, base_url: str, events: int) -> tuple[float, float]:
    """Deliveries a second and CPU milliseconds each; runs in a process of its own."""
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - each attempt's log line is made, and kept nowhere
    configure_logs()
    ledger = Ledger(url)
    delivery_pool = DeliveryPool(ledger, {"main": Destination("main", base_url, TOKEN, requests_per_minute=1_000_000)})
    began, cpu = time.perf_counter(), time.process_time()
    made = 0
    while made < events:  # a slice may end before
        made += drain(delivery_pool, "main")
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    delivery_pool.close()
    ledger.close()
    return made / seconds, cpu * 1000 / made


def lines(told: Mapping[str, Any]) -> list[str]:
    text = ["One drain in one worker, no plan, Lumail's stand-in in another process"]
    for kind, lanes in told.items():
        for lane, latencies in lanes.items():
            shown = "   ".join(
                f"at {latency} ms: {one['rate']:4.0f}/s, CPU {one['cpu']:.2f} ms each"
                for latency, one in latencies.items()
            )
            text.append(f"  {kind:12} {lane:8} {shown}")
    return [*text, ""]
