"""Whole histories at Stripe: a life, how it is told, in which order that arrives, and what has to come of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from gateway.config import Source
from tests.money.deliveries import Delivery, at_once, subscription, under_way
from tests.money.office import Post, source
from tests.money.spans import Expected, beside
from tests.money.stripe_life import Life, Sale, write_life
from tests.money.stripe_truth import CASH_MAKERS, LEARNT_FROM, MODES, Mode, expected
from tests.money.stripe_words import VERSIONS, event, tell_life
from tests.money.telling import Paid, Told

RECOMMENDED = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice_payment.paid",
        "charge.refunded",
        "refund.created",
        "refund.updated",
        "refund.failed",
        "charge.dispute.closed",
        "charge.dispute.funds_withdrawn",
        "credit_note.created",
        "customer.created",
        "customer.updated",
        "product.created",
        "product.updated",
    }
)
"""What the set-up page recommends for `payments_from: sales`; the other modes need the intents, too."""


OTHER = "acct_other"
"""A connected account beside the platform's own."""

TWO_ACCOUNTS = 0.15

_SUMS = ("amount_paid", "amount_total", "amount_received")


@dataclass(frozen=True)
class History:
    """`number` makes it again. `groups` are deliveries that come at once each, in their order.

    `others` is a life in another account: its objects have the ids of the first one's, and other people.
    """

    number: str
    mode: Mode
    life: Life
    groups: Sequence[Sequence[Delivery]]
    others: Life | None = None

    @property
    def deliveries(self) -> list[Delivery]:
        return [one for group in self.groups for one in group]

    def without(self, left_out: Delivery) -> "History":
        groups = [[one for one in group if one is not left_out] for group in self.groups]
        return replace(self, groups=[group for group in groups if group])

    def expected(self) -> Expected:
        here = expected(self.life, self.arrived(), self.mode)
        return here if self.others is None else beside(here, expected(self.others, self.arrived(OTHER), self.mode))

    def arrived(self, account: str = "") -> list[Told]:
        return [one.told for one in self.deliveries if one.account == account]

    def told(self) -> str:
        """Everything, for whoever looks for the fault."""
        lines = [f"history {self.number}, payments_from {self.mode}"]
        lines += [f"  sale {number}: {sale}" for number, sale in enumerate(self.life.sales)]
        lines += [f"  in {OTHER}: {sale}" for sale in (self.others.sales if self.others else ())]
        for group in self.groups:
            lines.append("  at once:" if len(group) > 1 else "  alone:")
            for one in group:
                told = one.told
                sums = [f"{name} {told.body[name]}" for name in _SUMS if name in told.body]
                says = [say for say in told.says if not isinstance(say, Paid)]
                names = " ".join(sorted(told.names))
                lines.append(
                    f"    {one.at:8} {told.type} {one.account} {one.version} {told.email} {sums} {says} {names}"
                )
        return "\n".join(lines)


def sources() -> list[Source]:
    """Two endpoints for each mode, as while a webhook is moved to a newer version of the API."""
    return [
        source(f"stripe-{mode.replace('_', '-')}-{number}", "stripe", payments_from=mode)
        for mode in MODES
        for number in (1, 2)
    ]


def write_history(seed: str, number: int, mode: Mode | None = None) -> History:
    name = f"{seed}.{number}"
    dice = Random(f"stripe {name}")
    mode = mode or dice.choices(MODES, [2, 1, 1])[0]
    same = Random()
    same.setstate(dice.getstate())
    life = write_life(dice, name)
    others = write_life(same, f"{name}.{OTHER}") if dice.random() < TWO_ACCOUNTS else None
    told = _told(dice, life, mode)
    recommended = RECOMMENDED if mode == "sales" else RECOMMENDED | CASH_MAKERS
    types = sorted({one.type for one, _, _ in told} | LEARNT_FROM)
    wanted = subscription(dice, types, recommended)
    late = dice.choice([0.0, 0.1, 0.5])
    deliveries = under_way(dice, [one for one in told if one[0].type in wanted], late=late)
    if others is not None:
        besides = [one for one in _told(dice, others, mode) if one[0].type in wanted]
        deliveries += [replace(one, account=OTHER) for one in under_way(dice, besides, late=late)]
        deliveries.sort(key=lambda one: one.at)
    groups = at_once(dice, deliveries, dice.choice([0, 2, 60, 3600]))
    return History(name, mode, life, groups, others)


def _told(dice: Random, life: Life, mode: Mode) -> list[tuple[Told, str, str]]:
    """By one endpoint in one generation or in several, or by two endpoints, one of each."""
    first, second = (f"stripe-{mode.replace('_', '-')}-{number}" for number in (1, 2))
    generations = dice.choice(["A", "B", "C", "C", "C", "AC", "BC", "ABC"])
    if len(generations) > 1 and dice.random() < 0.5:
        return [*_by_one(dice, life, first, generations[0]), *_by_one(dice, life, second, generations[-1])]
    return _by_one(dice, life, first, generations)


def _by_one(dice: Random, life: Life, endpoint: str, generations: str) -> list[tuple[Told, str, str]]:
    def generation(sale: Sale) -> str:
        possible = [one for one in generations if one in sale.only]
        return dice.choice(possible) if possible else sale.only[-1]

    told = tell_life(life, generation)
    has_links = "C" in generations
    version = VERSIONS[generations[-1]]
    return [
        (one, endpoint, version)
        for one in told
        if one.type != "invoice_payment.paid"
        or (
            (has_links or (one.sale is not None and life.sales[one.sale].only == "C"))
            and (one.sale is not None and "C" in life.sales[one.sale].only)
        )
    ]


def post_of(delivery: Delivery) -> Post:
    body = event(delivery.told, delivery.identity, delivery.version)
    return Post(delivery.source, {**body, "account": delivery.account} if delivery.account else body)
