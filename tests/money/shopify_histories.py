"""Whole histories at Shopify: a life, how it is told, in which order that arrives, and what has to come of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from gateway.config import Source
from tests.money.deliveries import Delivery, at_once, subscription, under_way
from tests.money.office import Post, source
from tests.money.shopify_life import Shop, write_shop
from tests.money.shopify_truth import expected
from tests.money.shopify_words import TOPICS, VERSIONS, headers, tell_shop
from tests.money.spans import Expected
from tests.money.telling import Asked, MovedBack, Told

RECOMMENDED = frozenset(TOPICS) - {"orders/edited"}


@dataclass(frozen=True)
class History:
    """`number` makes it again. `groups` are deliveries that come at once each, in their order."""

    number: str
    deposits: str
    shop: Shop
    groups: Sequence[Sequence[Delivery]]

    def without(self, left_out: Delivery) -> "History":
        groups = [[one for one in group if one is not left_out] for group in self.groups]
        return replace(self, groups=[group for group in groups if group])

    def expected(self) -> Expected:
        return expected(self.shop, self.arrived(), self.deposits)

    def arrived(self) -> list[Told]:
        return [one.told for group in self.groups for one in group]

    def told(self) -> str:
        """Everything, for whoever looks for the fault."""
        lines = [f"history {self.number}, deposits {self.deposits}"]
        lines += [f"  order {number}: {order}" for number, order in enumerate(self.shop.orders)]
        for group in self.groups:
            lines.append("  at once:" if len(group) > 1 else "  alone:")
            for one in group:
                says = [say for say in one.told.says if isinstance(say, Asked | MovedBack)]
                lines.append(f"    {one.at:8} {one.told.type} {one.version} {one.told.email} {says} {one.told.sale}")
        return "\n".join(lines)


def sources() -> list[Source]:
    return [
        source("shopify-when-paid", "shopify", deposits="when_paid"),
        source("shopify-each", "shopify", deposits="each"),
    ]


def write_history(seed: str, number: int) -> History:
    name = f"{seed}.{number}"
    dice = Random(f"shopify {name}")
    shop, version = write_shop(dice, name), dice.choice(VERSIONS)
    deposits = dice.choice(["when_paid", "when_paid", "each"])
    wanted = subscription(dice, TOPICS, RECOMMENDED)
    endpoint = f"shopify-{deposits.replace('_', '-')}"
    told = [(one, endpoint, version) for one in tell_shop(shop, version) if one.type in wanted]
    deliveries = under_way(dice, told, late=dice.choice([0.0, 0.1, 0.5]))
    return History(name, deposits, shop, at_once(dice, deliveries, dice.choice([0, 2, 60, 3600])))


def post_of(delivery: Delivery) -> Post:
    told = delivery.told
    return Post(delivery.source, told.body, headers(told, delivery.identity, delivery.identity[:-1], delivery.version))
