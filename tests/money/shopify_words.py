"""A life at Shopify in Shopify's words, in payloads of before 2025-01, since then, and since 2026-04.

https://shopify.dev/docs/api/webhooks
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from tests.money.shopify_life import Order, Return, Shop, State, Transaction, text
from tests.money.telling import BEGIN, Asked, Disputed, MovedBack, Told

VERSIONS = ("2024-10", "2025-01", "2026-04")


def tell_shop(shop: Shop, version: str) -> list[Told]:
    """Everything that Shopify would tell of it, each event once."""
    told = [
        Told(
            "customers/create" if number == 0 and since == 0 else "customers/update",
            since,
            {**_without(_customer(customer.id, email), version, "tags", "orders_count"), "verified_email": True},
            email=email,
            customer=customer.id,
        )
        for customer in shop.customers
        for number, (since, email) in enumerate(customer.emails)
    ]
    for number, order in enumerate(shop.orders):
        told.extend(Words(order, number, version).all())
    return told


class Words:
    """What is said of one order."""

    def __init__(self, order: Order, number: int, version: str) -> None:
        self._order = order
        self._number = number
        self._version = version

    def all(self) -> Iterator[Told]:
        order = self._order
        for number, state in enumerate(order.states):
            yield self._told("orders/create" if number == 0 else "orders/updated", state.at)
            if state.status == "paid":
                yield self._told("orders/paid", state.at)
            if number and state.status == "partially_paid":
                yield self._edited(state)
            if (incoming := self._incoming(number)) is not None:
                yield self._transacted(incoming, state.at)
        for back in order.returns:
            yield self._returned(back)
            yield self._told("orders/updated", back.at)
            for one in back.transactions:
                for at, status in one.life:
                    if status != "pending":
                        yield self._transacted(self._transaction(one, at), at)
                    if at > back.at:
                        yield self._told("orders/updated", at)
        if order.dispute is not None:
            yield self._disputed("disputes/create", order.dispute.created, "needs_response")
            yield self._disputed("disputes/update", order.dispute.settled, order.dispute.ends)

    def _told(self, topic: str, at: int) -> Told:
        order, state = self._order, self._order.state(at)
        body = self._body(state, at)
        status = state.status if not self._gone_back(at) else "paid"
        says = Asked(status, state.total, state.outstanding, order.cards)
        back = [self._moved(one, at) for ret in order.returns if ret.at <= at for one in ret.transactions]
        return Told(
            topic,
            at,
            body,
            self._number,
            frozenset({str(order.id)}),
            self._email(at),
            order.customer.id,
            (says, *back),
        )

    def _body(self, state: State, at: int) -> dict[str, Any]:
        order, email = self._order, self._email(at)
        returns = [self._return(one, at) for one in order.returns if one.at <= at]
        shopper = order.rate[0] if order.rate else order.currency
        listed = state.total + state.left
        returned, owed = self._sent_back(at)
        body = {
            "id": order.id,
            "admin_graphql_api_id": f"gid://shopify/Order/{order.id}",
            "name": "#1001",
            "email": email if order.email_in == "email" else None,
            "contact_email": email if order.email_in in ("email", "contact_email") else None,
            "customer": _without(
                _customer(order.customer.id, email if order.email_in == "customer" else None),
                self._version,
                "tags",
                "orders_count",
            ),
            "currency": order.currency,
            "presentment_currency": shopper,
            "financial_status": self._status(state, at),
            "total_price": text(listed, order.currency),
            "total_price_set": self._both(listed),
            "current_total_price": text(state.total - returned, order.currency),
            "current_total_price_set": self._both(state.total - returned),
            "total_outstanding": text(state.outstanding - owed, order.currency),
            "test": order.test,
            "payment_gateway_names": [order.tender],
            "line_items": [
                {
                    "id": 1,
                    "title": "Course",
                    "name": "Course",
                    "quantity": 1,
                    "gift_card": False,
                    "price": text(listed - order.cards, order.currency),
                },
                *self._cards(),
            ],
            "refunds": returns,
            "created_at": _iso(order.states[0].at),
            "processed_at": _iso(order.states[0].at),
            "updated_at": _iso(at),
            "checkout_token": "a token",
            "checkout_id": 7,
            "tags": "",
        }
        if self._version == "2026-04":
            del body["checkout_id"]
        return body

    def _cards(self) -> list[dict[str, Any]]:
        order = self._order
        line = {"id": 2, "title": "Card", "name": "Card", "quantity": 1, "gift_card": True}
        return [{**line, "price": text(order.cards, order.currency)}] if order.cards else []

    def _sent_back(self, at: int) -> tuple[int, int]:
        """What returns up to now take off the price, and what of that the shop owes still, in its own money."""
        made = [one for ret in self._order.returns if ret.at <= at for one in ret.transactions]
        through = [one for one in made if any(status == "success" and since <= at for since, status in one.life)]
        all_, done = (self._order.own(sum(one.amount for one in some)) for some in (made, through))
        return all_, all_ - done

    def _disputed(self, topic: str, at: int, status: str) -> Told:
        order, dispute = self._order, self._order.dispute
        assert dispute is not None
        body = {
            "id": dispute.id,
            "order_id": order.id,
            "type": "chargeback",
            "status": status,
            "amount": text(dispute.amount, order.currency),
            "currency": order.currency,
            "initiated_at": _iso(dispute.created),
        }
        word = {"accepted": "lost"}.get(status, status)
        says = (Disputed("", str(dispute.id), dispute.amount, word, at),)
        return Told(topic, at, body, self._number, frozenset({str(order.id)}), says=says)

    def _status(self, state: State, at: int) -> str:
        back = self._gone_back(at)
        if not back or state.status != "paid":
            return state.status
        return "refunded" if back == self._order.shopper(state.total) else "partially_refunded"

    def _gone_back(self, at: int) -> int:
        return sum(
            one.amount
            for ret in self._order.returns
            for one in ret.transactions
            if any(status == "success" and since <= at for since, status in one.life)
        )

    def _edited(self, state: State) -> Told:
        body = {"order_edit": {"id": 1, "order_id": self._order.id, "created_at": _iso(state.at), "staff_note": ""}}
        return Told("orders/edited", state.at, body, self._number)

    def _returned(self, back: Return) -> Told:
        says = tuple(self._moved(one, back.at) for one in back.transactions)
        names = frozenset({str(self._order.id)})
        return Told("refunds/create", back.at, self._return(back, back.at), self._number, names, says=says)

    def _return(self, back: Return, at: int) -> dict[str, Any]:
        return {
            "id": back.id,
            "order_id": self._order.id,
            "created_at": _iso(back.at),
            "processed_at": _iso(back.at),
            "note": None,
            "restock": True,
            "refund_line_items": [],
            "order_adjustments": [],
            "transactions": [self._transaction(one, at) for one in back.transactions],
        }

    def _transaction(self, one: Transaction, at: int) -> dict[str, Any]:
        order = self._order
        shopper = order.rate[0] if order.rate else order.currency
        return {
            "id": one.id,
            "order_id": order.id,
            "kind": "refund",
            "status": [status for since, status in one.life if since <= at][-1],
            "amount": text(one.amount, shopper),
            "currency": shopper,
            "gateway": order.tender,
            "parent_id": 1,
            "test": order.test,
            "created_at": _iso(one.life[0][0]),
            "processed_at": _iso(at),
            "message": None,
            "error_code": None,
        }

    def _incoming(self, number: int) -> dict[str, Any] | None:
        """The transaction by which the shopper pays, or promises to; None where nothing was paid at that time."""
        order, state = self._order, self._order.states[number]
        shopper = order.rate[0] if order.rate else order.currency
        before = order.states[number - 1] if number else None
        amount = state.total - state.outstanding - (before.total - before.outstanding if before else 0)
        if state.status == "authorized":
            amount = state.total
        if amount <= 0:
            return None
        return {
            "id": order.id + state.at + 1,
            "order_id": order.id,
            "kind": "authorization" if state.status == "authorized" else "sale",
            "status": "success",
            "amount": text(order.shopper(amount), shopper),
            "currency": shopper,
            "gateway": order.tender,
            "parent_id": None,
            "test": order.test,
            "created_at": _iso(state.at),
            "processed_at": _iso(state.at),
        }

    def _transacted(self, body: Mapping[str, Any], at: int) -> Told:
        says = (self._moved_of(body),) if body["kind"] == "refund" else ()
        return Told("order_transactions/create", at, body, self._number, frozenset({str(self._order.id)}), says=says)

    def _moved_of(self, body: Mapping[str, Any]) -> MovedBack:
        amount = next(one.amount for ret in self._order.returns for one in ret.transactions if one.id == body["id"])
        return MovedBack(body["id"], amount, body["status"])

    def _moved(self, one: Transaction, at: int) -> MovedBack:
        return MovedBack(one.id, one.amount, [status for since, status in one.life if since <= at][-1])

    def _email(self, at: int) -> str | None:
        """An order keeps the address that it was made with, the customer within has today's."""
        order = self._order
        if order.email_in == "customer":
            return order.customer.email(at)
        return None if order.email_in == "nowhere" else order.customer.email(order.states[0].at)

    def _both(self, amount: int) -> dict[str, Any]:
        order = self._order
        shopper = order.rate[0] if order.rate else order.currency
        return {
            "shop_money": {"amount": text(amount, order.currency), "currency_code": order.currency},
            "presentment_money": {"amount": text(order.shopper(amount), shopper), "currency_code": shopper},
        }


