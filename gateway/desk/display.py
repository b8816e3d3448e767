"""How values are shown on pages."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.formats.masking import UNPAIRED
from gateway.formats.wording import as_plain, counted, distance, iso, span
from gateway.ledger import words


def clock(instant: datetime) -> str:
    """In UTC; the browser shows its own time instead, see desk.js."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def number(value: float) -> str:
    return f"{value:,}"


def pretty(value: Any) -> str:
    """JSON for people, in the order that it has."""
    return json.dumps(as_plain(value), indent=2, ensure_ascii=False, default=str)


def compact(value: Any) -> str:
    """JSON on one line."""
    return json.dumps(as_plain(value), ensure_ascii=False, default=str)


def reason(event: Mapping[str, Any]) -> str:
    """Why an event (its row) stands where it does, empty where it needs no reason."""
    return words.of_event(event) or ""


def whole(value: Any) -> Any:
    """What a page says of a value: halves of a character, which JSON can name, are no text that can be sent."""
    if isinstance(value, str) and not value.isascii() and UNPAIRED.search(value):
        return type(value)(UNPAIRED.sub("\ufffd", value))
    return value


FILTERS: Mapping[str, Callable[..., Any]] = {
    "clock": clock,
    "compact": compact,
    "counted": counted,
    "distance": distance,
    "in_words": words.of_deed,
    "iso": iso,
    "number": number,
    "pretty": pretty,
    "reason": reason,
    "span": span,
}
