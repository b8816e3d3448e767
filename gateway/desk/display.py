"""How values are shown on pages."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from gateway.formats.wording import counted, distance, iso, span
from gateway.ledger import words


def clock(instant: datetime) -> str:
    """In UTC; the browser shows its own time instead, see desk.js."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def number(value: float) -> str:
    return f"{value:,}"


def pretty(value: Any) -> str:
    """JSON for people, in the order that it has."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    """What JSON has no kind for: amounts as numbers, instants and the rest as text."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return iso(value) if isinstance(value, datetime) else str(value)


def compact(value: Any) -> str:
    """JSON on one line."""
    return json.dumps(value, ensure_ascii=False, default=str)


def reason(event: Mapping[str, Any]) -> str:
    """Why an event (its row) stands where it does, empty where it needs no reason."""
    return words.of_event(event) or ""


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
