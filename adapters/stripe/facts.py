"""One handler for each Stripe event that makes a payment or refund, or teaches about one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.stripe import payloads, product
from gateway.events import EventType, LumailEvent, MemoryKey
from gateway.translation import money, person
from gateway.translation.adapter import (
    Context,
    Handlers,
    Memo,
    Memory,
    SourceEvent,
    Translation,
    ignored,
    taught,
    translated,
)

handlers = Handlers()


@dataclass(frozen=True)
class Fact:
    """A payment or a refund, as far as one object tells it. `ids` are kind and id of the objects that it concerns."""

    keys: tuple[str, ...]
    ids: Mapping[str, str | None]
    emails: tuple[str | None, ...]
    amounts: Mapping[str, Any]
    name: product.Name


@handlers.on("checkout.session.completed", "checkout.session.async_payment_succeeded", schema=payloads.SessionSchema)
def session_paid(session: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    if session["payment_status"] != "paid":
        return ignored(f"payment_status is {session['payment_status']}: nothing is paid yet")
    if (session["amount_total"] or 0) <= 0:
        return ignored("a session that costs nothing")
    ids = {"payment": session["payment_intent"], "invoice": session["invoice"]}
    if not any(ids.values()):
        return ignored("a session with neither payment nor invoice is no sale")
    fact = Fact(
        keys=_keys(ids),
        ids=ids | {"customer": session["customer"]},
        emails=(session["customer_details"]["email"], session["customer_email"]),
        amounts=_session_amounts(session),
        name=product.best(*product.in_metadata(session["metadata"])),
    )
    return _paid(fact, event, context)


@handlers.on("invoice.paid", "invoice.payment_succeeded", schema=payloads.InvoiceSchema)
def invoice_paid(invoice: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    if invoice["status"] not in (None, "paid"):
        return ignored(f"the invoice is {invoice['status']}: invoice.paid tells once all of it is paid")
    cash = _cash(invoice)
    if cash <= 0:
        return ignored("an invoice that was settled without money")
    ids = {"payment": invoice["payment_intent"], "invoice": invoice["id"], "charge": invoice["charge"]}
    names = (*product.in_metadata(invoice["metadata"]), *product.in_lines(invoice["lines"]["data"], context.memory))
    fact = Fact(
        keys=_keys(ids),
        ids=ids | {"customer": invoice["customer"]},
        emails=(invoice["customer_email"],),
        amounts=_amounts(cash, invoice["currency"]),
        name=product.best(*names, (product.Rank.DESCRIPTION, invoice["description"])),
    )
    return _paid(fact, event, context)


@handlers.on("charge.refunded", schema=payloads.RefundedChargeSchema)
def refunded(charge: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """`amount_refunded` is a running total; an event makes what came to it since the one before.

    What was authorized and never captured counts as refunded at Stripe, but nobody had paid it.
    """
    if charge["source_transfer"]:
        return ignored("a transfer from the platform, not a sale")
    captured = _captured(charge)
    never_paid = charge["amount"] - captured
    total = min((charge["amount_refunded"] or 0) - never_paid, captured)
    account = MemoryKey("charge", charge["id"])
    before = charge["previous_attributes"]["amount_refunded"]
    known = _recalled(context.memory, account).get("refunded", 0) if before is None else max(before - never_paid, 0)
    if total <= known:
        return ignored("no money went back: an authorization was released, or the refund is known already")
    ids = {"payment": charge["payment_intent"], "charge": charge["id"], "invoice": charge["invoice"]}
    sale = _remembered_sale(ids, context.memory)
    fact = Fact(
        keys=(f"refund:{charge['id']}:{total}",),
        ids=ids | {"customer": charge["customer"]},
        emails=(sale.get("email"), charge["receipt_email"], charge["billing_details"]["email"]),
        amounts=_amounts(total - known, charge["currency"]),
        name=product.best(
            *product.in_metadata(charge["metadata"]),
            (product.Rank.LEARNT, sale.get("product")),
            (product.Rank.DESCRIPTION, charge["description"]),
        ),
    )
    memo = Memo(account, {"refunded": total}, event.occurred_at)
    return translated(_event(EventType.SUBSCRIBER_REFUND, fact, event, context), memos=[memo], links=_links(ids))


@handlers.on("charge.succeeded", schema=payloads.ChargeSchema)
def charge_succeeded(charge: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    if charge["source_transfer"]:
        return ignored("a transfer from the platform, not a sale")
    ids = {"payment": charge["payment_intent"], "charge": charge["id"], "invoice": charge["invoice"]}
    email = person.first_email(charge["receipt_email"], charge["billing_details"]["email"])
    return taught(*_payer(ids, email, charge["customer"], event.occurred_at, context), links=_links(ids))


@handlers.on("payment_intent.succeeded", schema=payloads.IntentSchema)
def intent_succeeded(intent: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    ids = {"payment": intent["id"], "charge": intent["latest_charge"], "invoice": intent["invoice"]}
    memos = _payer(ids, intent["receipt_email"], intent["customer"], event.occurred_at, context)
    return taught(*memos, links=_links(ids))


@handlers.on("invoice_payment.paid", schema=payloads.InvoicePaymentSchema)
def invoice_payment_paid(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    ids = {"payment": told["payment"]["payment_intent"], "charge": told["payment"]["charge"]}
    memos = [Memo(key, {"invoice": told["invoice"]}, event.occurred_at) for key in _sale_memories(ids)]
    if not memos:
        return ignored("paid outside Stripe: the invoice itself tells the sale")
    return taught(*memos, links=_links(ids | {"invoice": told["invoice"]}))


@handlers.on("refund.created", "refund.updated", "refund.failed", "charge.refund.updated", schema=payloads.RefundSchema)
def refund_told(refund: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    if not refund["charge"]:
        return ignored("a refund without a charge returns unapplied balance: it belongs to no sale")
    return taught(links=_links({"payment": refund["payment_intent"], "charge": refund["charge"]}))


@handlers.on("customer.created", "customer.updated", schema=payloads.CustomerSchema)
def customer_told(customer: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    if not customer["email"]:
        return ignored("a customer without an e-mail address")
    return taught(Memo(MemoryKey("customer", customer["id"]), {"email": customer["email"]}, event.occurred_at))


@handlers.on("product.created", "product.updated", schema=payloads.ProductSchema)
def product_told(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return taught(Memo(MemoryKey("product", told["id"]), {"name": told["name"]}, event.occurred_at))


@handlers.on("price.created", "price.updated", schema=payloads.PriceSchema)
def price_told(price: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    values = {"product": price["product"], "nickname": price["nickname"]}
    return taught(Memo(MemoryKey("price", price["id"]), values, event.occurred_at))


def _paid(fact: Fact, event: SourceEvent, context: Context) -> Translation:
    """The payment, and for a later refund whose it was and what was bought."""
    made = _event(EventType.SUBSCRIBER_PAYMENT, fact, event, context)
    told = {"email": made.subscriber, "product": fact.name.text if fact.name.rank else None}
    values = {name: value for name, value in told.items() if value}
    memos = [Memo(key, values, event.occurred_at) for key in _sale_memories(fact.ids)] if values else []
    return translated(made, memos=memos)


def _event(kind: EventType, fact: Fact, event: SourceEvent, context: Context) -> LumailEvent:
    waits_for = _who_knows(fact.ids)
    subscriber = person.first_email(*fact.emails, _recalled(context.memory, waits_for).get("email"))
    return LumailEvent(
        type=kind,
        subscriber=subscriber,
        data={"product": fact.name.text, **fact.amounts},
        occurred_at=event.occurred_at,
        keys=fact.keys,
        waits_for=None if subscriber else waits_for,
        richness=fact.name.rank,
    )


def _keys(ids: Mapping[str, str | None]) -> tuple[str, ...]:
    return tuple(f"{kind}:{id_}" for kind, id_ in ids.items() if id_)


def _links(ids: Mapping[str, str | None]) -> list[tuple[str, ...]]:
    """That these ids concern one sale; nothing where there is only one."""
    keys = _keys(ids)
    return [keys] if len(keys) > 1 else []


def _who_knows(ids: Mapping[str, str | None]) -> MemoryKey:
    """The memory that tells a person: the customer's, else the sale's own."""
    return next(MemoryKey(kind, id_) for kind in ("customer", "payment", "invoice", "charge") if (id_ := ids.get(kind)))


def _sale_memories(ids: Mapping[str, str | None]) -> Iterator[MemoryKey]:
    """Where a sale is remembered: under its intent and its invoice, or its charge where there is no intent."""
    if payment := ids.get("payment"):
        yield MemoryKey("payment", payment)
    elif charge := ids.get("charge"):
        yield MemoryKey("charge", charge)
    if invoice := ids.get("invoice"):
        yield MemoryKey("invoice", invoice)


def _remembered_sale(ids: Mapping[str, str | None], memory: Memory) -> Mapping[str, Any]:
    """What is known of the sale that a refund takes back; an intent may name its invoice."""
    known: dict[str, Any] = {}
    for key in _sale_memories(ids):
        known |= _recalled(memory, key)
    if invoice := known.get("invoice"):
        known |= _recalled(memory, MemoryKey("invoice", invoice))
    return known


def _payer(
    ids: Mapping[str, str | None], email: str | None, customer: str | None, at: datetime, context: Context
) -> Iterator[Memo]:
    """Who paid: remembered for the sale, and for the customer as long as nothing better is known of him."""
    if email is None:
        return
    for key in _sale_memories(ids):
        yield Memo(key, {"email": email}, at)
    if customer and not _recalled(context.memory, MemoryKey("customer", customer)):
        yield Memo(MemoryKey("customer", customer), {"email": email}, at)


def _recalled(memory: Memory, key: MemoryKey) -> Mapping[str, Any]:
    return memory.recall(key) or {}


def _amounts(minor: int, currency: str) -> dict[str, Any]:
    return {"amount": money.major_units(minor, currency), "currency": money.currency_code(currency)}


def _session_amounts(session: Mapping[str, Any]) -> dict[str, Any]:
    """Amount and currency are the merchant's; what the buyer saw stands beside them where that was another currency.

    Sessions made before 2025-03-31 are the other way round:
    https://docs.stripe.com/changelog/basil/2025-03-31/add_presentment_details
    """
    conversion, presentment = session["currency_conversion"], session["presentment_details"]
    own = (session["amount_total"], session["currency"])
    seen = (presentment["presentment_amount"], presentment["presentment_currency"])
    if conversion["amount_total"] is not None and conversion["source_currency"]:
        own, seen = (conversion["amount_total"], conversion["source_currency"]), own
    amounts = _amounts(*own)
    if seen[0] is None or not seen[1] or money.currency_code(seen[1]) == amounts["currency"]:
        return amounts
    presented = _amounts(*seen)
    return amounts | {"presentmentAmount": presented["amount"], "presentmentCurrency": presented["currency"]}


def _cash(invoice: Mapping[str, Any]) -> int:
    """What was paid, in minor units.

    Out of band: before 2025-03-31 `amount_paid` leaves that out, later it is in it. Whether it holds an overpayment
    is not documented: a sum above `amount_due` shows that it does.
    """
    paid: int = invoice["amount_paid"]
    due: int = paid if invoice["amount_due"] is None else invoice["amount_due"]
    if invoice["paid_out_of_band"]:
        return max(paid, due)
    return max(paid, min(paid, due) + (invoice["amount_overpaid"] or 0))


def _captured(charge: Mapping[str, Any]) -> int:
    """In minor units; charges from before there were partial captures are captured whole or not at all."""
    told: int | None = charge["amount_captured"]
    whole: int = charge["amount"]
    return told if told is not None else 0 if charge["captured"] is False else whole
