"""A large batch: how long SendGrid waits for the receipt of 1,000 events."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from benchmarks import samples
from benchmarks.door import APPLICATIONS
from benchmarks.load import post_all
from benchmarks.stage import KINDS, Stage, gateway, web_processes

ITEMS = 1000


def measure(on: Stage, batches: int) -> dict[str, Any]:
    """Both databases, by name: milliseconds to the receipt, one batch after the other."""
    return {kind: _on_database(on, kind, batches) for kind in KINDS}


def _on_database(on: Stage, kind: str, batches: int) -> dict[str, float]:
    with (
        gateway(on, on.database(kind)) as ready,
        web_processes(on, APPLICATIONS["gateway"], ready.env) as web,
    ):
        taken = []
        before = 0.0
        for number in range(-2, batches):  # two to warm up
            if number == 0:
                before = web.cpu_seconds()
            request = samples.campaign(ITEMS, ready.keys["sendgrid"].signing, f"batch{number}")
            load = post_all(web.port, [request], 1)
            assert not load.refused, "a batch was refused"
            if number >= 0:
                taken.append(load.latencies[0])
        return {
            "median": median(taken),
            "max": max(taken),
            "cpu": (web.cpu_seconds() - before) * 1000 / batches,
            "bytes": len(request),
        }


def lines(told: Mapping[str, Any]) -> list[str]:
    text = [f"Batch of {ITEMS:,} SendGrid events, each made an event of Lumail"]
    text += [
        f"  {kind:12} receipt after {one['median']:.0f} ms (longest {one['max']:.0f}), CPU {one['cpu']:.0f} ms,"
        f" {one['bytes'] / 1000:.0f} KB"
        for kind, one in told.items()
    ]
    return [*text, ""]
