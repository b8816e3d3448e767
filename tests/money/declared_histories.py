"""Whole histories of providers whose adapters are YAML files: sales, which webhooks arrive, and in which order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.money import declared_truth
from tests.money.declared_life import Sale, write_sales
from tests.money.declared_words import PROVIDERS, Telling
from tests.money.deliveries import LATEST, at_once, subscription
from tests.money.office import Office, Post


@dataclass(frozen=True)
class Arrival:
    """A telling that comes at a time; `sale` is the position of its sale."""

    at: int
    sale: int
    told: Telling


@dataclass(frozen=True)
class History:
    """`number` makes it again. `groups` are what comes at once, in their order."""

    number: str
    provider: str
    sales: Sequence[Sale]
    groups: Sequence[Sequence[Arrival]]

    def told(self) -> str:
        lines = [f"history {self.number}", *(f"  {sale}" for sale in self.sales)]
        for group in self.groups:
            lines.append("  at once:" if len(group) > 1 else "  alone:")
            lines += [f"    {one.at:8} sale {one.sale} {one.told.type} {one.told.says}" for one in group]
        return "\n".join(lines)

    def without(self, left_out: Arrival) -> "History":
        groups = [[one for one in group if one is not left_out] for group in self.groups]
        return replace(self, groups=[group for group in groups if group])


def write_history(provider: str, seed: str, number: int) -> History:
    name = f"{provider}.{seed}.{number}"
    dice = Random(name)
    knows = PROVIDERS[provider]
    sales = write_sales(dice, name, knows.powers)
    told = [(position, one) for position, sale in enumerate(sales) for one in knows.words(sale)]
    types = sorted({one.type for _, one in told})
    wanted = subscription(dice, types, frozenset(types))
    late = dice.choice([0.0, 0.2, 0.6])
    arrivals = []
    for position, one in told:
        for _ in range(dice.choice([1, 1, 1, 1, 2, 3]) if one.type in wanted else 0):
            delay = dice.randrange(LATEST) if dice.random() < late else dice.choice([0, 0, 1, 8, 54])
            arrivals.append(Arrival(max(0, one.at) + delay, position, one))
    arrivals.sort(key=lambda one: one.at)
    groups = at_once(dice, arrivals, dice.choice([0, 2, 60, 3600]))  # type: ignore[arg-type]  # alike
    return History(name, provider, sales, groups)  # type: ignore[arg-type]  # alike


def post_of(arrival: Any) -> Post:
    post: Post = arrival.told.post
    return post


def faults(history: History, office: Office) -> list[str]:
    """In words, what is not as it should be; each buyer of a history has addresses of his own."""
    found = []
    for position, sale in enumerate(history.sales):
        events = [one for one in office.town.sandbox.events() if one["subscriber"] in sale.emails]
        groups = [[one.told for one in group if one.sale == position] for group in history.groups]
        found += declared_truth.faults(sale, PROVIDERS[history.provider], [one for one in groups if one], events)
    return found
