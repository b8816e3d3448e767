"""Which event stands for a fact that was told twice: one goes out, another takes its place if it comes to nothing."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, select

from gateway.ledger.event import EVENT_COLUMNS, Event, EventChange
from gateway.ledger.facts.known_events import events_of
from gateway.ledger.money.sums import NOTHING, PAID, Money, Sums, priced
from gateway.ledger.outbox import transitions
from gateway.ledger.schema import events, groups
from gateway.ledger.status import ENDED, Reason, Status


def succeed(connection: Connection, identity: str, now: datetime) -> None:
    """Where a fact was told twice and the telling that went out came to nothing, the other takes its place."""
    ended = events_of(connection, [identity])[identity]
    told = _told_beside(connection, ended)
    heirs = [
        one
        for one in told
        if one.status == Status.DROPPED
        and one.reason == Reason.SUPERSEDED
        and one.first_attempt_at is None
        and one.subscriber is not None
    ]
    if not heirs:
        return
    heir = max(heirs, key=lambda one: (one.detail_rank, one.currency == ended.currency))
    change: EventChange = {"status": Status.WAITING, "reason": None, "due_at": now}
    if ended.balance is not None:
        room = _room(connection, heir)
        if room <= 0:
            return
        change |= {"amount": room, "data": priced(heir.data, Money(room, str(heir.currency)))}
    elif any(one.status not in ENDED for one in told):
        return
    transitions.move(connection, heir.destination, [(heir, change)], now)


def duplicates_of(connection: Connection, event: Event) -> list[Event]:
    """The events beside which this one, if it were sent (again), would tell a fact twice, the oldest first.

    Of a sale's payments, or of one charge's refunds, each is told for itself as long as that is true of the sum.
    """
    beside = [one for one in _told_beside(connection, event) if one.status not in ENDED]
    if event.balance is None or event.amount is None:
        return beside
    counted = event.status not in ENDED
    room = _room(connection, event) + (event.amount if counted else NOTHING)
    return [] if room >= event.amount else beside


def _told_beside(connection: Connection, event: Event) -> list[Event]:
    query = select(*EVENT_COLUMNS).where(
        events.c.group == event.group, events.c.id != event.id, events.c.balance.is_not_distinct_from(event.balance)
    )
    return [Event.from_row(row) for row in connection.execute(query.order_by(events.c.id)).mappings()]


def _room(connection: Connection, event: Event) -> Decimal:
    """What is true and not told yet of the book that an event belongs to, in its currency."""
    balance, currency = str(event.balance), str(event.currency)
    row = connection.execute(select(groups.c.truth, groups.c.emitted).where(groups.c.id == event.group)).first()
    if row is None or row.truth is None:
        return NOTHING
    sums = Sums.from_json(row.truth)
    refunded = None if balance == PAID else sums.went_back(balance)
    truth = sums.paid(currency) if balance == PAID else NOTHING
    if refunded is not None:
        truth = sums.in_currency(refunded, currency).amount
    query = select(events.c.amount).where(
        events.c.group == event.group,
        events.c.balance == balance,
        events.c.currency == currency,
        events.c.status.not_in(ENDED),
    )
    kept = Decimal(((row.emitted or {}).get("kept", {})).get(balance, {}).get(currency, "0"))
    return truth - kept - sum((Decimal(amount) for (amount,) in connection.execute(query)), NOTHING)
