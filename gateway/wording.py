"""How instants, durations and numbers are told, on terminals and pages alike."""

from datetime import UTC, datetime, timedelta

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


def counted(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
