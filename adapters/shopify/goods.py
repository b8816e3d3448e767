"""What was bought: the product's name, and what of an order's price is gift cards."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from gateway.translation import money

FALLBACK = "Shopify order"

_LONGEST = 200


def name(lines: Sequence[Mapping[str, Any]] | None) -> str | None:
    """The titles of an order's lines, each once, as many as fit; None where there is none.

    >>> name([{"title": "Mug", "quantity": 2}, {"title": "Poster", "quantity": 1}])
    'Mug, Poster'
    """
    told = (" ".join(line["title"].split()) for line in lines or () if line["title"] and line["quantity"] != 0)
    titles = list(dict.fromkeys(filter(None, told)))
    for fitting in range(len(titles), 0, -1):
        rest = len(titles) - fitting
        text = ", ".join(titles[:fitting]) + (f" and {rest} more" if rest else "")
        if len(text) <= _LONGEST:
            return text
    return titles[0][:_LONGEST].rstrip() if titles else None


def gift_cards(lines: Sequence[Mapping[str, Any]] | None) -> Decimal:
    """What the gift cards among the lines cost, in the shop's currency, less their discounts."""
    return sum((_cost(line) for line in lines or () if line["gift_card"]), Decimal(0))


def _cost(line: Mapping[str, Any]) -> Decimal:
    price = money.amount(first_told(line["price"], line["price_set"]["shop_money"]["amount"]))
    discounts = (
        money.amount(first_told(one["amount"], one["amount_set"]["shop_money"]["amount"]))
        for one in line["discount_allocations"] or ()
    )
    return max(price * (1 if line["quantity"] is None else line["quantity"]) - sum(discounts), Decimal(0))


def first_told(*amounts: Any) -> Any:
    """The first that is there; a subscription with `include_fields` leaves out what it does not name."""
    return next((one for one in amounts if one is not None), None)
