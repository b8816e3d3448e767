"""How long something may take, as it stands in a configuration: 90s, 15m, 12h, 30d."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from marshmallow import ValidationError, fields

MAXIMUM_AGE = timedelta(days=3650)

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Duration(fields.Field[timedelta]):
    """`90s`, `15m`, `12h`, `30d`, or a bare number of seconds."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> timedelta:
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        match = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text) if isinstance(text, str) else None
        if match and int(match[1]) <= MAXIMUM_AGE.total_seconds():
            duration = timedelta(**{_UNITS[match[2] or "s"]: int(match[1])})
            if timedelta(0) < duration <= MAXIMUM_AGE:
                return duration
        raise ValidationError(f"must be a time such as 90s, 15m, 12h or 30d, from 1s to {MAXIMUM_AGE.days}d")
