"""What becomes of the events of refunds: better data, the payment that they go after, and money that came back."""

from collections.abc import Sequence
from decimal import Decimal

from gateway.events import EventType, LumailEvent, decode_data, encode_data
from gateway.ledger.event import Event, EventChange
from gateway.ledger.money.refund_order import follow
from gateway.ledger.money.sale import NewEvent
from gateway.ledger.money.sums import NOTHING, Money, priced
from gateway.ledger.status import Reason, Status

RETURNED = "Refund returned"
"""The product of a payment that gives back a refund which failed after Lumail had heard of it."""


def enriched(event: Event, fact: LumailEvent, *, alone: bool, better: bool) -> EventChange:
    """What to set of a refund that nobody has sent, now that this was told of it.

    `alone`: it may leave though nobody told its sale. `better`: the telling says more than the one that made it.
    """
    change: EventChange = {}
    if better:
        change |= {"data": with_amount(fact.encoded, event), "detail_rank": fact.detail_rank}
    if event.subscriber is None and fact.subscriber is not None:
        change["subscriber"] = fact.subscriber
    if event.status != Status.HELD:
        return change
    if event.reason == Reason.SALE_UNKNOWN and alone and fact.makes:
        known = change.get("subscriber", event.subscriber) is not None
        if known:
            change |= {"status": Status.WAITING, "reason": None}
        else:
            change |= {"reason": Reason.SUBSCRIBER_UNKNOWN, "waits_for": fact.waits_for}
    elif event.reason == Reason.SUBSCRIBER_UNKNOWN and "subscriber" in change:
        change |= {"status": Status.WAITING, "reason": None, "waits_for": None}
    return change


def followed(refund: Event, payments: Sequence[Event], *, sale_is_purged: bool) -> EventChange:
    """What to set of a refund that nobody has sent, so that it goes where its payment went, and after it."""
    sale = _sale_of(refund, payments)
    if sale is not None:
        return follow(refund, sale)
    if sale_is_purged and refund.status == Status.HELD and refund.reason == Reason.SALE_UNKNOWN:
        if refund.subscriber is not None:
            return {"status": Status.WAITING, "reason": None}
        return {"reason": Reason.SUBSCRIBER_UNKNOWN}
    return {}


def returned(fact: LumailEvent, group: str, refund: Event, money: Money) -> NewEvent:
    """A payment for a refund that failed after Lumail had heard of it; it counts against the book of refunds."""
    data = {**decode_data(priced(fact.encoded, money)), "product": RETURNED}
    columns: EventChange = {
        "type": EventType.SUBSCRIBER_PAYMENT,
        "provider_object": refund.provider_object,
        "amount": -money.amount,
        "currency": money.currency,
        "data": encode_data(data),
        "subscriber": refund.subscriber,
        "status": Status.WAITING,
        "reason": None,
        "waits_for": None,
    }
    return NewEvent(fact, group, columns, refund.balance)


def with_amount(data: str, event: Event) -> str:
    """The data of a telling, about what the event counts."""
    return priced(data, Money(amount_of(event), str(event.currency)))


def amount_of(event: Event) -> Decimal:
    return NOTHING if event.amount is None else event.amount


def _sale_of(refund: Event, payments: Sequence[Event]) -> Event | None:
    """The payment that a refund takes back: the one that was told by the same object, else the first that lives."""
    mine = (refund.balance, refund.provider_object)
    ranked = sorted(payments, key=lambda one: (one.provider_object not in mine, not one.is_live, one.occurred_at))
    return next(iter(ranked), None)
