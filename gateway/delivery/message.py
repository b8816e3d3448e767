"""What is sent to Lumail: an event's data, annotated so that it can be recognised there, and what is asked about it."""

import json
from collections.abc import Callable
from datetime import UTC
from typing import Any

from gateway.config import Destination
from gateway.delivery import readback
from gateway.events import DATA_FIELDS, EventType, decode_data, encode_data
from gateway.ledger.outbox.observed import Observed
from gateway.ledger.scheduling.attempt import Claimed, Kind
from gateway.lumail.client import subscriber_path


def compose(observed: Callable[[], Observed], destination: Destination, claimed: Claimed) -> str:
    """What goes out for a claim: for a POST the body of *Track Event*, for a question the path that is asked."""
    if claimed.kind is Kind.POST:
        return track_event(claimed, destination)
    if claimed.kind is Kind.READ:
        return readback.path(claimed, observed())
    return subscriber_path(claimed.subscriber)


def question(claimed: Claimed) -> tuple[str, str, bytes | None]:
    """Method, path and body of a request that posts no event."""
    if claimed.kind is Kind.READ:
        return "GET", claimed.sent, None
    if claimed.kind is Kind.CREATE:
        wanted = {"email": claimed.subscriber, "resubscribe": False, "triggerWorkflows": False}
        return "POST", "/subscribers", json.dumps(wanted).encode()
    return "GET", subscriber_path(claimed.subscriber), None


def track_event(claimed: Claimed, destination: Destination) -> str:
    """Besides the type's own fields `data` holds `gatewayEventId` (our id, by which a lost answer can be looked up),
    `occurredAt` (Lumail's own time is that of recording) and `source`; where the destination wants no annotation,
    the type's own fields alone.
    """
    data: dict[str, Any] = decode_data(claimed.data)
    if claimed.type is EventType.SUBSCRIBER_REFUND and destination.refund_sign == "negative":
        data["amount"] = -data["amount"]
    if not destination.annotate:
        own = {name: value for name, value in data.items() if name in DATA_FIELDS[claimed.type]}
        return encode_data({"eventType": claimed.type.value, "subscriber": claimed.subscriber, "data": own})
    data["gatewayEventId"] = claimed.event
    if claimed.occurred_at is not None:
        at = claimed.occurred_at.astimezone(UTC).isoformat(timespec="milliseconds")
        data["occurredAt"] = at.replace("+00:00", "Z")
    data["source"] = claimed.source
    return encode_data({"eventType": claimed.type.value, "subscriber": claimed.subscriber, "data": data})
