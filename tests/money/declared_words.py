"""How six providers put what happens into words, each telling with its time and with what it says."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.money.declared_life import Powers, Sale
from tests.money.office import Post
from tests.money.telling import moment


@dataclass(frozen=True)
class Costs:
    """How much was paid of the sale up to now; 0 says that it is known, and that nothing of it counts."""

    amount: int


@dataclass(frozen=True)
class Gone:
    """A running total of refunds; `through` names what must have been learnt before for it to be understood."""

    total: int
    at: int
    through: str = ""


@dataclass(frozen=True)
class Moved:
    """One refund and its state."""

    id: str
    amount: int
    state: str
    at: int


@dataclass(frozen=True)
class Claimed:
    """A chargeback and its state in the words of refunds: failed is won. Below nothing: what is given back."""

    id: str
    amount: int
    state: str
    at: int


@dataclass(frozen=True)
class Whose:
    """The buyer's address."""

    email: str


@dataclass(frozen=True)
class Teaches:
    """What later tellings are understood by."""

    what: str


Says = Costs | Gone | Moved | Claimed | Whose | Teaches


@dataclass(frozen=True)
class Telling:
    """One webhook, before it is on its way."""

    type: str
    at: int
    post: Post
    says: tuple[Says, ...] = ()


def _iso(at: int) -> str:
    return moment(at).isoformat().replace("+00:00", "Z")


