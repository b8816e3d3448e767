"""What a webhook costs an adapter in Python and one in YAML that say the same: split and translated, nothing else."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.stage import Stage
from gateway.events import MemoryKey
from gateway.translation.adapter import Adapter, Context, SourceEvent, split, translate
from gateway.translation.declared import adapter_of
from gateway.translation.registry import adapters, samples
from gateway.translation.webhook import Headers, VerifiedWebhook, Webhook

YAML = Path(__file__).parents[1] / "tests" / "adapters" / "twins" / "postmark.yaml"
CASES = ("delivered", "opened", "clicked", "bounced", "complained", "unsubscribed")
ROUNDS, QUICK_ROUNDS = 15, 5
EACH = 300
"""Webhooks of each case in a round."""

TARGET = 0.5
"""A YAML adapter is at least half as fast."""


class _NoMemory:
    def recall(self, key: MemoryKey) -> Mapping[str, Any] | None:
        """Nobody taught anything."""


def measure(on: Stage, quick: bool) -> dict[str, Any]:
    """Webhooks a second of CPU time, rounds of the two in turn so that both have the machine's same moods."""
    pair = {"python": adapters()["postmark"], "yaml": adapter_of(YAML)}
    bodies = [samples("postmark")[case].body for case in CASES]
    took: dict[str, list[float]] = {name: [] for name in pair}
    for _ in range(QUICK_ROUNDS if quick else ROUNDS):
        for name, adapter in pair.items():
            took[name].append(_round(adapter, bodies))
    rates = {name: len(bodies) * EACH / median(times) for name, times in took.items()}
    ratios = sorted(python / yaml for python, yaml in zip(took["python"], took["yaml"], strict=True))
    return {"rates": rates, "ratio": median(ratios), "ratios": ratios, "target": TARGET}


def _round(adapter: Adapter, bodies: Sequence[bytes]) -> float:
    """CPU seconds."""
    at = datetime.now(UTC)
    context = Context(adapter.name, at, _NoMemory(), adapter.options().load({}))
    headers = Headers({"Content-Type": "application/json"})
    began = time.thread_time()
    for body in bodies:
        for _ in range(EACH):
            verified = VerifiedWebhook(Webhook(adapter.name, "", headers, body, at), 0, None)
            for event in split(adapter, verified):
                assert isinstance(event, SourceEvent)
                assert translate(adapter, event, context).events
    return time.thread_time() - began


def lines(told: Mapping[str, Any]) -> list[str]:
    rates = told["rates"]
    text = ["Translating Postmark's webhooks (one core)"]
    text += [f"  {name:8} {rates[name]:8,.0f} a second" for name in rates]
    verdict = "at least" if told["ratio"] >= told["target"] else "LESS THAN"
    return [*text, f"  YAML is {told['ratio']:.2f} times as fast as Python; {verdict} {told['target']}", ""]
