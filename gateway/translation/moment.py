"""Points in time as providers write them; all become timezone-aware UTC, and none goes through a float."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from email.utils import parsedate_to_datetime

from gateway.errors import PayloadError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEBHOOKS_SINCE, _WEBHOOKS_UNTIL = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_MILLISECONDS_FROM = 10**11  # as seconds this is the year 5138
_NUMBER = re.compile(r"\d{1,13}(?:\.\d{1,20})?", re.ASCII)
_ZONE_APART = re.compile(r"\s(?:(?P<utc>UTC|GMT|Z)|(?P<offset>[+-]\d\d(?::?\d\d)?))\Z", re.ASCII | re.IGNORECASE)


def from_unix(value: object) -> datetime:
    """Unix time, as number or text, in seconds or milliseconds (with or without a fraction): size tells which.

    Raises PayloadError.
    """
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise PayloadError("not a Unix time")
    text = format(value, "f") if isinstance(value, Decimal) else str(value).strip()
    if not _NUMBER.fullmatch(text):
        raise PayloadError("not a Unix time")
    seconds = Decimal(text)
    if seconds >= _MILLISECONDS_FROM:
        seconds /= 1000
    return _EPOCH + timedelta(microseconds=int(seconds * 1_000_000))


def from_iso(value: object, naive: tzinfo | None = None) -> datetime:
    """ISO 8601 with any number of decimals (those after the sixth are dropped), the zone behind a space or not.

    A time without offset lies in the zone `naive`; without that it is refused. Raises PayloadError.
    """
    if not isinstance(value, str):
        raise PayloadError("not an ISO 8601 time")
    try:
        moment = datetime.fromisoformat(_ZONE_APART.sub(_joined, value.strip()))
    except ValueError as error:
        raise PayloadError("not an ISO 8601 time") from error
    if moment.tzinfo is None:
        if naive is None:
            raise PayloadError("a time without a time zone")
        moment = moment.replace(tzinfo=naive)
    return _in_utc(moment)


def _joined(zone: re.Match[str]) -> str:
    return "Z" if zone["utc"] else zone["offset"]


def from_rfc2822(value: object) -> datetime:
    """The form of e-mail's Date header: ``Tue, 3 Nov 2026 10:00:00 +0100``. Raises PayloadError."""
    if not isinstance(value, str):
        raise PayloadError("not an RFC 2822 time")
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise PayloadError("not an RFC 2822 time") from error
    return _in_utc(moment if moment.tzinfo else moment.replace(tzinfo=UTC))  # "-0000" is UTC of an unknown zone


def read(value: object, naive: tzinfo | None = None) -> datetime:
    """A time in any of the forms that providers use; `naive` as in `from_iso`. Raises PayloadError."""
    if not isinstance(value, str):
        return from_unix(value)
    text = value[:100].strip()
    if text.replace(".", "", 1).isdecimal():
        return from_unix(text)
    return from_rfc2822(text) if text[:3].isalpha() else from_iso(text, naive)


def is_plausible(moment: datetime) -> bool:
    """Whether it can be the time of something that a webhook tells: 0, and what a wrong unit makes, can't."""
    return _WEBHOOKS_SINCE <= moment < _WEBHOOKS_UNTIL


def to_iso(moment: datetime) -> str:
    """How a time stands in an event's data: ``2026-11-03T09:00:00+00:00``."""
    return moment.astimezone(UTC).isoformat()


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise PayloadError("a time out of all proportion") from error