def paddle(sale: Sale) -> Iterator[Telling]:
    def tell(kind: str, at: int, *says: Says, **data: Any) -> Telling:
        id_ = f"{kind}.{at}.{data['id']}"
        body = {"event_id": f"evt_{id_}", "event_type": kind, "occurred_at": _iso(at), "notification_id": f"ntf_{id_}"}
        return Telling(kind, at, Post("paddle", {**body, "data": data}), says)

    customer = f"ctm_{sale.id}"
    before, after = sale.emails
    yield tell("customer.created", sale.at - 60, Whose(before), id=customer, email=before)
    yield tell("customer.updated", sale.changes_at, Whose(after), id=customer, email=after)
    if sale.kind == "unpaid":
        yield tell("transaction.canceled", sale.at, id=f"txn_{sale.id}")
        return
    paid = sale.total - sale.credit
    totals = {"total": str(sale.total), "credit": str(sale.credit), "grand_total": str(paid)}
    details = {"totals": totals, "line_items": [{"product": {"name": sale.product}}]}
    parts = [("captured", paid // 2), ("error", paid), ("captured", paid - paid // 2)] if paid % 2 else []
    payments = [{"status": status, "amount": str(amount)} for status, amount in parts]
    named: dict[str, Any] = {"customer_id": customer, "currency_code": sale.currency}
    for kind, at in (("transaction.paid", sale.at), ("transaction.completed", sale.at + 2)):
        told = {"details": details, "items": [], "payments": payments}
        yield tell(kind, at, Costs(paid), id=f"txn_{sale.id}", **told, **named)
    named["transaction_id"] = f"txn_{sale.id}"
    if sale.credited:
        told = {"action": "credit", "status": "approved", "totals": {"total": str(sale.credited)}}
        yield tell("adjustment.created", sale.at + 50, id=f"adj_{sale.id}c", **told, **named)
    words = {"pending": "pending_approval", "succeeded": "approved", "failed": "rejected"}
    for back in sale.backs:
        for number, (at, state) in enumerate(back.life):
            kind, word = "adjustment.updated" if number else "adjustment.created", words[state]
            told = {"action": "refund", "status": "reversed" if number == 2 else word}
            told |= {"totals": {"total": str(back.amount)}}
            yield tell(kind, at, Moved(back.id, back.amount, state, at), id=f"adj_{back.id}", **told, **named)
    if sale.claim is not None:
        claim, taken = sale.claim, {"status": "approved", "totals": {"total": str(sale.claim.amount)}}
        said = Claimed(claim.id, claim.amount, "succeeded", claim.created)
        told = {"action": "chargeback", **taken}
        yield tell("adjustment.created", claim.created, said, id=f"adj_{claim.id}", **told, **named)
        if claim.ends == "won":
            said = Claimed(f"{claim.id}r", -claim.amount, "succeeded", claim.settled)
            told = {"action": "chargeback_reverse", **taken}
            yield tell("adjustment.created", claim.settled, said, id=f"adj_{claim.id}r", **told, **named)


def woocommerce(sale: Sale) -> Iterator[Telling]:
    def tell(at: int, status: str, total: int, *, paid: bool, parent: int = 0) -> Telling:
        headers = {"X-WC-Webhook-Topic": "order.updated", "X-WC-Webhook-Source": f"https://{sale.account}.example.com/"}
        headers["X-WC-Webhook-Delivery-ID"] = f"{sale.id}{at}{status}{parent}"
        through = [one for one in sale.backs if one.came_through(at) and not parent]
        body = {
            "id": int(sale.id) + parent,
            "parent_id": int(sale.id) if parent else 0,
            "status": status,
            "currency": sale.currency,
            "date_modified_gmt": _iso(at)[:19],
            "date_paid_gmt": _iso(sale.at)[:19] if paid else None,
            "total": _major(total, sale.currency),
            "customer_id": 0,
            "billing": {"email": sale.email(at)},
            "line_items": [{"name": sale.product}],
            "refunds": [
                {"id": int(one.id), "total": f"-{_major(one.amount, sale.currency)}"} for one in reversed(through)
            ],
        }
        counts = paid and status in ("processing", "completed", "refunded")
        says: list[Says] = [] if parent else [Costs(total if counts else 0), Whose(sale.email(at))]
        says += [Moved(one.id, one.amount, "succeeded", at) for one in through]
        return Telling("order.updated", at, Post(f"woocommerce-{sale.account}", body, headers), tuple(says))

    paid, total = sale.kind != "unpaid", sale.total
    yield tell(sale.at - 30, "pending", sale.began_with if sale.kind == "grown" else total, paid=False)
    if sale.kind == "grown":
        yield tell(sale.at, "processing", sale.began_with, paid=True)
        yield tell(sale.at + 60, "pending", total, paid=True)
    if paid:
        yield tell(sale.at + 90, "processing", total, paid=True)
        yield tell(sale.at + 91, "processing", total, paid=True, parent=7)
    for at in sale.turns:
        yield tell(at, "completed" if paid else "on-hold", total, paid=paid)
    yield tell(max([sale.at + 95, *sale.turns]) + 1, "refunded", total, paid=paid)


def square(sale: Sale) -> Iterator[Telling]:
    def tell(kind: str, at: int, key: str, told: Mapping[str, Any], *says: Says) -> Telling:
        body = {"merchant_id": sale.account, "type": kind, "event_id": f"{kind}{at}{told['id']}"}
        body |= {"created_at": _iso(at)}
        return Telling(kind, at, Post("square", {**body, "data": {"id": told["id"], "object": {key: told}}}), says)

    def payment(kind: str, at: int, status: str) -> Telling:
        told: dict[str, Any] = {"id": f"P{sale.id}", "status": status, "note": sale.product}
        told["total_money"] = {"amount": sale.total, "currency": sale.currency}
        if sale.kind != "nobody":
            told["customer_id"] = f"C{sale.id}"
        if sale.credit:
            told["card_details"] = {"card": {"card_brand": "SQUARE_GIFT_CARD"}}
        says: list[Says] = []
        if status == "COMPLETED":
            says.append(Costs(0 if sale.credit or sale.kind == "nobody" else sale.total))
            if gone := sale.gone(at):
                told["refunded_money"] = {"amount": gone, "currency": sale.currency}
                says.append(Gone(gone, at))
        return tell(kind, at, "payment", told, *says)

    yield payment("payment.created", sale.at - 5, "APPROVED")
    if sale.kind == "unpaid":
        yield payment("payment.updated", sale.at, "CANCELED")
        return
    yield payment("payment.updated", sale.at, "COMPLETED")
    if sale.kind != "nobody":
        for kind, at, email in zip(
            ("customer.created", "customer.updated"), (sale.at + 40, sale.changes_at), sale.emails, strict=True
        ):
            yield tell(kind, at, "customer", {"id": f"C{sale.id}", "email_address": email}, Whose(email))
    words = {"pending": "PENDING", "succeeded": "COMPLETED", "failed": "REJECTED"}
    for back in sale.backs:
        for number, (at, state) in enumerate(back.life):
            told: dict[str, Any] = {
                "id": f"R{back.id}",
                "payment_id": f"P{sale.id}",
                "created_at": _iso(back.life[0][0]),
            }
            told |= {"status": words[state], "amount_money": {"amount": back.amount, "currency": sale.currency}}
            kind = "refund.updated" if number else "refund.created"
            yield tell(kind, at, "refund", told, Moved(back.id, back.amount, state, at))
            yield payment("payment.updated", at, "COMPLETED")
    if sale.claim is not None:
        claim = sale.claim
        told = {"id": f"D{claim.id}", "disputed_payment": {"payment_id": f"P{sale.id}"}}
        told |= {"amount_money": {"amount": claim.amount, "currency": sale.currency}}
        said = Claimed(claim.id, claim.amount, "pending", claim.created)
        yield tell("dispute.created", claim.created, "dispute", {**told, "state": "EVIDENCE_REQUIRED"}, said)
        said = Claimed(claim.id, claim.amount, "succeeded" if claim.ends == "lost" else "failed", claim.settled)
        yield tell("dispute.state.updated", claim.settled, "dispute", {**told, "state": claim.ends.upper()}, said)


def lemonsqueezy(sale: Sale) -> Iterator[Telling]:
    def tell(kind: str, at: int, id_: str, *says: Says, **told: Any) -> Telling:
        attributes = {"user_email": sale.email(at), "currency": sale.currency, "total": sale.total}
        attributes |= {"updated_at": _iso(at), **told}
        body = {"meta": {"event_name": kind, "test_mode": False}, "data": {"id": id_, "attributes": attributes}}
        return Telling(kind, at, Post("lemonsqueezy", body), says)

    def whole(at: int) -> tuple[Says, ...]:
        return (Costs(sale.total), Whose(sale.email(at)), Gone(sale.gone(at), at))

    item = {"product_name": sale.product}
    if sale.kind == "unpaid":
        whose = Whose(sale.email(sale.at))
        yield tell("order_created", sale.at, sale.id, Costs(0), whose, status="pending", first_order_item=item)
        return
    renewed, subscription = sale.kind == "renewed", f"{sale.id}7"
    of_it = {"billing_reason": "renewal" if renewed else "initial", "subscription_id": int(subscription)}
    order = {"first_order_item": item, "refunded_amount": 0}
    if not renewed:
        yield tell("order_created", sale.at, sale.id, *whole(sale.at), status="paid", **order)
    named = {"order_id": int(sale.id), "product_name": sale.product}
    yield tell("subscription_created", sale.at - 9 if renewed else sale.at + 1, subscription, Teaches("it"), **named)
    for number, kind in enumerate(("subscription_payment_success", "subscription_payment_recovered")[: 1 + renewed]):
        at = sale.at + 2 + number
        yield tell(kind, at, f"{sale.id}9", *(whole(at) if renewed else ()), status="paid", refunded_amount=0, **of_it)
    for back in sale.backs:
        at = back.life[-1][0]
        gone = sale.gone(at)
        told = {"status": "refunded" if gone == sale.total else "partial_refund", "refunded_amount": gone}
        if not renewed:
            yield tell("order_refunded", at, sale.id, *whole(at), **told, first_order_item=item)
        says = whole(at) if renewed else (Gone(gone, at, through="it"),)
        yield tell("subscription_payment_refunded", at + 1, f"{sale.id}9", *says, **told, **of_it)


def polar(sale: Sale) -> Iterator[Telling]:
    def tell(kind: str, at: int, *says: Says, **data: Any) -> Telling:
        headers = {"webhook-id": f"{kind}{at}{data['id']}"}
        return Telling(kind, at, Post("polar", {"type": kind, "timestamp": _iso(at), "data": data}, headers), says)

    def order(kind: str, at: int, status: str) -> Telling:
        gone, paid = sale.gone(at), sale.total - sale.credit
        told = {"total_amount": sale.total, "applied_balance_amount": -sale.credit, "currency": sale.currency.lower()}
        told |= {"refunded_amount": gone - gone // 6, "refunded_tax_amount": gone // 6}
        whose = {"customer_id": f"c{sale.id}", "customer": {"id": f"c{sale.id}", "email": None}}
        says: list[Says] = [Costs(0 if status == "pending" else paid)]
        if gone:
            says.append(Gone(gone, at))
        return tell(kind, at, *says, id=f"o{sale.id}", status=status, product={"name": sale.product}, **told, **whose)

    before, after = sale.emails
    yield order("order.created", sale.at - 3, "pending")
    if sale.kind == "unpaid":
        return
    yield order("order.paid", sale.at, "paid")
    owner = {"id": f"m{sale.id}", "customer_id": f"c{sale.id}", "email": before, "role": "owner"}
    yield tell("member.created", sale.at + 20, Whose(before), **owner)
    yield tell("customer.updated", sale.changes_at, Whose(after), id=f"c{sale.id}", email=after)
    for back in sale.backs:
        for number, (at, state) in enumerate(back.life):
            tax = back.amount // 6
            told = {"order_id": f"o{sale.id}", "amount": back.amount - tax, "tax_amount": tax, "status": state}
            kind = "refund.updated" if number else "refund.created"
            said = Moved(back.id, back.amount, state, at)
            yield tell(kind, at, said, id=f"r{back.id}", currency=sale.currency.lower(), **told)
        yield order("order.refunded", back.life[-1][0] + 1, "partially_refunded")


def gumroad(sale: Sale) -> Iterator[Telling]:
    claim = sale.claim

    def tell(kind: str, at: int) -> Telling:
        body = {"resource_name": kind, "sale_id": f"S{sale.id}", "email": sale.email(at), "price": str(sale.total)}
        body |= {"product_name": sale.product, "sale_timestamp": _iso(sale.at), "currency": "usd"}
        refunded = sale.gone(at) > 0
        won = claim is not None and claim.ends == "won" and at >= claim.settled
        disputed = claim is not None and at >= claim.created and not won
        words = {"refunded": refunded, "disputed": disputed, "dispute_won": won}
        says: list[Says] = [Costs(sale.total), Whose(sale.email(at))]
        says += [Gone(sale.total, at)] if refunded else []
        says += [Claimed("it", sale.total, "failed" if won else "succeeded", at)] if won or disputed else []
        told = {**body, **{name: str(value).lower() for name, value in words.items()}}
        return Telling(kind, at, Post("gumroad", told, form=True), tuple(says))

    yield tell("sale", sale.at)
    for back in sale.backs:
        yield tell("refund", back.life[-1][0])
    if claim is not None:
        yield tell("dispute", claim.created)
        if claim.ends == "won":
            yield tell("dispute_won", claim.settled)


def _major(amount: int, currency: str) -> str:
    return str(amount) if currency == "JPY" else f"{amount // 100}.{amount % 100:02}"


@dataclass(frozen=True)
class Provider:
    """`sources` are the endpoints, where a provider needs one for each account; `fallback` stands for a product that
    nobody has told."""

    words: Callable[[Sale], Iterator[Telling]]
    powers: Powers
    sources: tuple[str, ...]
    fallback: str = ""


PROVIDERS: Mapping[str, Provider] = {
    "gumroad": Provider(
        gumroad, Powers(parts=False, fails=False, credits=False, kinds=(), currencies=("USD",)), ("gumroad",)
    ),
    "lemonsqueezy": Provider(
        lemonsqueezy,
        Powers(fails=False, claims=False, credits=False, kinds=("unpaid", "renewed", "renewed", "renewed")),
        ("lemonsqueezy",),
        "Lemon Squeezy subscription",
    ),
    "paddle": Provider(paddle, Powers(returns=True), ("paddle",)),
    "polar": Provider(polar, Powers(claims=False), ("polar",)),
    "square": Provider(
        square,
        Powers(kinds=("unpaid", "nobody"), returns=True, part_credits=False, accounts=("ML_A", "ML_B")),
        ("square",),
    ),
    "woocommerce": Provider(
        woocommerce,
        Powers(fails=False, claims=False, credits=False, kinds=("unpaid", "grown", "grown"), accounts=("a", "b")),
        ("woocommerce-a", "woocommerce-b"),
    ),
}
