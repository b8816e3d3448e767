"""One handler for each Stripe event that tells of money, or teaches about it.

What an object is to a sale: a session or an invoice is the sale, an intent or a charge the payment of it. Each says
its whole; which of them make payments is the source's `payments_from`. Since API version 2025-03-31 an intent does
not name its invoice (https://docs.stripe.com/changelog/basil/2025-03-31/add-support-for-multiple-partial-payments-on-invoices),
so to count both would count a sale twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from adapters.stripe import payloads, product, receipts
from adapters.stripe.told import Ids, Told
from gateway.events import (
    Chargeback,
    EventType,
    LumailEvent,
    MemoryKey,
    Paid,
    Refund,
    RefundState,
    RefundTotal,
    Sum,
)
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

SALES, INTENTS, BOTH = "sales", "payment_intents", "both"
"""What `payments_from` may say."""

INVOICES, SESSIONS, PAYMENTS = "invoice", "session", "intent"
"""The columns in which a sale is told, each of them whole. A session that names its invoice counts as that."""

handlers = Handlers()


@handlers.on("checkout.session.completed", "checkout.session.async_payment_succeeded", schema=payloads.SessionSchema)
def session_paid(session: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    ids = {"payment": session["payment_intent"], "invoice": session["invoice"], "customer": session["customer"]}
    names = product.configured(context.options["product_names"], session["payment_link"])
    told = Told(
        ids=ids,
        emails=(session["customer_details"]["email"], session["customer_email"]),
        amounts={},
        name=product.best(*names, *product.in_metadata(session["metadata"])),
    )
    if session["payment_status"] != "paid":
        if session["payment_status"] == "unpaid":
            return _awaited(told, event, context)
        return ignored(f"payment_status is {session['payment_status']}: nothing is paid yet")
    if (session["amount_total"] or 0) <= 0:
        return ignored("a session that costs nothing")
    if not ids["payment"] and not ids["invoice"]:
        return ignored("a session with neither payment nor invoice is no sale")
    amounts, presented = _session_amounts(session)
    told = receipts.joined(replace(told, amounts=amounts), event, context, "payment", "invoice")
    waits = bool(session["invoice_creation"]["enabled"]) and not ids["invoice"]
    paid = Paid(
        column=INVOICES if ids["invoice"] else SESSIONS,
        provider_object=f"invoice:{ids['invoice']}" if ids["invoice"] else f"session:{ids['payment']}",
        amount=amounts["amount"],
        currency=amounts["currency"],
        presented=presented,
        link_wait=_link_wait(context) if waits else None,
    )
    made = _paid(told, paid, event, context, makes=_mode(context) != INTENTS)
    return receipts.remembered(made, told, event, "payment")


def _awaited(told: Told, event: SourceEvent, context: Context) -> Translation:
    """A bank debit under way, or an authorization to be captured: who buys, and that its intent will be the sale.

    Whoever tells the end may not say who the buyer is, and where it came first nobody else will tell this sale.
    """
    memos = list(_payer(told, event, context))
    payment = told.ids["payment"]
    if not payment:
        return taught(*memos) if memos else ignored("payment_status is unpaid: nothing is paid yet")
    memos = _besides(memos, Memo(MemoryKey("payment", payment), {"session": True}, event.occurred_at))
    received = _recalled(context.memory, MemoryKey("payment", payment)).get("received")
    if received is None or _mode(context) == INTENTS:
        return taught(*memos, links=_links(told.ids))
    amounts = {"amount": Decimal(received[0]), "currency": received[1]}
    made = _of_session(replace(told, amounts=amounts), event, context)
    return translated(made, memos=memos, links=_links(told.ids))


def _of_session(told: Told, event: SourceEvent, context: Context) -> LumailEvent:
    """What an intent or a charge took for a session that had said that it is not paid yet."""
    part = f"session:{told.ids['payment']}"
    paid = Paid(SESSIONS, part, told.amounts["amount"], told.amounts["currency"])
    return _event(EventType.SUBSCRIBER_PAYMENT, told, paid, event, context)


@handlers.on("invoice.paid", "invoice.payment_succeeded", schema=payloads.InvoiceSchema)
def invoice_paid(invoice: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    if invoice["status"] not in (None, "paid"):
        return ignored(f"the invoice is {invoice['status']}: invoice.paid tells once all of it is paid")
    cash = _cash(invoice)
    if cash <= 0:
        return ignored("an invoice that was settled without money")
    amounts = _amounts(cash, invoice["currency"])
    told = Told(
        ids={
            "payment": invoice["payment_intent"],
            "invoice": invoice["id"],
            "charge": invoice["charge"],
            "customer": invoice["customer"],
        },
        emails=(invoice["customer_email"],),
        amounts=amounts,
        name=_name_on(invoice, context),
    )
    paid = Paid(INVOICES, f"invoice:{invoice['id']}", amounts["amount"], amounts["currency"])
    makes = _mode(context) != INTENTS
    if not receipts.may_be(invoice):
        return _paid(told, paid, event, context, makes=makes)
    told = receipts.joined(told, event, context, "invoice", "payment")
    return receipts.remembered(_paid(told, paid, event, context, makes=makes), told, event, "invoice")


@handlers.on("payment_intent.succeeded", schema=payloads.IntentSchema)
def intent_succeeded(intent: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    minor = intent["amount"] if intent["amount_received"] is None else intent["amount_received"]
    if (minor or 0) <= 0:
        return ignored("an intent that took no money")
    amounts = _amounts(minor, intent["currency"])
    told = Told(
        ids={
            "payment": intent["id"],
            "charge": intent["latest_charge"],
            "invoice": intent["invoice"],
            "customer": intent["customer"],
        },
        emails=(intent["receipt_email"],),
        amounts=amounts,
        name=product.best(*product.in_metadata(intent["metadata"]), (product.Rank.DESCRIPTION, intent["description"])),
    )
    reference = intent["payment_details"]["order_reference"] or ""
    claimed = reference.startswith(("in_", "cs_")) and _mode(context) != INTENTS
    return _cash_moved(told, f"payment:{intent['id']}", event, context, elsewhere=claimed)


@handlers.on("charge.succeeded", "charge.captured", schema=payloads.ChargeSchema)
def charge_succeeded(charge: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    if charge["source_transfer"]:
        return ignored("a transfer from the platform, not a sale")
    captured = _captured(charge)
    told = Told(
        ids={
            "payment": charge["payment_intent"],
            "charge": charge["id"],
            "invoice": charge["invoice"],
            "customer": charge["customer"],
        },
        emails=_emails_of(charge),
        amounts=_amounts(captured, charge["currency"]),
        name=_name_of(charge),
    )
    if captured <= 0 or charge["status"] not in (None, "succeeded", "paid"):
        return taught(*_payer(told, event, context), links=_links(told.ids))
    part = f"payment:{charge['payment_intent']}" if charge["payment_intent"] else f"charge:{charge['id']}"
    return _cash_moved(told, part, event, context, elsewhere=False)


@handlers.on("invoice_payment.paid", schema=payloads.InvoicePaymentSchema)
def invoice_payment_paid(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    ids = {"payment": told["payment"]["payment_intent"], "charge": told["payment"]["charge"]}
    memos = [Memo(key, {"invoice": told["invoice"]}, event.occurred_at) for key in _sale_memories(ids)]
    if not memos:
        return ignored("paid outside Stripe: the invoice itself tells the sale")
    ids |= {"invoice": told["invoice"]}
    if _mode(context) != BOTH or not ids["payment"] or not told["amount_paid"] or not told["currency"]:
        return taught(*memos, links=_links(ids))
    amounts = _amounts(told["amount_paid"], told["currency"])
    part = f"payment:{ids['payment']}"
    claimed = Paid(PAYMENTS, part, amounts["amount"], amounts["currency"], elsewhere=True, named=True)
    of_invoice = Told(ids=ids, emails=(), amounts=amounts, name=product.best())
    made = _event(EventType.SUBSCRIBER_PAYMENT, of_invoice, claimed, event, context)
    return taught(*memos, sums=[made], links=_links(ids))


@handlers.on("credit_note.created", "credit_note.updated", schema=payloads.CreditNoteSchema)
def credit_noted(note: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """A credit note's money is a refund, which is told by itself; it says whose invoice that takes back."""
    refunds = [note["refund"], *(one["refund"] for one in note["refunds"] or [])]
    links = [(f"invoice:{note['invoice']}", f"refund:{refund}") for refund in dict.fromkeys(refunds) if refund]
    if not links:
        return ignored("a credit without a refund moves no money")
    return taught(links=links)


