"""What is sent to Lumail: an event's data, annotated so that it can be recognised there, and what is asked about it."""

import json
from collections.abc import Callable
from datetime import UTC
from typing import Any

from gateway.config import Destination
from gateway.delivery import readback
from gateway.events import DATA_FIELDS, EventType, decode_data, encode_data
from gateway.ledger.event import Event
from gateway.ledger.outbox.observed import Observed
from gateway.ledger.scheduling.attempt import (
    AskForEvent,
    Claimed,
    CreateSubscriber,
    EventRequest,
    PostEvent,
    ReadBack,
)
from gateway.lumail.client import subscriber_path


def compose(observed: Callable[[], Observed], destination: Destination, request: EventRequest) -> str:
    """What goes out for an event: to post it the body of *Track Event*, for a question the path that is asked."""
    match request:
        case PostEvent(event):
            return track_event(event, destination)
        case ReadBack():
            return readback.path(request, observed())
        case AskForEvent(event) | CreateSubscriber(event):
            return subscriber_path(event.recipient)


def question(claimed: Claimed) -> tuple[str, str, bytes | None]:
    """Method, path and body of a request that posts no event."""
    match claimed.request:
        case ReadBack():
            return "GET", claimed.sent, None
        case CreateSubscriber():
            wanted = {"email": claimed.subscriber, "resubscribe": False, "triggerWorkflows": False}
            return "POST", "/subscribers", json.dumps(wanted).encode()
        case _:
            return "GET", subscriber_path(claimed.subscriber), None


def track_event(event: Event, destination: Destination) -> str:
    """Besides the type's own fields `data` holds `gatewayEventId` (our id, by which a lost answer can be looked up),
    `occurredAt` (Lumail's own time is that of recording) and `source`; where the destination wants no annotation,
    the type's own fields alone.
    """
    data: dict[str, Any] = decode_data(event.data)
    if event.type is EventType.SUBSCRIBER_REFUND and destination.refund_sign == "negative":
        data["amount"] = -data["amount"]
    if not destination.annotate:
        own = {name: value for name, value in data.items() if name in DATA_FIELDS[event.type]}
        return encode_data({"eventType": event.type.value, "subscriber": event.subscriber, "data": own})
    data["gatewayEventId"] = event.id
    at = event.occurred_at.astimezone(UTC).isoformat(timespec="milliseconds")
    data["occurredAt"] = at.replace("+00:00", "Z")
    data["source"] = event.source
    return encode_data({"eventType": event.type.value, "subscriber": event.subscriber, "data": data})
