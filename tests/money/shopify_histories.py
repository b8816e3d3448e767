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
from tests.money.spans import Expected, beside
from tests.money.telling import Asked, MovedBack, Told

RECOMMENDED = frozenset(TOPICS) - {"orders/edited"}


OTHER = "ben.myshopify.com"

TWO_SHOPS = 0.15


@dataclass(frozen=True)
class History:
    """`number` makes it again. `groups` are deliveries that come at once each, in their order.

    `others` is another shop: its orders have the ids of the first one's, and other people.
    """

    number: str
    deposits: str
    shop: Shop
    groups: Sequence[Sequence[Delivery]]
    others: Shop | None = None

    def without(self, left_out: Delivery) -> "History":
        groups = [[one for one in group if one is not left_out] for group in self.groups]
        return replace(self, groups=[group for group in groups if group])

    def expected(self) -> Expected:
        here = expected(self.shop, self.arrived(), self.deposits)
        return here if self.others is None else beside(here, expected(self.others, self.arrived(OTHER), self.deposits))

    def arrived(self, account: str = "") -> list[Told]:
        return [one.told for group in self.groups for one in group if one.account == account]

    def told(self) -> str:
        """Everything, for whoever looks for the fault."""
        lines = [f"history {self.number}, deposits {self.deposits}"]
        lines += [f"  order {number}: {order}" for number, order in enumerate(self.shop.orders)]
        for group in self.groups:
            lines.append("  at once:" if len(group) > 1 else "  alone:")
            for one in group:
                says = [say for say in one.told.says if isinstance(say, Asked | MovedBack)]
                told = one.told
                lines.append(f"    {one.at:8} {told.type} {one.account} {one.version} {told.email} {says} {told.sale}")
        return "\n".join(lines)


def sources() -> list[Source]:
    """One for each shop and way to count deposits: a source is one shop's."""
    return [
        source(f"shopify-{deposits.replace('_', '-')}{shop}", "shopify", deposits=deposits)
        for deposits in ("when_paid", "each")
        for shop in ("", "-other")
    ]


def write_history(seed: str, number: int) -> History:
    name = f"{seed}.{number}"
    dice = Random(f"shopify {name}")
    same = Random()
    same.setstate(dice.getstate())
    shop, version = write_shop(dice, name), dice.choice(VERSIONS)
    others = write_shop(same, f"{name}.other") if dice.random() < TWO_SHOPS else None
    deposits = dice.choice(["when_paid", "when_paid", "each"])
    wanted = subscription(dice, TOPICS, RECOMMENDED)
    endpoint = f"shopify-{deposits.replace('_', '-')}"
    told = [(one, endpoint, version) for one in tell_shop(shop, version) if one.type in wanted]
    late = dice.choice([0.0, 0.1, 0.5])
    deliveries = under_way(dice, told, late=late)
    if others is not None:
        besides = [(one, f"{endpoint}-other", version) for one in tell_shop(others, version) if one.type in wanted]
        deliveries += [replace(one, account=OTHER) for one in under_way(dice, besides, late=late)]
        deliveries.sort(key=lambda one: one.at)
    return History(name, deposits, shop, at_once(dice, deliveries, dice.choice([0, 2, 60, 3600])), others)


def post_of(delivery: Delivery) -> Post:
    told = delivery.told
    shop = delivery.account or "ana.myshopify.com"
    named = headers(told, delivery.identity, delivery.identity[:-1], delivery.version, shop)
    return Post(delivery.source, told.body, named)