def _customer(identity: str | None, email: str | None) -> dict[str, Any]:
    return {
        "id": int(identity or 0),
        "admin_graphql_api_id": f"gid://shopify/Customer/{identity}",
        "email": email,
        "first_name": "Ana",
        "created_at": _iso(0),
        "updated_at": _iso(0),
        "tags": "",
        "orders_count": 1,
    }


def _without(body: dict[str, Any], version: str, *names: str) -> dict[str, Any]:
    """Since 2025-01 customers have no tags and no figures."""
    return body if version < "2025-01" else {name: value for name, value in body.items() if name not in names}


def _iso(at: int) -> str:
    return (BEGIN + timedelta(seconds=at)).isoformat()


def headers(
    told: Told, delivery: str, happening: str, version: str, shop: str = "ana.myshopify.com"
) -> Mapping[str, str]:
    """What stands beside the body, but for the signature."""
    return {
        "X-Shopify-Topic": told.type,
        "X-Shopify-Webhook-Id": delivery,
        "X-Shopify-Event-Id": happening,
        "X-Shopify-Triggered-At": _iso(told.at),
        "X-Shopify-Shop-Domain": shop,
        "X-Shopify-Api-Version": version,
    }


TOPICS: Sequence[str] = (
    "orders/create",
    "orders/paid",
    "orders/updated",
    "orders/edited",
    "refunds/create",
    "order_transactions/create",
    "disputes/create",
    "disputes/update",
    "customers/create",
    "customers/update",
)
