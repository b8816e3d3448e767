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
from gateway.translation.declarative.adapter import adapter_of
from gateway.translation.registry import adapters, samples
from gateway.translation.webhook import Headers, VerifiedWebhook, Webhook
from tests.adapters.twins import lemonsqueezy

TWINS = Path(__file__).parents[1] / "tests" / "adapters" / "twins"
CASES = {
    "postmark": ("delivered", "opened", "clicked", "bounced", "complained", "unsubscribed"),
    "lemonsqueezy": ("order", "order_in_yen", "order_refunded_in_part", "renewed[subscription_payment_success]"),
}
ROUNDS, QUICK_ROUNDS = 15, 5
EACH = 300
"""Webhooks of each case in a round."""

TARGET = 0.5
"""A YAML adapter is at least half as fast."""


class _NoMemory:
    def recall(self, key: MemoryKey) -> Mapping[str, Any] | None:
        """Nobody taught anything."""


def measure(on: Stage, quick: bool) -> dict[str, Any]:
    """Webhooks a second of CPU time, by provider; the two ways in turn, so that both have the machine's same moods."""
    ways = {
        "postmark": (adapters()["postmark"], adapter_of(TWINS / "postmark.yaml")),
        "lemonsqueezy": (lemonsqueezy.adapter, adapters()["lemonsqueezy"]),
    }
    rounds = QUICK_ROUNDS if quick else ROUNDS
    return {name: _compared(*ways[name], [samples(name)[case].body for case in CASES[name]], rounds) for name in ways}


def _compared(python: Adapter, declared: Adapter, bodies: Sequence[bytes], rounds: int) -> dict[str, Any]:
    took = [(_round(python, bodies), _round(declared, bodies)) for _ in range(rounds)]
    rates = [len(bodies) * EACH / median(times) for times in zip(*took, strict=True)]
    ratio = median(one / other for one, other in took)
    return {"python": rates[0], "yaml": rates[1], "ratio": ratio, "target": TARGET}


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
                assert translate(adapter, event, context).ignored is None
    return time.thread_time() - began


def lines(told: Mapping[str, Any]) -> list[str]:
    text = ["Translating by an adapter in Python and by one in YAML, webhooks a second (one core)"]
    for name, one in told.items():
        reached = "" if one["ratio"] >= one["target"] else f", LESS THAN {one['target']}"
        ratio = f"{one['ratio']:.2f} times as fast{reached}"
        text.append(f"  {name:14} {one['python']:8,.0f}   {one['yaml']:8,.0f}   {ratio}")
    return [*text, ""]
