"""What Lumail has recorded of a subscriber, asked for because a person wants to see it, within the plan."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gateway.config import Destination
from gateway.delivery.outcome import rate_limited_pause
from gateway.errors import CommandError
from gateway.ledger.database import Ledger
from gateway.ledger.scheduling import pauses, places
from gateway.ledger.scheduling.attempt import ENDS_WITHIN, SEND_WITHIN
from gateway.lumail.answer import Answer
from gateway.lumail.client import EventsQuery, RecordedEvent, events_path, read_events_page
from gateway.lumail.transport import Transport

KIND = "timeline"
"""The kind of such an attempt."""

SHOWN = 50


@dataclass(frozen=True)
class Timeline:
    """The newest records, the newest first; `more` where Lumail has older ones. `is_known` False: no such
    subscriber.
    """

    at: datetime
    records: Sequence[RecordedEvent] = field(repr=False)
    more: bool = False
    is_known: bool = True


def look(ledger: Ledger, destination: Destination, subscriber: str, event: str) -> Timeline:
    """Ask Lumail once; the attempt stands with the event on whose account it was asked.

    Raises CommandError where the plan is used up or Lumail wants no requests now, and LumailError where it does not
    answer with a page.
    """
    name, path = destination.name, events_path(subscriber, EventsQuery(take=SHOWN))
    with ledger.write([name]) as connection:
        now = ledger.now(connection)
        resting = [one for one in pauses.open_pauses(connection, name, now) if one.until is not None]
        if resting:
            raise CommandError(f"{name} rests because Lumail wants no requests now; look again later")
        limit = destination.requests_per_minute
        attempt = places.take(connection, name, KIND, limit, now, event=event, sent=path)
    if attempt is None:
        raise CommandError(f"the plan of {name} ({limit:,} requests a minute) is used up; look again in a few seconds")
    answer = _ask(destination, path)
    with ledger.write([name]) as connection:
        settled = ledger.now(connection)
        places.settle(connection, attempt, answer.status, answer.error, settled)
        if answer.status == 429:
            pauses.begin(connection, name, rate_limited_pause(answer, settled), settled)
    if answer.status == 404:
        return Timeline(settled, (), is_known=False)
    page = read_events_page(answer)
    return Timeline(settled, page.events, more=page.next_cursor is not None)


def _ask(destination: Destination, path: str) -> Answer:
    transport = Transport(destination.base_url, destination.api_token, outgoing=destination.outgoing)
    began = time.monotonic()
    try:
        return transport.exchange(
            "GET",
            path,
            None,
            send_before=began + SEND_WITHIN.total_seconds(),
            ends_by=began + ENDS_WITHIN.total_seconds(),
        )
    finally:
        transport.close()