@handlers.on("charge.refunded", schema=payloads.ChargeSchema)
def refunded(charge: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """`amount_refunded` is a running total. What was authorized and never captured is in it, but nobody had paid it."""
    if charge["source_transfer"]:
        return ignored("a transfer from the platform, not a sale")
    captured = _captured(charge)
    total = min(_went_back(charge, captured), captured)
    if total <= 0:
        return ignored("no money went back: an authorization was released")
    ids = {
        "payment": charge["payment_intent"],
        "charge": charge["id"],
        "invoice": charge["invoice"],
        "customer": charge["customer"],
    }
    sale = _remembered_sale(ids, context.memory)
    told = Told(
        ids=ids,
        emails=(sale.get("email"), *_emails_of(charge)),
        amounts=_amounts(total, charge["currency"]),
        name=_name_of(charge, sale),
    )
    balance = _book(ids)
    said = RefundTotal(
        balance=balance,
        provider_object=balance,
        amount=told.amounts["amount"],
        currency=told.amounts["currency"],
        reported_at=event.occurred_at,
        paid=money.major_units(captured, charge["currency"]),
        alone=context.options["unknown_sale_refunds"] == "send",
        returns=_returns(context),
        link_wait=_link_wait(context),
    )
    made = _event(EventType.SUBSCRIBER_REFUND, told, said, event, context)
    return translated(made, memos=list(_payer(told, event, context)), links=_links(ids))


def _went_back(charge: Mapping[str, Any], captured: int) -> int:
    """What of `amount_refunded` is more than the rest that was never captured, in minor units.

    While more may be captured still the rest is not in it: less than that rest is all money that went back.
    """
    told: int = charge["amount_refunded"] or 0
    rest: int = charge["amount"] - captured
    return told if told < rest else told - rest


_STATES = {
    None: RefundState.SUCCEEDED,  # older than the field
    "pending": RefundState.PENDING,
    "requires_action": RefundState.PENDING,
    "succeeded": RefundState.SUCCEEDED,
    "failed": RefundState.FAILED,
    "canceled": RefundState.FAILED,
}


@handlers.on("refund.created", "refund.updated", "refund.failed", "charge.refund.updated", schema=payloads.RefundSchema)
def refund_told(refund: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    if not refund["charge"] and not refund["payment_intent"]:
        return ignored("a refund without a charge returns unapplied balance: it belongs to no sale")
    if refund["reason"] == "expired_uncaptured_charge":
        return ignored("an authorization was released: nobody had paid it")
    if refund["status"] not in _STATES:
        return ignored(f"the refund's status is {refund['status']}, which says nothing of money")
    ids = {"payment": refund["payment_intent"], "charge": refund["charge"]}
    sale = _remembered_sale(ids, context.memory)
    ids["customer"] = refund["customer"] or sale.get("customer")
    state = _STATES[refund["status"]]
    told = Told(
        ids=ids | {"refund": refund["id"]},
        emails=(sale.get("email"),),
        amounts=_amounts(refund["amount"], refund["currency"]),
        name=_name_of(refund, sale),
    )
    balance = _book(ids)
    said = Refund(
        balance=balance,
        provider_object=balance,
        id=refund["id"],
        amount=told.amounts["amount"],
        currency=told.amounts["currency"],
        state=state,
        created_at=refund["created"] or event.occurred_at,
        reported_at=event.occurred_at,
        returns=_returns(context),
        link_wait=_link_wait(context),
    )
    made = _event(EventType.SUBSCRIBER_REFUND, told, said, event, context)
    links = _links(told.ids)
    return translated(made, links=links) if state is RefundState.SUCCEEDED else taught(sums=[made], links=links)


# https://docs.stripe.com/api/disputes/object#dispute_object-status
_DISPUTES = {
    "warning_needs_response": RefundState.PENDING,
    "warning_under_review": RefundState.PENDING,
    "warning_closed": RefundState.FAILED,
    "needs_response": RefundState.PENDING,
    "under_review": RefundState.PENDING,
    "won": RefundState.FAILED,
    "lost": RefundState.SUCCEEDED,
    "prevented": RefundState.FAILED,
    "charge_refunded": RefundState.FAILED,  # until 2019: by a refund, which is told for itself
}


@handlers.on(
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    schema=payloads.DisputeSchema,
)
def disputed(dispute: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """A dispute that is lost is money that went back, and no charge.refunded follows it."""
    if context.options["chargebacks"] == "ignore":
        return ignored("chargebacks are left out here (chargebacks)")
    if not dispute["charge"] and not dispute["payment_intent"]:
        return ignored("a dispute about no charge")
    if dispute["amount"] <= 0:
        return ignored("a dispute about nothing")
    if dispute["status"] not in _DISPUTES:
        return ignored(f"the dispute's status is {dispute['status']}, which says nothing of money")
    ids = {"payment": dispute["payment_intent"], "charge": dispute["charge"]}
    sale = _remembered_sale(ids, context.memory)
    ids["customer"] = sale.get("customer")
    state = _DISPUTES[dispute["status"]]
    told = Told(
        ids=ids,
        emails=(sale.get("email"),),
        amounts=_amounts(dispute["amount"], dispute["currency"]),
        name=product.best((product.Rank.LEARNT, sale.get("product"))),
    )
    balance = _book(ids)
    said = Chargeback(
        balance=balance,
        provider_object=balance,
        id=dispute["id"],
        amount=told.amounts["amount"],
        currency=told.amounts["currency"],
        state=state,
        reported_at=event.occurred_at,
        alone=context.options["unknown_sale_refunds"] == "send",
        returns=_returns(context),
        link_wait=_link_wait(context),
    )
    made = _event(EventType.SUBSCRIBER_REFUND, told, said, event, context)
    links = _links(ids)
    return translated(made, links=links) if state is RefundState.SUCCEEDED else taught(sums=[made], links=links)


@handlers.on("customer.created", "customer.updated", schema=payloads.CustomerSchema)
def customer_told(customer: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    if not customer["email"]:
        return ignored("a customer without an e-mail address")
    return taught(Memo(MemoryKey("customer", customer["id"]), {"email": customer["email"]}, event.occurred_at))


@handlers.on("product.created", "product.updated", schema=payloads.ProductSchema)
def product_told(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    name = product.cleaned(told["name"])
    if name is None:
        return ignored("a product without a name")
    return taught(Memo(MemoryKey("product", told["id"]), {"name": name}, event.occurred_at))


@handlers.on("price.created", "price.updated", schema=payloads.PriceSchema)
def price_told(price: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    values = {"product": price["product"], "nickname": price["nickname"]}
    return taught(Memo(MemoryKey("price", price["id"]), values, event.occurred_at))


def _cash_moved(told: Told, part: str, event: SourceEvent, context: Context, *, elsewhere: bool) -> Translation:
    """An intent or a charge: the payment of a sale, which may be told as a session or an invoice, too."""
    mode = _mode(context)
    named = bool(told.ids["invoice"])
    paid = Paid(
        column=PAYMENTS,
        provider_object=part,
        amount=told.amounts["amount"],
        currency=told.amounts["currency"],
        link_wait=_link_wait(context) if mode == BOTH and not named else None,
        elsewhere=elsewhere,
    )
    makes = mode == INTENTS or (mode == BOTH and not named and not elsewhere)
    made = _paid(told, paid, event, context, makes=makes)
    payment = told.ids["payment"]
    if not payment or mode == INTENTS:
        return made
    if _recalled(context.memory, MemoryKey("payment", payment)).get("session"):
        return replace(made, events=(*made.events, _of_session(told, event, context)))
    received = {"received": [str(told.amounts["amount"]), told.amounts["currency"]]}
    memo = Memo(MemoryKey("payment", payment), received, event.occurred_at)
    return replace(made, memos=tuple(_besides(made.memos, memo)))


def _besides(memos: Sequence[Memo], more: Memo) -> list[Memo]:
    """The memos with one more, which goes into that of the same key."""
    if not any(one.key == more.key for one in memos):
        return [*memos, more]
    return [replace(one, values={**one.values, **more.values}) if one.key == more.key else one for one in memos]


def _paid(told: Told, paid: Paid, event: SourceEvent, context: Context, *, makes: bool) -> Translation:
    """The payment, or only what is true of it; and whose it was and what was bought, for a later refund."""
    made = _event(EventType.SUBSCRIBER_PAYMENT, told, paid, event, context)
    memos = list(_payer(told, event, context))
    return translated(made, memos=memos) if makes else taught(*memos, sums=[made], links=_links(told.ids))


def _event(kind: EventType, told: Told, said: Sum, event: SourceEvent, context: Context) -> LumailEvent:
    waits_for = _who_knows(told.ids)
    subscriber = person.first_email(*told.emails, _recalled(context.memory, waits_for).get("email"))
    return LumailEvent(
        type=kind,
        subscriber=subscriber,
        data={"product": told.name.text, **told.amounts},
        occurred_at=event.occurred_at,
        keys=_keys(told.ids),
        waits_for=None if subscriber else waits_for,
        detail_rank=told.name.rank,
        sum=said,
        named_by=told.name.learn_from,
    )


_NO_SALE = frozenset({"customer"})
"""Kinds of objects that name a person and not a sale."""


def _keys(ids: Ids) -> tuple[str, ...]:
    return tuple(f"{kind}:{id_}" for kind, id_ in ids.items() if id_ and kind not in _NO_SALE)


def _links(ids: Ids) -> list[tuple[str, ...]]:
    """That these ids concern one sale; nothing where there is only one."""
    keys = _keys(ids)
    return [keys] if len(keys) > 1 else []


def _book(ids: Ids) -> str:
    """Refunds of one charge add up; an intent has one charge that succeeded."""
    return f"payment:{ids['payment']}" if ids["payment"] else f"charge:{ids['charge']}"


def _who_knows(ids: Ids) -> MemoryKey:
    """The memory that tells a person: the customer's, else the sale's own."""
    return next(MemoryKey(kind, id_) for kind in ("customer", "payment", "invoice", "charge") if (id_ := ids.get(kind)))


def _sale_memories(ids: Ids) -> Iterator[MemoryKey]:
    """Where a sale is remembered: under its intent and its invoice, or its charge where there is no intent."""
    if payment := ids.get("payment"):
        yield MemoryKey("payment", payment)
    elif charge := ids.get("charge"):
        yield MemoryKey("charge", charge)
    if invoice := ids.get("invoice"):
        yield MemoryKey("invoice", invoice)


def _remembered_sale(ids: Ids, memory: Memory) -> Mapping[str, Any]:
    """What is known of the sale that a refund takes back; an intent may name its invoice."""
    known: dict[str, Any] = {}
    for key in _sale_memories(ids):
        known |= _recalled(memory, key)
    if invoice := known.get("invoice"):
        known |= _recalled(memory, MemoryKey("invoice", invoice))
    return known


def _payer(told: Told, event: SourceEvent, context: Context) -> Iterator[Memo]:
    """Who paid for what: remembered for the sale, and for the customer as long as nothing better is known of him."""
    email = person.first_email(*told.emails)
    named = told.name.rank > product.Rank.DESCRIPTION
    customer = told.ids["customer"]
    found = {"email": email, "product": told.name.text if named else None, "customer": customer}
    values = {name: value for name, value in found.items() if value}
    if values:
        yield from (Memo(key, values, event.occurred_at) for key in _sale_memories(told.ids))
    if email and customer and not _recalled(context.memory, MemoryKey("customer", customer)):
        yield Memo(MemoryKey("customer", customer), {"email": email}, event.occurred_at)


def _recalled(memory: Memory, key: MemoryKey) -> Mapping[str, Any]:
    return memory.recall(key) or {}


def _mode(context: Context) -> str:
    return str(context.options["payments_from"])


def _link_wait(context: Context) -> timedelta:
    wait: timedelta = context.options["link_wait"]
    return wait


def _returns(context: Context) -> bool:
    return bool(context.options["failed_refund"] == "payment")


def _emails_of(charge: Mapping[str, Any]) -> tuple[str | None, ...]:
    return charge["receipt_email"], charge["billing_details"]["email"]


def _name_of(charge: Mapping[str, Any], sale: Mapping[str, Any] | None = None) -> product.Name:
    """What a charge or a refund says was bought; for a refund, better what its sale was remembered by."""
    return product.best(
        *product.in_metadata(charge["metadata"]),
        (product.Rank.LEARNT, (sale or {}).get("product")),
        (product.Rank.DESCRIPTION, charge["description"]),
    )


def _name_on(invoice: Mapping[str, Any], context: Context) -> product.Name:
    line = product.standing_for(invoice["lines"]["data"])
    of_line = () if line is None else product.of_line(line, context.options["product_names"], context.memory)
    name = product.best(
        *product.in_metadata(invoice["metadata"]), *of_line, (product.Rank.DESCRIPTION, invoice["description"])
    )
    sold = None if line is None else product.product_of(line, context.memory)
    if sold is None or name.rank >= product.Rank.LEARNT:
        return name
    return name._replace(learn_from=MemoryKey("product", sold))


def _amounts(minor: int, currency: str) -> dict[str, Any]:
    return {"amount": money.major_units(minor, currency), "currency": money.currency_code(currency)}


def _session_amounts(session: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Decimal, str] | None]:
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
        return amounts, None
    presented = _amounts(*seen)
    both = {"presentmentAmount": presented["amount"], "presentmentCurrency": presented["currency"]}
    return amounts | both, (presented["amount"], presented["currency"])


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
