"""How values are told, on terminals, on pages and to programs alike."""

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

DEEPEST = 100
"""Levels of a value that are told."""

CUT = "…"
"""Stands in the place of what lies deeper."""

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def iso(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def distance(instant: datetime, now: datetime) -> str:
    """`2 min ago`, `in 5 s`, `now`."""
    if abs(now - instant) < timedelta(seconds=1):
        return "now"
    return f"{span(now - instant)} ago" if now > instant else f"in {span(instant - now)}"


def span(duration: timedelta) -> str:
    """In the largest unit of which there is one: `3 d`, `2 h`, `15 min`, `4 s`."""
    seconds = round(duration.total_seconds())
    size, unit = next((each for each in _UNITS if seconds >= each[0]), _UNITS[-1])
    return f"{seconds // size} {unit}"


def counted(number: int, singular: str, many: str | None = None) -> str:
    return f"{number:,} {singular if number == 1 else many or singular + 's'}"


def as_plain(value: Any, depth: int = DEEPEST) -> Any:
    """The value in JSON's kinds: instants as ISO 8601 in UTC, amounts as numbers; CUT for what lies too deep."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return as_plain(asdict(value), depth)
    if isinstance(value, Mapping):
        return {str(key): as_plain(inner, depth - 1) for key, inner in value.items()} if depth else CUT
    if isinstance(value, list | tuple | set | frozenset):
        return [as_plain(inner, depth - 1) for inner in value] if depth else CUT
    return value
