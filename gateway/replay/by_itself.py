"""What a run of refusals ended goes on by itself once its pause is over: as a bulk replay that nobody asks for."""

from collections.abc import Mapping

from sqlalchemy import Connection, and_, or_, select

from gateway.events import EventType
from gateway.ledger.accounts import audit
from gateway.ledger.accounts.audit import Deed
from gateway.ledger.database import Ledger
from gateway.ledger.event import Event
from gateway.ledger.jobs import jobs
from gateway.ledger.jobs.jobs import EVENTS, Job, Order
from gateway.ledger.outbox import refusals
from gateway.ledger.schema import events
from gateway.ledger.status import LIVE
from gateway.ledger.views.search import Filters
from gateway.replay.selection import Selection
from gateway.replay.sending import Cause, Refusal

GATEWAY = "the gateway"
"""Who begins such a job, in the audit and in lists."""

OVERTAKEN_BY: Mapping[EventType, tuple[EventType, ...]] = {
    EventType.SUBSCRIBED: (EventType.UNSUBSCRIBED, EventType.EMAIL_COMPLAINED),
    EventType.UNSUBSCRIBED: (EventType.SUBSCRIBED,),
    EventType.EMAIL_COMPLAINED: (EventType.SUBSCRIBED,),
}
"""What says the opposite of somebody's consent: told later, it holds."""


def bring_back(ledger: Ledger, plans: Mapping[str, int]) -> list[str]:
    """Begin a job for each pause that is over and that a run of refusals began; their ids."""
    with ledger.read() as connection:
        over = [one for one in refusals.ended(connection) if one.destination in plans]
    begun = [_begin(ledger, one) for one in over]
    for name in plans:
        with ledger.read() as connection:
            left_over = refusals.is_left_over(connection, name)
        if left_over:
            with ledger.write([name]) as connection:
                refusals.forget(connection, name)
    return [identity for identity in begun if identity is not None]


def _begin(ledger: Ledger, over: refusals.Ended) -> str | None:
    wanted = Selection(EVENTS, Filters(destination=over.destination, refused_in=over.pause))
    with ledger.write([over.destination]) as connection:
        if over not in refusals.ended(connection):  # another worker was first
            return None
        now = ledger.now(connection)
        order = Order(EVENTS, over.destination, wanted.as_request(), over.events, GATEWAY)
        identity = jobs.begin(connection, order, now)
        refusals.take(connection, over, identity)
        after = {**order.request, "total": order.total}
        audit.record(connection, now, Deed(GATEWAY, EVENTS, identity), None, after)
    return identity


def is_by_itself(wanted: Selection) -> bool:
    """Whether nobody asked for it."""
    return wanted.filters.refused_in is not None


def against(connection: Connection, event: Event, job: Job) -> Refusal | None:
    """Why an event is not sent again without a person who wants it, where nothing else stands against it."""
    if any(one.made_by == GATEWAY and one.id != job.id for one, _ in jobs.of_subject(connection, event.id)):
        return Refusal(Cause.ONCE, f"{event.id} was sent again by itself before, and refused again")
    later = _overtaking(connection, event)
    if later is not None:
        return Refusal(Cause.OVERTAKEN, f"{event.id} is older than {later}, which says the opposite")
    return None


def _overtaking(connection: Connection, event: Event) -> str | None:
    """What was told later of the same person's consent, and is at Lumail or on its way there."""
    opposite = OVERTAKEN_BY.get(event.type)
    if opposite is None:
        return None
    query = select(events.c.id).where(
        events.c.destination == event.destination,
        events.c.subscriber == event.subscriber,
        events.c.type.in_(opposite),
        events.c.status.in_(LIVE),
        or_(
            events.c.occurred_at > event.occurred_at,
            and_(events.c.occurred_at == event.occurred_at, events.c.id > event.id),
        ),
    )
    found: str | None = connection.execute(query.limit(1)).scalar_one_or_none()
    return found
