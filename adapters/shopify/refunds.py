"""What went back to a buyer: refunds' transactions, whichever of Shopify's topics tells them, and lost disputes.

A refund at Shopify may only restock goods; the money is in its transactions, each of which has an id of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from adapters.shopify import goods, known, payloads
from adapters.shopify.takings import GIFT_CARD
from gateway.errors import PayloadError
from gateway.events import Chargeback, EventType, LumailEvent, MemoryKey, Paid, Refund, RefundState
from gateway.translation import money
from gateway.translation.adapter import Context, Handlers, Memo, SourceEvent, Translation, ignored

handlers = Handlers()


@dataclass(frozen=True)
class Sale:
    """The order that money goes back for, as far as it is known."""

    order: str
    subscriber: str | None
    waits_for: MemoryKey
    product: str | None
    currency: str | None


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
_PAYING = frozenset({"sale", "capture"})
_TOLD_BY_ORDERS = "orders/paid and orders/updated tell what is paid"
_NOT_PAYING = "no money moves by this"
_OTHER_KINDS = {
    "sale": _TOLD_BY_ORDERS,
    "capture": _TOLD_BY_ORDERS,
    "authorization": _NOT_PAYING,
    "emv_authorization": _NOT_PAYING,
    "void": _NOT_PAYING,
    "suggested_refund": _NOT_PAYING,
    "change": "change that was given for cash: it was never part of the price",
}

# https://shopify.dev/docs/api/admin-rest/latest/resources/dispute
_DISPUTES = {
    "needs_response": RefundState.PENDING,
    "under_review": RefundState.PENDING,
    "lost": RefundState.SUCCEEDED,
    "accepted": RefundState.SUCCEEDED,
    "won": RefundState.FAILED,
    "charge_refunded": RefundState.FAILED,  # by a refund, which is told for itself
    "prevented": RefundState.FAILED,
}


@handlers.on("refunds/create", schema=payloads.ToldRefundSchema)
def refunded(refund: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    sale = _remembered(refund["order_id"], [one["line_item"] for one in refund["refund_line_items"] or ()], context)
    told = of_refund(refund, sale, event.occurred_at, context.options)
    if not told.events and not told.sums:
        return ignored("no money went back by this: goods were restocked, or it is only noted")
    return Translation(tuple(told.events), tuple(told.sums), tuple(told.memos))


@handlers.on("order_transactions/create", schema=payloads.ToldTransactionSchema)
def transaction_told(transaction: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """Sent again when a transaction's status changes, so it is what tells that a pending refund came to its end."""
    if transaction["kind"] in _PAYING and context.options["gift_card_sales"] == "count":
        return _cash(transaction, event, context)
    if transaction["kind"] != "refund":
        if transaction["kind"] not in _OTHER_KINDS:
            raise PayloadError(f"unknown kind {transaction['kind'][:40]!r} of transaction")
        return ignored(_OTHER_KINDS[transaction["kind"]])
    sale = _remembered(transaction["order_id"], [], context)
    refund = known.recalled(context.memory, "transaction", transaction["id"]).get("refund")
    made = _event(transaction, refund, sale, event.occurred_at, context.options)
    if made is None:
        return ignored("a refund of nothing")
    done = _state(transaction) is RefundState.SUCCEEDED
    return Translation(events=(made,)) if done else Translation(sums=(made,))


