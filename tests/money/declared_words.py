"""How six providers put what happens into words, each telling with its time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.money.declared_life import Back, Powers, Sale
from tests.money.office import Post
from tests.money.telling import moment


@dataclass(frozen=True)
class Telling:
    """One webhook, before it is on its way."""

    type: str
    at: int
    post: Post


def _iso(at: int) -> str:
    return moment(at).isoformat().replace("+00:00", "Z")


def _gone(sale: Sale, at: int) -> list[Back]:
    """What went back by then."""
    return [one for one in sale.backs if one.ends == "succeeded" and one.settled <= at]


def _states(back: Back) -> Iterator[tuple[int, str]]:
    yield back.created, "pending"
    yield back.settled, back.ends


def paddle(sale: Sale) -> Iterator[Telling]:
    def tell(kind: str, at: int, **data: Any) -> Telling:
        id_ = f"{kind}.{at}.{data['id']}"
        body = {"event_id": f"evt_{id_}", "event_type": kind, "occurred_at": _iso(at), "notification_id": f"ntf_{id_}"}
        return Telling(kind, at, Post("paddle", {**body, "data": data}))

    customer = f"ctm_{sale.id}"
    yield tell("customer.created", sale.at - 60, id=customer, email=sale.emails[0])
    yield tell("customer.updated", sale.changes_at, id=customer, email=sale.emails[1])
    if sale.kind == "unpaid":
        yield tell("transaction.canceled", sale.at, id=f"txn_{sale.id}")
        return
    totals = {"total": str(sale.total), "credit": str(sale.credit), "grand_total": str(sale.total - sale.credit)}
    details = {"totals": totals, "line_items": [{"product": {"name": sale.product}}]}
    named: dict[str, Any] = {"customer_id": customer, "currency_code": sale.currency}
    for kind, at in (("transaction.paid", sale.at), ("transaction.completed", sale.at + 2)):
        yield tell(kind, at, id=f"txn_{sale.id}", details=details, items=[], **named)
    named["transaction_id"] = f"txn_{sale.id}"
    words = {"pending": "pending_approval", "succeeded": "approved", "failed": "rejected"}
    for back in sale.backs:
        for kind, (at, state) in zip(("adjustment.created", "adjustment.updated"), _states(back), strict=True):
            told = {"action": "refund", "status": words[state], "totals": {"total": str(back.amount)}}
            yield tell(kind, at, id=f"adj_{back.id}", **told, **named)
    if sale.claim is not None and sale.claim.ends == "lost":
        told = {"action": "chargeback", "status": "approved", "totals": {"total": str(sale.claim.amount)}}
        yield tell("adjustment.created", sale.claim.settled, id=f"adj_{sale.claim.id}", **told, **named)


def woocommerce(sale: Sale) -> Iterator[Telling]:
    def tell(at: int, status: str, *, paid: bool, parent: int = 0) -> Telling:
        headers = {"X-WC-Webhook-Topic": "order.updated", "X-WC-Webhook-Source": f"https://{sale.account}.example.com/"}
        headers["X-WC-Webhook-Delivery-ID"] = f"{sale.id}{at}{status}{parent}"
        body = {
            "id": int(sale.id) + parent,
            "parent_id": int(sale.id) if parent else 0,
            "status": status,
            "currency": sale.currency,
            "date_modified_gmt": _iso(at)[:19],
            "date_paid_gmt": _iso(sale.at)[:19] if paid else None,
            "total": _major(sale.total, sale.currency),
            "customer_id": 0,
            "billing": {"email": sale.email(at)},
            "line_items": [{"name": sale.product}],
            "refunds": [
                {"id": int(one.id), "total": f"-{_major(one.amount, sale.currency)}"}
                for one in reversed(_gone(sale, at))
                if not parent
            ],
        }
        return Telling("order.updated", at, Post("woocommerce", body, headers))

    paid = sale.kind == "paid"
    yield tell(sale.at - 30, "pending", paid=False)
    if paid:
        yield tell(sale.at, "processing", paid=True)
        yield tell(sale.at + 1, "processing", paid=True, parent=7)
    for back in sale.backs:
        yield tell(back.settled, "completed" if paid else "on-hold", paid=paid)
    yield tell(max([sale.at + 5, *(one.settled for one in sale.backs)]) + 1, "refunded", paid=paid)


def square(sale: Sale) -> Iterator[Telling]:
    def tell(kind: str, at: int, key: str, told: Mapping[str, Any]) -> Telling:
        body = {
            "merchant_id": sale.account,
            "type": kind,
            "event_id": f"{kind}{at}{told['id']}",
            "created_at": _iso(at),
        }
        return Telling(kind, at, Post("square", {**body, "data": {"id": told["id"], "object": {key: told}}}))

    def payment(at: int, status: str) -> Telling:
        gone = sum(one.amount for one in _gone(sale, at))
        told: dict[str, Any] = {"id": f"P{sale.id}", "status": status, "note": sale.product}
        told["total_money"] = {"amount": sale.total, "currency": sale.currency}
        if sale.kind != "nobody":
            told["customer_id"] = f"C{sale.id}"
        if sale.credit:
            told["card_details"] = {"card": {"card_brand": "SQUARE_GIFT_CARD"}}
        if gone:
            told["refunded_money"] = {"amount": gone, "currency": sale.currency}
        return tell("payment.updated", at, "payment", told)

    yield payment(sale.at - 5, "APPROVED")
    if sale.kind == "unpaid":
        yield payment(sale.at, "CANCELED")
        return
    yield payment(sale.at, "COMPLETED")
    yield tell("customer.created", sale.at + 40, "customer", {"id": f"C{sale.id}", "email_address": sale.emails[0]})
    yield tell("customer.updated", sale.changes_at, "customer", {"id": f"C{sale.id}", "email_address": sale.emails[1]})
    words = {"pending": "PENDING", "succeeded": "COMPLETED", "failed": "REJECTED"}
    for back in sale.backs:
        for at, state in _states(back):
            told = {
                "id": f"R{back.id}",
                "status": words[state],
                "payment_id": f"P{sale.id}",
                "created_at": _iso(back.created),
            }
            told |= {"amount_money": {"amount": back.amount, "currency": sale.currency}}  # type: ignore[dict-item]  # JSON
            yield tell("refund.updated", at, "refund", told)
        yield payment(back.settled, "COMPLETED")
    if sale.claim is not None:
        for at, state in ((sale.claim.created, "EVIDENCE_REQUIRED"), (sale.claim.settled, sale.claim.ends.upper())):
            amount = {"amount": sale.claim.amount, "currency": sale.currency}
            told = {"id": f"D{sale.claim.id}", "state": state}
            told |= {"amount_money": amount, "disputed_payment": {"payment_id": f"P{sale.id}"}}  # type: ignore[dict-item]  # JSON
            yield tell("dispute.state.updated", at, "dispute", told)


def lemonsqueezy(sale: Sale) -> Iterator[Telling]:
    def tell(kind: str, at: int, id_: str, **told: Any) -> Telling:
        attributes = {
            "user_email": sale.email(at),
            "currency": sale.currency,
            "total": sale.total,
            "updated_at": _iso(at),
        }
        body = {"meta": {"event_name": kind, "test_mode": False}, "data": {"id": id_, "attributes": attributes | told}}
        return Telling(kind, at, Post("lemonsqueezy", body))

    item = {"product_name": sale.product}
    if sale.kind == "unpaid":
        yield tell("order_created", sale.at, sale.id, status="pending", first_order_item=item)
        return
    yield tell("order_created", sale.at, sale.id, status="paid", refunded_amount=0, first_order_item=item)
    yield tell("subscription_created", sale.at + 1, f"{sale.id}7", order_id=int(sale.id), product_name=sale.product)
    first = {"billing_reason": "initial", "subscription_id": int(f"{sale.id}7")}
    yield tell("subscription_payment_success", sale.at + 2, f"{sale.id}9", status="paid", **first)
    for back in sale.backs:
        gone = sum(one.amount for one in _gone(sale, back.settled))
        status = "refunded" if gone == sale.total else "partial_refund"
        yield tell("order_refunded", back.settled, sale.id, status=status, refunded_amount=gone, first_order_item=item)
        told = {"status": status, "refunded_amount": gone, **first}
        yield tell("subscription_payment_refunded", back.settled + 1, f"{sale.id}9", **told)


def polar(sale: Sale) -> Iterator[Telling]:
    def tell(kind: str, at: int, **data: Any) -> Telling:
        headers = {"webhook-id": f"{kind}{at}{data['id']}"}
        return Telling(kind, at, Post("polar", {"type": kind, "timestamp": _iso(at), "data": data}, headers))

    def order(kind: str, at: int, status: str) -> Telling:
        gone = sum(one.amount for one in _gone(sale, at))
        told = {"total_amount": sale.total, "applied_balance_amount": -sale.credit, "currency": sale.currency.lower()}
        told |= {"refunded_amount": gone - gone // 6, "refunded_tax_amount": gone // 6}
        whose = {"customer_id": f"c{sale.id}", "customer": {"id": f"c{sale.id}", "email": None}}
        return tell(kind, at, id=f"o{sale.id}", status=status, product={"name": sale.product}, **told, **whose)

    yield order("order.created", sale.at - 3, "pending")
    if sale.kind == "unpaid":
        return
    yield order("order.paid", sale.at, "paid")
    yield tell(
        "member.created", sale.at + 20, id=f"m{sale.id}", customer_id=f"c{sale.id}", email=sale.emails[0], role="owner"
    )
    yield tell("customer.updated", sale.changes_at, id=f"c{sale.id}", email=sale.emails[1])
    for back in sale.backs:
        for kind, (at, state) in zip(("refund.created", "refund.updated"), _states(back), strict=True):
            tax = back.amount // 6
            told = {"order_id": f"o{sale.id}", "amount": back.amount - tax, "tax_amount": tax}
            yield tell(kind, at, id=f"r{back.id}", status=state, currency=sale.currency.lower(), **told)
        yield order("order.refunded", back.settled + 1, "partially_refunded")


def gumroad(sale: Sale) -> Iterator[Telling]:
    def tell(kind: str, at: int, **told: str) -> Telling:
        body = {"resource_name": kind, "sale_id": f"S{sale.id}", "email": sale.email(at), "price": str(sale.total)}
        body |= {"product_name": sale.product, "sale_timestamp": _iso(sale.at), "currency": "usd"}
        words = {"refunded": "false", "disputed": "false", "dispute_won": "false"}
        return Telling(kind, at, Post("gumroad", {**body, **words, **told}, form=True))

    yield tell("sale", sale.at)
    for back in sale.backs:
        yield tell("refund", back.settled, refunded="true")
    if sale.claim is not None and sale.claim.ends == "lost":
        yield tell("dispute", sale.claim.created, disputed="true")


def _major(amount: int, currency: str) -> str:
    return str(amount) if currency == "JPY" else f"{amount // 100}.{amount % 100:02}"


@dataclass(frozen=True)
class Provider:
    words: Callable[[Sale], Iterator[Telling]]
    powers: Powers


PROVIDERS: Mapping[str, Provider] = {
    "gumroad": Provider(gumroad, Powers(parts=False, fails=False, credits=False, unpaid=False, currencies=("USD",))),
    "lemonsqueezy": Provider(lemonsqueezy, Powers(fails=False, claims=False, credits=False)),
    "paddle": Provider(paddle, Powers()),
    "polar": Provider(polar, Powers(claims=False)),
    "square": Provider(square, Powers(nobody=True, part_credits=False, accounts=("ML_A", "ML_B"))),
    "woocommerce": Provider(woocommerce, Powers(fails=False, claims=False, credits=False)),
}
