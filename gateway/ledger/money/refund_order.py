"""How a refund follows the payment that it takes back: to the same subscriber and product, and after it has left."""

from collections.abc import Sequence

from sqlalchemy import Connection, select, text

from gateway.events import decode_data, encode_data
from gateway.ledger.event import EVENT_COLUMNS, Event, EventChange, differing
from gateway.ledger.schema import events, status_is
from gateway.ledger.statements import Among, Prepared
from gateway.ledger.status import ENDED, Reason, Status


def follow(refund: Event, sale: Event) -> EventChange:
    """What to set of a refund that nobody has sent, now that its payment is known."""
    product = decode_data(sale.data).get("product")
    data = decode_data(refund.data)
    change: EventChange = {"subscriber": sale.subscriber, "waits_for": None}
    if product is not None and data.get("product") != product:
        change["data"] = encode_data({**data, "product": product})
    if sale.status == Status.DELIVERED:
        change |= {"status": Status.WAITING, "reason": None, "after": None}
    else:
        reason = Reason.PAYMENT_NOT_DELIVERED if sale.status in ENDED else Reason.PAYMENT_NOT_LEFT
        change |= {"status": Status.HELD, "reason": reason, "after": sale.id}
    return differing(refund, change)


_FOLLOWING = Prepared(
    select(*EVENT_COLUMNS).where(
        status_is(Status.HELD),  # written as the partial index has it, so that it is used
        text("events.after IS NOT NULL"),
        Among(events.c.after),
    )
)


def waiting_for(connection: Connection, payments: Sequence[str]) -> list[Event]:
    """The refunds that wait for these events."""
    return [Event.from_values(row) for row in _FOLLOWING.among(connection, payments)]
