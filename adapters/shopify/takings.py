"""How much was paid for an order, as the order itself says it.

`total_price` is before returns, so refunds don't lower it; an edit upwards raises it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from adapters.shopify import goods
from gateway.errors import PayloadError
from gateway.translation import money

REFUNDING = frozenset({"success", "pending"})
"""Statuses of a refund's transactions by which money goes back, or is on its way."""

_Options = Mapping[str, Any]


@dataclass(frozen=True)
class Takings:
    """What was paid up to now, in the shop's currency; `presented` is the same in the one that the buyer saw.

    `uncounted`: all that was bought are gift cards, whose sale the source leaves out.
    """

    amount: Decimal
    currency: str | None
    presented: tuple[Decimal, str] | None = None
    uncounted: bool = False

    @property
    def by_currency(self) -> dict[str, Decimal]:
        """The same money, in each currency that a refund may be told in."""
        told = [(self.amount, self.currency), *([self.presented] if self.presented else [])]
        return {currency: amount for amount, currency in told if currency and amount > 0}


def taken(order: Mapping[str, Any], status: str, options: _Options) -> Takings:
    """Raises PayloadError for a status that Shopify does not document, and where the price is missing."""
    if status not in _STATUSES:
        raise PayloadError(f"unknown financial_status {status[:40]!r}")
    measure = _STATUSES[status]
    if measure is _nothing:
        return Takings(Decimal(0), _currency(order) if order["currency"] else None)
    total = money.amount(goods.first_told(order["total_price"], _shop(order)["amount"]))
    paid = min(max(measure(order, total, options), Decimal(0)), total)
    cards = goods.gift_cards(order["line_items"]) if options["gift_card_sales"] == "ignore" else Decimal(0)
    counted = money.amount(min(paid, max(total - cards, Decimal(0))))
    return Takings(counted, _currency(order), _presented(order, counted, total), uncounted=paid > 0 and counted <= 0)


def _nothing(order: Mapping[str, Any], total: Decimal, options: _Options) -> Decimal:
    return Decimal(0)


def _all(order: Mapping[str, Any], total: Decimal, options: _Options) -> Decimal:
    return total


def _deposit(order: Mapping[str, Any], total: Decimal, options: _Options) -> Decimal:
    return total - money.amount(order["total_outstanding"]) if options["deposits"] == "each" else Decimal(0)


def _returned(order: Mapping[str, Any], total: Decimal, options: _Options) -> Decimal:
    """All that was paid went back; where that is less than the price, only a deposit had been paid."""
    seen, currency = _seen(order)
    back = Decimal(0)
    for refund in order["refunds"] or ():
        for one in refund["transactions"] or ():
            if one["kind"] == "refund" and one["status"] in REFUNDING:
                amount = money.amount(one["amount"])
                foreign = one["currency"] and money.currency_code(one["currency"]) != _currency(order)
                if foreign and not (seen and currency == money.currency_code(one["currency"])):
                    return total
                back += amount * total / seen if foreign and seen else amount
    return back.quantize(total, ROUND_HALF_UP) if 0 < back < total else total


# https://shopify.dev/docs/api/admin-graphql/latest/enums/OrderDisplayFinancialStatus
_STATUSES: Mapping[str, Callable[[Mapping[str, Any], Decimal, _Options], Decimal]] = {
    "pending": _nothing,
    "authorized": _nothing,
    "expired": _nothing,
    "voided": _nothing,
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
    if seen is None or currency is None or total <= 0:
        return None
    return money.amount((seen * counted / total).quantize(seen, ROUND_HALF_UP)), currency
