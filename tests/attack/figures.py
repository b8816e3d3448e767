"""What an attack cost: memory and CPU of the web processes, and how long genuine webhooks took beside it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

from tests.crash.installation import Installation, signed_payment

MEGABYTE = 1024 * 1024


@dataclass
class Cost:
    """Filled while the attack goes on; `grown` and `cpu` once it is over."""

    running: Installation
    grown: int = 0
    cpu: float = 0.0
    statuses: set[int] = field(default_factory=set)
    milliseconds: list[float] = field(default_factory=list)

    def genuine(self) -> None:
        """One payment, posted as Stripe does."""
        webhook = signed_payment(f"{len(self.milliseconds) + 100:05d}")
        began = time.perf_counter()
        answer = requests.post(
            f"{self.running.url}/webhooks/stripe", data=webhook.body, headers=dict(webhook.headers), timeout=30
        )
        self.milliseconds.append((time.perf_counter() - began) * 1000)
        self.statuses.add(answer.status_code)

    def quantile(self, share: float) -> float:
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def memory(running: Installation) -> int:
    return sum(process.memory_info().rss for process in running.parts("web"))


def cpu(running: Installation) -> float:
    times = [process.cpu_times() for process in running.parts("web")]
    return sum(one.user + one.system for one in times)


@contextmanager
def cost_of(attack: str, running: Installation) -> Iterator[Cost]:
    """Prints what the block cost; the web processes must be the same at its end."""
    cost = Cost(running)
    pids = {process.pid for process in running.parts("web")}
    grown, spent = memory(running), cpu(running)
    yield cost
    assert {process.pid for process in running.parts("web")} == pids
    cost.grown, cost.cpu = memory(running) - grown, cpu(running) - spent
    beside = ""
    if cost.milliseconds:
        beside = f"; {len(cost.milliseconds)} genuine beside it: p50 {cost.quantile(0.5):.0f} ms, "
        beside += f"p99 {cost.quantile(0.99):.0f} ms"
    print(f"{attack}: {cost.grown / MEGABYTE:.0f} MB more, {cost.cpu:.1f} s of CPU{beside}")
