"""What went back to a buyer: refunds' transactions, whichever of Shopify's topics tells them.

A refund at Shopify may only restock goods; the money is in its transactions, each of which has an id of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from adapters.shopify import goods, known, payloads
from gateway.errors import PayloadError
from gateway.events import EventType, LumailEvent, MemoryKey, Refund, RefundState
from gateway.translation import money
from gateway.translation.adapter import Context, Handlers, Memo, Memory, SourceEvent, Translation, ignored

handlers = Handlers()


@dataclass(frozen=True)
class Sale:
    """The order that money goes back for, as far as it is known. `paid` is what was paid, by currency."""

    order: str
    subscriber: str | None
    waits_for: MemoryKey
    product: str | None
    currency: str | None
    paid: Mapping[str, Decimal] = field(default_factory=dict)
    uncounted: bool = False


@dataclass
class Told:
    """What transactions make (`events`) and teach of pending and failed refunds (`sums`)."""

    events: list[LumailEvent] = field(default_factory=list)
    sums: list[LumailEvent] = field(default_factory=list)
    memos: list[Memo] = field(default_factory=list)


# https://shopify.dev/docs/api/admin-graphql/latest/enums/OrderTransactionStatus
_STATES = {
    "success": RefundState.SUCCEEDED,
    "pending": RefundState.PENDING,
    "awaiting_response": RefundState.PENDING,
    "unknown": RefundState.PENDING,
    "failure": RefundState.FAILED,
    "error": RefundState.FAILED,
}

# https://shopify.dev/docs/api/admin-graphql/latest/enums/OrderTransactionKind
_PAYING = "orders/paid and orders/updated tell what is paid"
_NOT_PAYING = "no money moves by this"
_OTHER_KINDS = {
    "sale": _PAYING,
    "capture": _PAYING,
    "authorization": _NOT_PAYING,
    "emv_authorization": _NOT_PAYING,
    "void": _NOT_PAYING,
    "suggested_refund": _NOT_PAYING,
    "change": "change that was given for cash: it was never part of the price",
}

_UNCOUNTED = "of gift cards, whose sale this source leaves out"


@handlers.on("refunds/create", schema=payloads.ToldRefundSchema)
def refunded(refund: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    sale = _remembered(refund["order_id"], [one["line_item"] for one in refund["refund_line_items"] or ()], context)
    if sale.uncounted:
        return ignored(_UNCOUNTED)
    told = of_refund(refund, sale, event.occurred_at)
    if not told.events and not told.sums:
        return ignored("no money went back by this: goods were restocked, or it is only noted")
    return Translation(tuple(told.events), tuple(told.sums), tuple(told.memos))


@handlers.on("order_transactions/create", schema=payloads.ToldTransactionSchema)
def transaction_told(transaction: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """Sent again when a transaction's status changes, so it is what tells that a pending refund came to its end."""
    if transaction["kind"] != "refund":
        if transaction["kind"] not in _OTHER_KINDS:
            raise PayloadError(f"unknown kind {transaction['kind'][:40]!r} of transaction")
        return ignored(_OTHER_KINDS[transaction["kind"]])
    sale = _remembered(transaction["order_id"], [], context)
    if sale.uncounted:
        return ignored(_UNCOUNTED)
    refund = known.recalled(context.memory, "transaction", transaction["id"]).get("refund")
    made = _event(transaction, refund, sale, event.occurred_at)
    if made is None:
        return ignored("a refund of nothing")
    done = _state(transaction) is RefundState.SUCCEEDED
    return Translation(events=(made,)) if done else Translation(sums=(made,))


def of_refund(refund: Mapping[str, Any], sale: Sale, reported_at: datetime) -> Told:
    """Raises PayloadError."""
    told = Told()
    for one in refund["transactions"] or ():
        if one["kind"] != "refund":
            continue
        made = _event(one, refund["id"], sale, reported_at)
        if made is None:
            continue
        state = _state(one)
        (told.events if state is RefundState.SUCCEEDED else told.sums).append(made)
        if state is RefundState.PENDING:  # its end is told without the refund's name
            told.memos.append(Memo(MemoryKey("transaction", one["id"]), {"refund": refund["id"]}, reported_at))
    return told


def _remembered(order: str, lines: Sequence[Mapping[str, Any]], context: Context) -> Sale:
    """The order of a telling that names nothing of it but its id."""
    before = known.recalled(context.memory, "order", order)
    subscriber, waits_for = known.whose_order(context.memory, order, None)
    paid, uncounted = remembered_takings(context.memory, order)
    product = before.get("product") or goods.name(lines)
    return Sale(order, subscriber, waits_for, product, before.get("currency"), paid, uncounted)


def remembered_takings(memory: Memory, order: str) -> tuple[dict[str, Decimal], bool]:
    """What an order brought by what was told of it before, by currency; and whether that was left out on purpose."""
    before = known.recalled(memory, "order", order)
    paid = {currency: Decimal(amount) for currency, amount in before.get("paid", {}).items()}
    return paid, bool(before.get("uncounted"))


def _state(transaction: Mapping[str, Any]) -> RefundState:
    if transaction["status"] not in _STATES:
        raise PayloadError(f"unknown status {transaction['status'][:40]!r} of transaction")
    return _STATES[transaction["status"]]


def _event(transaction: Mapping[str, Any], refund: str | None, sale: Sale, reported_at: datetime) -> LumailEvent | None:
    """What one transaction says; None where that is nothing.

    Amounts are in the currency of the transaction, which on an order in several currencies is the buyer's.
    """
    amount = money.amount(transaction["amount"])
    if amount <= 0:
        return None
    if not transaction["currency"] and not sale.currency:
        raise PayloadError("a transaction without a currency, of an order that nobody told yet")
    currency = money.currency_code(transaction["currency"] or sale.currency)
    created = known.time(transaction["created_at"], reported_at)
    balance, id_ = f"order:{sale.order}", f"transaction:{transaction['id']}"
    return LumailEvent(
        type=EventType.SUBSCRIBER_REFUND,
        subscriber=sale.subscriber,
        data={"product": sale.product or goods.FALLBACK, "amount": amount, "currency": currency},
        occurred_at=known.time(transaction["processed_at"], created),
        keys=(balance,),
        waits_for=None if sale.subscriber else sale.waits_for,
        detail_rank=1 if sale.product else 0,
        sum=Refund(
            balance=balance,
            provider_object=f"refund:{refund}" if refund else id_,
            id=id_,
            amount=amount,
            currency=currency,
            state=_state(transaction),
            created_at=created,
            reported_at=reported_at,
            paid=sale.paid.get(currency),
        ),
    )
