"""Histories of providers whose adapters are YAML files: how they arrive, and a judge who looks at life and at Lumail.

The judge never looks at the gateway: of each sale the payments come to what was paid, and what went back to what went
back; all of it concerns one person, who bought it, and names the product; nothing goes back before it was paid.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from typing import Any

from tests.money.declared_life import Sale, write_sales
from tests.money.declared_words import PROVIDERS, Telling
from tests.money.deliveries import LATEST, at_once
from tests.money.office import Office, Post


@dataclass(frozen=True)
class Arrival:
    """A telling that comes at a time."""

    at: int
    told: Telling


@dataclass(frozen=True)
class History:
    """`number` makes it again. `groups` are what comes at once, in their order."""

    number: str
    sales: Sequence[Sale]
    groups: Sequence[Sequence[Arrival]]

    def told(self) -> str:
        lines = [f"history {self.number}", *(f"  {sale}" for sale in self.sales)]
        return "\n".join(
            [*lines, *(f"    {one.at:8} {one.told.type} {one.told.post.body}" for g in self.groups for one in g)]
        )

    def without(self, left_out: Arrival) -> "History":
        groups = [[one for one in group if one is not left_out] for group in self.groups]
        return replace(self, groups=[group for group in groups if group])


def write_history(provider: str, seed: str, number: int) -> History:
    name = f"{provider}.{seed}.{number}"
    dice = Random(name)
    knows = PROVIDERS[provider]
    sales = write_sales(dice, name, knows.powers)
    late = dice.choice([0.0, 0.2, 0.6])
    arrivals = []
    for told in (one for sale in sales for one in knows.words(sale)):
        for _ in range(dice.choice([1, 1, 1, 1, 2, 3])):
            delay = dice.randrange(LATEST) if dice.random() < late else dice.choice([0, 0, 1, 8, 54])
            arrivals.append(Arrival(max(0, told.at) + delay, told))
    arrivals.sort(key=lambda one: one.at)
    return History(name, sales, at_once(dice, arrivals, dice.choice([0, 2, 60, 3600])))  # type: ignore[arg-type]  # alike


def post_of(arrival: Any) -> Post:
    post: Post = arrival.told.post
    return post


def faults(history: History, office: Office) -> list[str]:
    """In words, what is not as it should be."""
    events = [one for one in office.town.sandbox.events() if one["subscriber"].startswith(f"{history.number}.")]
    events += [one for one in office.town.sandbox.events() if str(one["data"].get("product", "")).endswith(" payment")]
    wrong = [
        f"nobody sold {one['data']}"
        for one in events
        if one["data"]["product"] not in {s.product for s in history.sales}
    ]
    return wrong + [fault for sale in history.sales for fault in _of_sale(sale, events)]


def _of_sale(sale: Sale, events: Sequence[Mapping[str, Any]]) -> list[str]:
    own = [one for one in events if one["data"]["product"] == sale.product]
    unit = Decimal(1) if sale.currency == "JPY" else Decimal("0.01")
    gone = sum(one.amount for one in sale.backs if one.ends == "succeeded")
    gone += sale.claim.amount if sale.claim is not None and sale.claim.ends == "lost" else 0
    right = {"SUBSCRIBER_PAYMENT": sale.paid * unit, "SUBSCRIBER_REFUND": min(sale.paid, gone) * unit}
    told = []
    for kind, amount in right.items():
        came = sum((Decimal(str(one["data"]["amount"])) for one in own if one["eventType"] == kind), Decimal(0))
        if came != amount:
            told.append(f"{sale.product}: {kind} {came}, {amount} is right")
    people = {one["subscriber"] for one in own}
    if len(people) > 1 or not people <= set(sale.emails):
        told.append(f"{sale.product}: concerns {people}, {sale.emails} bought it")
    if {one["data"]["currency"] for one in own} - {sale.currency}:
        told.append(f"{sale.product}: in another currency than {sale.currency}")
    if own and own[0]["eventType"] != "SUBSCRIBER_PAYMENT":
        told.append(f"{sale.product}: went back before it was paid")
    return told
