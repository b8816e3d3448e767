"""How much was received for an order, as the order itself says it.

`total_price` holds the lines that came beside those that left (exchanges, edits, what was taken off before the
capture), so it says what was ever on the order. What was received follows from three fields of Shopify's: what the
order comes to now, less what is owed of that, and what was paid back.
https://shopify.dev/docs/api/admin-rest/latest/resources/order
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from adapters.shopify import goods
from gateway.errors import PayloadError
from gateway.translation import money

_Options = Mapping[str, Any]

GIFT_CARD = "gift_card"
"""What Shopify calls the way of paying with a gift card."""

NOTHING = Decimal(0)

_SUCCESSFUL = frozenset({"success"})


@dataclass(frozen=True)
class Takings:
    """What counts of what was received up to now, in the shop's currency; `presented` is the same in the buyer's.

    `deposit`: it counts only once all was paid. `tolerance`: by how much the reckoning may be off.
    `by_transactions`: a gift card paid, and what else was paid is told by the transactions.
    """

    amount: Decimal
    currency: str | None
    presented: tuple[Decimal, str] | None = None
    deposit: bool = False
    tolerance: Decimal = NOTHING
    by_transactions: bool = False


def taken(order: Mapping[str, Any], status: str, options: _Options) -> Takings:
    """Raises PayloadError for a status that Shopify does not document, and where the price is missing."""
    if status not in _STATUSES:
        raise PayloadError(f"unknown financial_status {status[:40]!r}")
    if _STATUSES[status] is None:
        return Takings(NOTHING, _currency(order) if order["currency"] else None, deposit=True)
    deposit = status == "partially_paid" and options["deposits"] == "when_paid"
    if deposit and order["total_outstanding"] is None:
        return Takings(NOTHING, _currency(order), deposit=True)
    total = money.amount(goods.first_told(order["total_price"], _shop(order)["amount"]))
    foreign = [one for one in _refunds(order) if _is_foreign(one, order)]
    tolerance = len(foreign) * money.major_units(1, _currency(order))
    paid = min(max(_received(order, total, _STATUSES[status]), NOTHING), total)
    if abs(total - paid) <= tolerance:
        paid = total
    by_transactions = options["gift_card_sales"] == "count" and GIFT_CARD in (order["payment_gateway_names"] or ())
    counted = NOTHING if by_transactions else _without_gift_cards(order, paid, total, options)
    return Takings(counted, _currency(order), _presented(order, counted, total), deposit, tolerance, by_transactions)


def _received(order: Mapping[str, Any], total: Decimal, otherwise: Any) -> Decimal:
    current, owed = order["current_total_price"], order["total_outstanding"]
    if current is None or owed is None or otherwise is _returned:
        reckoned: Decimal = otherwise(order, total)
        return reckoned
    return money.amount(current) - money.amount(owed) + _paid_back(order, total)


def _without_gift_cards(order: Mapping[str, Any], paid: Decimal, total: Decimal, options: _Options) -> Decimal:
    """A gift card counts once: when it is spent, or (`count`) when it is sold."""
    if options["gift_card_sales"] == "count":
        return paid
    return money.amount(min(paid, max(total - goods.gift_cards(order["line_items"]), NOTHING)))


def _paid_back(order: Mapping[str, Any], total: Decimal, statuses: frozenset[str] = _SUCCESSFUL) -> Decimal:
    """The refunds in these statuses, in the shop's currency."""
    told = list(_refunds(order, statuses))
    foreign = [money.amount(one["amount"]) for one in told if _is_foreign(one, order)]
    own = sum((money.amount(one["amount"]) for one in told if not _is_foreign(one, order)), NOTHING)
    seen, currency = _seen(order)
    if not foreign:
        return own
    told_in = {money.currency_code(one["currency"]) for one in told if _is_foreign(one, order)}
    if not seen or told_in != {currency}:
        raise PayloadError("a refund in a currency that is neither the shop's nor the buyer's")
    return own + (sum(foreign, NOTHING) * total / seen).quantize(total, ROUND_HALF_UP)


def _refunds(order: Mapping[str, Any], statuses: frozenset[str] = _SUCCESSFUL) -> Iterator[Mapping[str, Any]]:
    for refund in order["refunds"] or ():
        for one in refund["transactions"] or ():
            if one["kind"] == "refund" and one["status"] in statuses and one["amount"] is not None:
                yield one


def _is_foreign(transaction: Mapping[str, Any], order: Mapping[str, Any]) -> bool:
    told_in = transaction["currency"]
    return bool(told_in) and money.currency_code(told_in) != _currency(order)


def _all(order: Mapping[str, Any], total: Decimal) -> Decimal:
    return total


def _deposit(order: Mapping[str, Any], total: Decimal) -> Decimal:
    return total - money.amount(order["total_outstanding"])


def _returned(order: Mapping[str, Any], total: Decimal) -> Decimal:
    """All that was paid went back, or is on its way."""
    back = _paid_back(order, total, _SUCCESSFUL | {"pending"})
    return back if 0 < back < total else total


# https://shopify.dev/docs/api/admin-graphql/latest/enums/OrderDisplayFinancialStatus
# None: nobody has paid. Otherwise what was received by a webhook without the fields to reckon it.
_STATUSES: Mapping[str, Callable[[Mapping[str, Any], Decimal], Decimal] | None] = {
    "pending": None,
    "authorized": None,
    "expired": None,
    "voided": None,
    "partially_paid": _deposit,
    "paid": _all,
    "partially_refunded": _all,
    "refunded": _returned,
}


def _shop(order: Mapping[str, Any]) -> Mapping[str, Any]:
    told: Mapping[str, Any] = order["total_price_set"]["shop_money"]
    return told


def _currency(order: Mapping[str, Any]) -> str:
    return money.currency_code(order["currency"] or _shop(order)["currency_code"])


def _seen(order: Mapping[str, Any]) -> tuple[Decimal | None, str | None]:
    """The price as the buyer saw it, where that was in another currency."""
    told = order["total_price_set"]["presentment_money"]
    if told["amount"] is None or not told["currency_code"]:
        return None, None
    currency = money.currency_code(told["currency_code"])
    return (None, None) if currency == _currency(order) else (money.amount(told["amount"]), currency)


def _presented(order: Mapping[str, Any], counted: Decimal, total: Decimal) -> tuple[Decimal, str] | None:
    seen, currency = _seen(order)
    if seen is None or currency is None or total <= 0 or counted <= 0:
        return None
    return money.amount((seen * counted / total).quantize(seen, ROUND_HALF_UP)), currency