@handlers.on("disputes/create", "disputes/update", schema=payloads.DisputeSchema)
def disputed(dispute: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """A lost dispute is the only word about its money: the order goes on saying paid."""
    if context.options["chargebacks"] == "ignore":
        return ignored("chargebacks are left out here (chargebacks)")
    if not dispute["order_id"]:
        return ignored("a dispute about no order")
    if dispute["type"] != "chargeback":
        return ignored("an inquiry takes no money")
    if dispute["status"] not in _DISPUTES:
        raise PayloadError(f"unknown status {dispute['status'][:40]!r} of a dispute")
    state, amount = _DISPUTES[dispute["status"]], money.amount(dispute["amount"])
    if amount <= 0:
        return ignored("a dispute about nothing")
    sale, balance = _remembered(dispute["order_id"], [], context), f"order:{dispute['order_id']}"
    currency = money.currency_code(dispute["currency"])
    id_ = f"dispute:{dispute['id']}"
    said = Chargeback(balance, id_, id_, amount, currency, state, event.occurred_at, **_terms(context.options))
    made = _back(sale, said, event.occurred_at)
    return Translation(events=(made,)) if state is RefundState.SUCCEEDED else Translation(sums=(made,))


def _cash(transaction: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """What was paid otherwise than with a gift card, where cards count when they are sold."""
    if transaction["status"] != "success" or transaction["gateway"] == GIFT_CARD:
        return ignored("no money came by this")
    amount = money.amount(transaction["amount"])
    sale = _remembered(transaction["order_id"], [], context)
    if amount <= 0 or not (transaction["currency"] or sale.currency):
        return ignored("a payment of nothing that is told")
    currency = money.currency_code(transaction["currency"] or sale.currency)
    id_ = f"transaction:{transaction['id']}"
    said = Paid(column="transaction", provider_object=id_, amount=amount, currency=currency, deposit=True)
    created = known.time(transaction["created_at"], event.occurred_at)
    made = LumailEvent(
        type=EventType.SUBSCRIBER_PAYMENT,
        subscriber=sale.subscriber,
        data={"product": sale.product or goods.FALLBACK, "amount": amount, "currency": currency},
        occurred_at=known.time(transaction["processed_at"], created),
        keys=(f"order:{sale.order}",),
        waits_for=None if sale.subscriber else sale.waits_for,
        detail_rank=1 if sale.product else 0,
        sum=said,
    )
    return Translation(events=(made,))


def of_refund(refund: Mapping[str, Any], sale: Sale, reported_at: datetime, options: Mapping[str, Any]) -> Told:
    """Raises PayloadError."""
    told = Told()
    for one in refund["transactions"] or ():
        if one["kind"] != "refund":
            continue
        made = _event(one, refund["id"], sale, reported_at, options)
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
    product = before.get("product") or goods.name(lines)
    return Sale(order, subscriber, waits_for, product, before.get("currency"))


def _state(transaction: Mapping[str, Any]) -> RefundState:
    if transaction["status"] not in _STATES:
        raise PayloadError(f"unknown status {transaction['status'][:40]!r} of transaction")
    return _STATES[transaction["status"]]


def _event(
    transaction: Mapping[str, Any], refund: str | None, sale: Sale, reported_at: datetime, options: Mapping[str, Any]
) -> LumailEvent | None:
    """What one transaction says; None where that is nothing.

    Amounts are in the currency of the transaction, which on an order in several currencies is the buyer's.
    """
    amount = money.amount(transaction["amount"])
    if amount <= 0:
        return None
    if not transaction["currency"] and not sale.currency:
        raise PayloadError("a transaction without a currency, of an order that nobody told yet")
    created = known.time(transaction["created_at"], reported_at)
    id_ = f"transaction:{transaction['id']}"
    said = Refund(
        balance=f"order:{sale.order}",
        provider_object=f"refund:{refund}" if refund else id_,
        id=id_,
        amount=amount,
        currency=money.currency_code(transaction["currency"] or sale.currency),
        state=_state(transaction),
        created_at=created,
        reported_at=reported_at,
        **_terms(options),
    )
    return _back(sale, said, known.time(transaction["processed_at"], created))


def _terms(options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "alone": options["unknown_sale_refunds"] == "send",
        "returns": options["failed_refund"] == "payment",
        "link_wait": options["link_wait"],
    }


def _back(sale: Sale, said: Refund | Chargeback, at: datetime) -> LumailEvent:
    return LumailEvent(
        type=EventType.SUBSCRIBER_REFUND,
        subscriber=sale.subscriber,
        data={"product": sale.product or goods.FALLBACK, "amount": said.amount, "currency": said.currency},
        occurred_at=at,
        keys=(f"order:{sale.order}",),
        waits_for=None if sale.subscriber else sale.waits_for,
        detail_rank=1 if sale.product else 0,
        sum=said,
    )
