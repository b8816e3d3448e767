"""The forms that Mailgun posted before 2018 and still posts for some accounts, in the words of today's events.

https://documentation.mailgun.com/en/latest/user_manual.html#webhooks
"""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.mailgun.body_signature import Field
from gateway.errors import PayloadError
from gateway.translation import json_body

# Mailgun's own codes, beyond those of SMTP: why it did not even try.
_REASON_BY_CODE = {"605": "suppress-bounce", "606": "suppress-unsubscribe", "607": "suppress-complaint"}
_GIVEN_UP = {"bounced": "bounce", "dropped": "hardfail"}


def event_data(fields: Sequence[Field]) -> dict[str, Any]:
    """What `event-data` would say. Custom variables are merged in behind Mailgun's fields (but before time and token):
    of a repeated field the first counts, of those two the last. A message that a route forwards is no event.
    """
    first, last = dict(reversed(fields)), dict(fields)
    if "body-plain" in first and "event" not in first:
        return {"event": "routed", "timestamp": last.get("timestamp")}
    told: dict[str, Any] = {
        "event": first.get("event"),
        "id": last.get("token"),
        "timestamp": last.get("timestamp"),
        "recipient": first.get("recipient"),
        "url": first.get("url"),
        "tags": [value for name, value in fields if name in ("tag", "X-Mailgun-Tag")],
        "campaigns": [{"id": first.get("campaign-id"), "name": first.get("campaign-name")}],
        "mailing-list": {"address": first.get("mailing-list")},
        "message": {"headers": _headers(first)},
    }
    given_up = _GIVEN_UP.get(told["event"] or "")
    return told | _failure(first, given_up) if given_up else told


def _failure(first: Mapping[str, str], given_up: str) -> dict[str, Any]:
    words = first.get("error") or first.get("notification") or first.get("description")
    code = first.get("code", "")
    reason = _REASON_BY_CODE.get(code) or first.get("reason") or given_up
    status = {"code": code, "message": words}
    return {"event": "failed", "severity": "permanent", "reason": reason, "delivery-status": status}


def _headers(first: Mapping[str, str]) -> dict[str, Any]:
    try:
        pairs = json_body.load(first.get("message-headers", "[]").encode())
    except PayloadError:
        pairs = []
    told = [pair for pair in pairs if isinstance(pair, list) and len(pair) == 2] if isinstance(pairs, list) else []
    subject = next((value for name, value in told if name == "Subject" and isinstance(value, str)), None)
    return {"message-id": first.get("Message-Id") or first.get("message-id"), "subject": subject}
