"""How long something takes or is ago, as people write it: 90s, 15m, 12h, 30d."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from marshmallow import ValidationError, fields

MAXIMUM_AGE = timedelta(days=3650)

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(written: str) -> timedelta | None:
    """What is written as `90s`, `15m`, `12h` or `30d`, from 1s to MAXIMUM_AGE; None for anything else."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", written)
    if match is None or int(match[1]) > MAXIMUM_AGE.total_seconds():
        return None
    found = timedelta(**{_UNITS[match[2]]: int(match[1])})
    return found if timedelta(0) < found <= MAXIMUM_AGE else None


class Duration(fields.Field[timedelta]):
    """`90s`, `15m`, `12h`, `30d`, or a bare number of seconds."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> timedelta:
        text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
        found = duration(f"{text}s" if text[-1:].isdigit() else text)
        if found is None:
            raise ValidationError(f"must be a time such as 90s, 15m, 12h or 30d, from 1s to {MAXIMUM_AGE.days}d")
        return found
