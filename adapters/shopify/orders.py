"""An order as its topics tell it whole: what was paid and what went back up to now, whose it is and what it holds."""

from collections.abc import Mapping
from typing import Any

from adapters.shopify import goods, known, payloads, refunds
from adapters.shopify.takings import Takings, taken
from gateway.events import EventType, LumailEvent, MemoryKey, Paid
from gateway.translation import person
from gateway.translation.adapter import Context, Handlers, Memo, SourceEvent, Translation

handlers = Handlers()


@handlers.on("orders/create", "orders/updated", "orders/paid", "orders/cancelled", schema=payloads.OrderSchema)
def order_told(order: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    status = order["financial_status"] or ("paid" if event.type == "orders/paid" else "pending")
    takings = taken(order, status, context.options)
    reported_at = max(known.time(order["updated_at"], event.occurred_at), event.occurred_at)
    emails = (*_own_emails(order), order["customer"]["email"])
    subscriber, waits_for = known.whose_order(context.memory, order["id"], order["customer"]["id"], emails)
    before = known.recalled(context.memory, "order", order["id"])
    sale = refunds.Sale(
        order=order["id"],
        subscriber=subscriber,
        waits_for=waits_for,
        product=goods.name(order["line_items"]) or before.get("product"),
        currency=takings.currency or before.get("currency"),
    )
    events: list[LumailEvent] = []
    sums: list[LumailEvent] = []
    memos = [*_memos(order, sale, reported_at, context)]
    if takings.currency is not None:
        made = _payment(sale, takings, _paid_at(order, event))
        makes = takings.amount > 0 or (takings.by_transactions and not takings.deposit)
        (events if makes else sums).append(made)
    for refund in order["refunds"] or ():
        told = refunds.of_refund(refund, sale, reported_at, context.options)
        events += told.events
        sums += told.sums
        memos += told.memos
    return Translation(tuple(events), tuple(sums), tuple(memos))


def _paid_at(order: Mapping[str, Any], event: SourceEvent) -> Any:
    """An order may be updated years after it was paid; the other topics come when it happens."""
    if event.type != "orders/updated":
        return event.occurred_at
    return known.time(order["processed_at"] or order["created_at"], event.occurred_at)


def _payment(sale: refunds.Sale, takings: Takings, at: Any) -> LumailEvent:
    key = f"order:{sale.order}"
    currency = takings.currency or ""
    presented = takings.presented
    seen = {"presentmentAmount": presented[0], "presentmentCurrency": presented[1]} if presented else {}
    return LumailEvent(
        type=EventType.SUBSCRIBER_PAYMENT,
        subscriber=sale.subscriber,
        data={"product": sale.product or goods.FALLBACK, "amount": takings.amount, "currency": currency} | seen,
        occurred_at=at,
        keys=(key,),
        waits_for=None if sale.subscriber else sale.waits_for,
        detail_rank=1 if sale.product else 0,
        sum=Paid(
            column="order",
            provider_object=key,
            amount=takings.amount,
            currency=currency,
            presented=presented,
            tolerance=takings.tolerance,
            deposit=takings.deposit,
        ),
    )


def _memos(order: Mapping[str, Any], sale: refunds.Sale, at: Any, context: Context) -> list[Memo]:
    """What a refund, which names nothing but the order, will have to know."""
    customer = order["customer"]
    told = {
        "email": sale.subscriber,
        "customer": customer["id"],
        "product": sale.product,
        "currency": sale.currency,
    }
    memos = [Memo(MemoryKey("order", order["id"]), {name: value for name, value in told.items() if value}, at)]
    known_already = context.memory.recall(MemoryKey("customer", customer["id"] or "")) is not None
    address = customer["email"] or (None if known_already else person.first_email(*_own_emails(order)))
    if customer["id"] and address:
        memos.append(Memo(MemoryKey("customer", customer["id"]), {"email": address}, at))
    return memos


def _own_emails(order: Mapping[str, Any]) -> tuple[str | None, str | None]:
    return order["email"], order["contact_email"]
