"""What becomes of the events of refunds: better data, the payment that they go after, and money that came back."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from gateway.events import EventType, LumailEvent, decode_data, encode_data
from gateway.ledger.event import Event, EventChange, differing
from gateway.ledger.money.refund_order import follow
from gateway.ledger.money.sale import NewEvent
from gateway.ledger.money.sums import NOTHING, Money, Standing, priced
from gateway.ledger.status import Reason, Status

RETURNED = "Refund returned"
"""The product of a payment that gives back a refund which failed after Lumail had heard of it."""


def enriched(event: Event, fact: LumailEvent, *, better: bool) -> EventChange:
    """What to set of a refund that nobody has sent, now that this was told of it.

    `better`: the telling says more than the one that made it.
    """
    change: EventChange = {}
    if better:
        change |= {"data": with_amount(fact.encoded, event), "detail_rank": fact.detail_rank}
    if event.subscriber is None and fact.subscriber is not None:
        change |= {"subscriber": fact.subscriber, "waits_for": None}
    elif event.subscriber is None and event.waits_for is None and fact.waits_for is not None:
        change["waits_for"] = fact.waits_for  # it may leave alone now, once somebody teaches whose it is
    return change


def followed(
    refund: Event, payments: Sequence[Event], standing: Standing, release_at: datetime, *, alone: bool
) -> EventChange:
    """What to set of a refund that nobody has sent, so that it goes where its payment went, and after it.

    `release_at` is when it has waited for its sale long enough; `alone`: it may leave then though nobody told that.
    """
    sale = _sale_of(refund, payments)
    if sale is not None:
        change = follow(refund, sale)
        return change if refund.release_at is None else {**change, "release_at": None}
    return differing(refund, _without_payment(refund, standing, release_at, alone=alone))


def _without_payment(refund: Event, standing: Standing, release_at: datetime, *, alone: bool) -> EventChange:
    """What a refund is whose payment is no event that is kept here."""
    if standing is Standing.LEFT_OUT:
        reason = Reason.SALE_LEFT_OUT
        return {"status": Status.HELD, "reason": reason, "release_at": release_at, "waits_for": None}
    if standing is Standing.COUNTED:
        if refund.subscriber is None:
            return {"reason": Reason.SUBSCRIBER_UNKNOWN, "release_at": None}
        return {"status": Status.WAITING, "reason": None, "release_at": None}
    if not alone:
        return {"status": Status.HELD, "reason": Reason.SALE_UNKNOWN, "release_at": None, "waits_for": None}
    if refund.status == Status.HELD:
        return {"reason": Reason.SALE_UNKNOWN, "release_at": release_at}
    return {}  # it has waited for its sale, and is on its way without


def was_given_up(refund: Event) -> bool:
    """Whether it was dropped because its sale was not known, or did not count."""
    if refund.type != EventType.SUBSCRIBER_REFUND or refund.status != Status.DROPPED:
        return False
    before = refund.former_reason in (Reason.SALE_UNKNOWN, Reason.SALE_LEFT_OUT)
    return refund.reason == Reason.SALE_NEVER_COUNTED or (refund.reason == Reason.HELD_TOO_LONG and before)


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
