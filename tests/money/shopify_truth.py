"""What of a life at Shopify can be known from the webhooks that arrived, and so must be at Lumail in the end.

A judge, not a second gateway: it looks at all that arrived at once, after the end, and never at the gateway's code.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from tests.money.shopify_life import Order, Shop
from tests.money.spans import Account, Expected, Span, exactly
from tests.money.stripe_life import major
from tests.money.telling import Asked, Disputed, MovedBack, Told

ORDERS = frozenset({"orders/create", "orders/paid", "orders/updated"})
REFUNDS = frozenset({"refunds/create", "order_transactions/create"})
PEOPLE = frozenset({"customers/create", "customers/update"})
DISPUTES = frozenset({"disputes/create", "disputes/update"})
LEARNT_FROM = ORDERS | REFUNDS | DISPUTES | PEOPLE

EXEMPT: Mapping[str, str] = {
    "no order": "refunds name an order and no person: one whose order was never told is held and shown",
    "never seen paid": "none of the types that arrive tells of the moment in which all was paid, or all that was added",
    "nobody": "no order and no customer that arrived has an address; the payment is held and shown",
    "success unseen": "what was pending comes through by order_transactions/create and orders/updated only",
}
"""Where what arrives tells less than the truth. Nothing makes it tell more."""


def expected(shop: Shop, arrived: Sequence[Told], deposits: str = "when_paid") -> Expected:
    """What must be at Lumail after `arrived`."""
    learnt = [told for told in arrived if told.type in LEARNT_FROM]
    introduced = {told.customer for told in learnt if told.sale is None and told.email}
    mentioned = {told.customer for told in learnt if told.email}
    loose = {
        order.customer
        for order in shop.orders
        if len(order.customer.emails) > 1 and order.email_in in ("customer", "nowhere")
    }
    one_person = {email: str(one.id) for one in loose for _, email in one.emails}
    accounts: dict[Account, Span] = {}
    for number, order in enumerate(shop.orders):
        told = [one for one in learnt if one.sale == number]
        known = any(one.email or one.customer in introduced for one in told)
        if order.test or not (known or any(one.customer in mentioned for one in told)):
            continue
        email = order.customer.email(order.states[0].at) or order.customer.emails[-1][1]
        payment = paid(order, told, deposits)
        spans = [("payment", order.currency, payment), ("refund", order.currency, returned(order, told, deposits))]
        if not payment.most:
            spans = _of_unpaid(order, told)
        for kind, currency, span in spans:
            account = (one_person.get(email, email), currency, kind)
            accounts[account] = accounts.get(account, Span()) + (span if known else span.perhaps())
    return Expected({account: span for account, span in accounts.items() if span.most}, one_person)


def _of_unpaid(order: Order, told: Sequence[Told]) -> list[tuple[str, str, Span]]:
    """Refunds of an order that was told, and never as paid: they may be sent as they are, or held."""
    if not any(isinstance(say, Asked) for one in told for say in one.says):
        return []
    through = _through(told)
    shopper = order.rate[0] if order.rate else order.currency
    seen = exactly(major(sum(through.values()), shopper.lower()), len(through)).perhaps()
    own = Span(Decimal(0), major(order.states[-1].total, order.currency.lower()), 0, len(through))
    return [("refund", currency, span) for currency, span in {order.currency: own, shopper: seen}.items()]


def _through(told: Sequence[Told]) -> dict[int, int]:
    """The amounts of refunds' transactions that were told as through, by id."""
    return {
        say.transaction: say.amount
        for one in told
        for say in one.says
        if isinstance(say, MovedBack) and say.status == "success"
    }


def paid(order: Order, told: Sequence[Told], deposits: str) -> Span:
    """What was paid for an order, as far as these tell: totals only grow."""
    sums = {_paid(say, deposits) for one in told for say in one.says if isinstance(say, Asked)} - {0}
    return exactly(major(max(sums, default=0), order.currency.lower()), len(sums))


def _paid(say: Asked, deposits: str) -> int:
    if say.status == "paid":
        return say.total - say.cards
    return say.total - say.outstanding if say.status == "partially_paid" and deposits == "each" else 0


def returned(order: Order, told: Sequence[Told], deposits: str) -> Span:
    """What went back, in the shop's money; never more than was paid, and all of it where all went back."""
    known = paid(order, told, deposits)
    through = _through(told)
    lost = _lost(told)
    if not (through or lost) or not known.most:
        return Span()
    currency, total = order.currency.lower(), order.states[-1].total
    everything = sum(through.values()) == order.shopper(total) and known.most == major(total, currency)
    if order.rate is None or everything:
        back = major(sum(through.values()), currency) if order.rate is None else known.most
        return exactly(min(known.most, back + major(lost, currency)), len(through) + known.at_most - 1 + bool(lost))
    exact = Fraction(sum(through.values()) * order.rate[2], order.rate[1])
    off = len(through) + 2
    least, most = max(0, int(exact) - off) + lost, int(exact) + off + lost
    bounds = [min(known.most, max(Decimal(0), major(one, currency))) for one in (least, most)]
    return Span(bounds[0], bounds[1], 0, len(through) + known.at_most - 1 + bool(lost))


def _lost(told: Sequence[Told]) -> int:
    """What a bank took, once that is decided."""
    lost = {
        say.id: say.amount for one in told for say in one.says if isinstance(say, Disputed) and say.status == "lost"
    }
    return sum(lost.values())


def really(order: Order) -> tuple[Decimal, Decimal]:
    """What was truly paid in the end, and what truly went back (in the shopper's money)."""
    last = order.states[-1]
    totals = [one.total for one in order.states if one.status == "paid"]
    total = max(max(totals, default=0) if last.status != "paid" else last.total, order.cards) - order.cards
    back = sum(one.amount for ret in order.returns for one in ret.transactions if one.came_through)
    shopper = (order.rate[0] if order.rate else order.currency).lower()
    return major(total, order.currency.lower()), major(back, shopper)


def exemption(order: Order, told: Sequence[Told]) -> set[str]:
    """The names of EXEMPT that apply to an order, given what arrived of it."""
    rows = set()
    asked = [say for one in told for say in one.says if isinstance(say, Asked)]
    if not asked:
        rows.add("no order")
    elif not any(say.status == "paid" and say.total == order.states[-1].total for say in asked):
        rows.add("never seen paid")
    seen = {
        say.transaction for one in told for say in one.says if isinstance(say, MovedBack) and say.status == "success"
    }
    if {one.id for ret in order.returns for one in ret.transactions if one.came_through} - seen:
        rows.add("success unseen")
    return rows
