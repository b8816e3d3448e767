"""How much was received for an order of Shopify's, by what its refunds' transactions say of themselves."""

from decimal import Decimal
from typing import Any

import pytest

from adapters.shopify.payloads import OrderSchema
from adapters.shopify.takings import taken

OPTIONS = {"deposits": "each", "gift_card_sales": "ignore"}


def order(*transactions: dict[str, Any], **told: Any) -> dict[str, Any]:
    """An order of 200.00 of which something went back."""
    each = [{"id": number, "currency": "EUR", **one} for number, one in enumerate(transactions)]
    money = {"amount": "200.00", "currency_code": "EUR"}
    loaded: dict[str, Any] = OrderSchema().load(
        {
            "id": 1,
            "currency": "EUR",
            "total_price": "200.00",
            "total_price_set": {"shop_money": money, "presentment_money": money},
            "line_items": [],
            "refunds": [{"id": 9, "created_at": "2026-11-20T12:00:00Z", "transactions": each}],
            **told,
        }
    )
    return loaded


def back(amount: str, **told: str) -> dict[str, str]:
    return {"kind": "refund", "status": "success", "amount": amount, **told}


@pytest.mark.parametrize(
    ("transactions", "received"),
    [
        ([back("50.00")], "50.00"),
        ([back("50.00", status="pending")], "50.00"),
        ([back("20.00"), back("30.00", status="pending")], "50.00"),
        ([back("50.00"), back("70.00", status="failure")], "50.00"),
        ([back("50.00"), back("70.00", status="error")], "50.00"),
        ([back("50.00"), back("150.00", kind="void")], "50.00"),
        ([back("50.00"), back("70.00", kind="capture")], "50.00"),
        ([back("200.00")], "200.00"),
    ],
)
def test_a_deposit_that_went_back_is_what_its_refunds_gave_or_give_back(
    transactions: list[dict[str, str]], received: str
) -> None:
    assert taken(order(*transactions), "refunded", OPTIONS).amount == Decimal(received)


@pytest.mark.parametrize(
    ("current", "owed", "transactions", "received"),
    [
        ("200.00", "0.00", [], "200.00"),
        ("200.00", "150.00", [], "50.00"),
        ("150.00", "0.00", [back("50.00")], "200.00"),
        ("150.00", "0.00", [back("50.00", status="failure")], "150.00"),
        ("150.00", "0.00", [back("50.00", kind="void")], "150.00"),
    ],
)
def test_what_was_received_is_what_the_order_comes_to_less_what_is_owed_and_what_went_back(
    current: str, owed: str, transactions: list[dict[str, str]], received: str
) -> None:
    told = order(*transactions, current_total_price=current, total_outstanding=owed)
    assert taken(told, "partially_refunded", OPTIONS).amount == Decimal(received)
