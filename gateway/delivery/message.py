"""What is sent to Lumail for an event: its data, annotated so that it can be recognised there."""

from datetime import UTC
from typing import Any

from gateway.events import decode_data, encode_data
from gateway.ledger.claims import Claimed


def compose(claimed: Claimed) -> str:
    """The body of the *Track Event* request, as JSON text.

    Besides the type's own fields `data` holds `gatewayEventId` (our id, by which a lost answer can be looked up),
    `occurredAt` (Lumail's own time is that of recording) and `source`.
    """
    data: dict[str, Any] = decode_data(claimed.data)
    data["gatewayEventId"] = claimed.event
    data["occurredAt"] = claimed.occurred_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    data["source"] = claimed.source
    return encode_data({"eventType": claimed.type.value, "subscriber": claimed.subscriber, "data": data})
