"""How a refund follows the payment that it takes back: to the same subscriber and product, and after it has left."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, bindparam, select, text, update

from gateway.events import EventType, decode_data, encode_data
from gateway.ledger.scheduling import leases, lines
from gateway.ledger.schema import events, status_is
from gateway.ledger.status import ENDED, Reason, Status


class FollowableEvent(Protocol):
    """What of an event matters here."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def subscriber(self) -> str | None: ...
    @property
    def data(self) -> str: ...
    @property
    def after(self) -> str | None: ...


def follow(refund: FollowableEvent, sale: FollowableEvent) -> dict[str, Any]:
    """The columns to set of a refund that nobody has sent, now that its payment is known."""
    product = decode_data(sale.data).get("product")
    data = decode_data(refund.data)
    values: dict[str, Any] = {"subscriber": sale.subscriber, "waits_for": None}
    if product is not None and data.get("product") != product:
        values["data"] = encode_data({**data, "product": product})
    if sale.status == Status.DELIVERED:
        values |= {"status": Status.WAITING, "reason": None, "after": None}
    else:
        reason = Reason.PAYMENT_NOT_DELIVERED if sale.status in ENDED else Reason.PAYMENT_NOT_LEFT
        values |= {"status": Status.HELD, "reason": reason, "after": sale.id}
    return {name: value for name, value in values.items() if getattr(refund, name, _MISSING) != value}


_MISSING = object()

_FOLLOWING = select(
    *(events.c[name] for name in ("id", "status", "reason", "subscriber", "data", "after", "lane", "destination"))
).where(
    status_is(Status.HELD),  # written as the partial index has it, so that it is used
    text("events.after IS NOT NULL"),
    events.c.after.in_(bindparam("asked", expanding=True)),
)
_SALES = select(*(events.c[name] for name in ("id", "status", "reason", "subscriber", "data", "after"))).where(
    events.c.id.in_(bindparam("asked", expanding=True)), events.c.type == EventType.SUBSCRIBER_PAYMENT.value
)


def let_follow(connection: Connection, destination: str, payments: Iterable[str], now: datetime) -> None:
    """These events were delivered or came to nothing: let the refunds that wait for them do what follows from it."""
    asked = sorted(set(payments))
    waiting = connection.execute(_FOLLOWING, {"asked": asked}).all() if asked else []
    if not waiting:
        return
    sales = {row.id: row for row in connection.execute(_SALES, {"asked": sorted({row.after for row in waiting})})}
    changed = []
    for refund in waiting:
        values = follow(refund, sales[refund.after]) if refund.after in sales else {}
        if not values:
            continue
        if values.get("status") == Status.WAITING:
            values["due_at"] = now
        connection.execute(
            update(events).where(events.c.id == refund.id, events.c.status == Status.HELD).values(**values)
        )
        changed += [(refund.lane, one) for one in {refund.subscriber, values.get("subscriber")} if one is not None]
    lines.refresh(connection, destination, changed)
    leases.wake(connection, destination, now)
