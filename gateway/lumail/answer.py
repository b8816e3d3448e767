"""What Lumail's answer to a request says: its limits, the event it recorded, and whether a second try is safe."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

_LONGEST_ID = 200


@dataclass(frozen=True)
class RateLimit:
    """The rate headers of one answer, each None where it is absent or unreadable.

    Their meaning: https://lumail.io/docs/api-reference/api-limits.
    `reset` is in Unix seconds of Lumail's clock, `retry_after` in seconds from the answer.
    """

    limit: int | None = None
    remaining: int | None = None
    reset: int | None = None
    retry_after: float | None = None


@dataclass(frozen=True)
class TrackedEvent:
    """An event as Lumail's answer to *Track Event* shows it; only the id is promised, the rest may be absent.

    `data` shows whether Lumail keeps what its documentation does not list; its fractions are Decimal.
    """

    id: str
    organization_id: str | None = None
    subscriber_id: str | None = None
    data: Mapping[str, Any] | None = field(default=None, repr=False)
    created_at: datetime | None = None


@dataclass(frozen=True)
class Answer:
    """What became of one request.

    `status` None: no status line came. `sent` False: surely no byte of the request left.
    `too_late`: `send_before` had passed before the first byte could leave.
    `event` stands only in the answer to `POST /events`, when it is a 200 that can be read.
    `error` says in words why there is no (whole) answer; neither a secret nor personal data is in it.
    `body` is cut at 64 KiB and may quote an e-mail address. `duration` is in seconds.
    """

    status: int | None
    sent: bool
    duration: float
    too_late: bool = False
    rate_limit: RateLimit = RateLimit()
    date: datetime | None = None
    event: TrackedEvent | None = None
    error: str | None = None
    body: str = field(default="", repr=False)

    @property
    def event_id(self) -> str | None:
        return self.event.id if self.event else None


class Verdict(StrEnum):
    """What an answer to `POST /events` means for a second try."""

    RECORDED = "recorded"
    NOT_SENT = "not_sent"
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    DESTINATION_REFUSES = "refused_all"
    REFUSED = "refused"
    UNCONFIRMED = "doubtful"


_BY_STATUS = {
    401: Verdict.UNAUTHORIZED,
    402: Verdict.DESTINATION_REFUSES,
    403: Verdict.UNAUTHORIZED,
    408: Verdict.UNCONFIRMED,
    410: Verdict.DESTINATION_REFUSES,
    429: Verdict.RATE_LIMITED,
}


def judge(answer: Answer) -> Verdict:
    """The verdict on an answer to `POST /events`; only the status counts, never an error's text.

    A 404 that is not of Lumail's form is another server's: the address is wrong, not the event.
    RECORDED: Lumail gave an id. DOUBTFUL: it may or may not have recorded the event, so read back before sending it
    again. All others: it has surely not recorded it.
    """
    status = answer.status
    if status is None:
        return Verdict.UNCONFIRMED if answer.sent else Verdict.NOT_SENT
    if status == 200 and answer.event is not None:
        return Verdict.RECORDED
    if status == 404 and not is_lumails(answer):
        return Verdict.DESTINATION_REFUSES
    if 400 <= status < 500:
        return _BY_STATUS.get(status, Verdict.REFUSED)
    return Verdict.UNCONFIRMED


def is_lumails(answer: Answer) -> bool:
    """Whether an answer has the form of Lumail's: a JSON object that names success, a message or an error."""
    document = read_object(answer.body)
    return document is not None and not document.keys().isdisjoint(("success", "message", "error"))


def read_tracked_event(body: str) -> TrackedEvent | None:
    """The event in the body of a 200 to `POST /events`; None when there is none to be read."""
    document = read_object(body)
    event = document.get("event") if document else None
    if document is None or document.get("success") is False or not isinstance(event, dict):
        return None
    event_id = event.get("id")
    if not isinstance(event_id, str) or not 0 < len(event_id) <= _LONGEST_ID or not event_id.isprintable():
        return None
    data = event.get("data")
    return TrackedEvent(
        id=event_id,
        organization_id=text_or_none(event.get("organizationId")),
        subscriber_id=text_or_none(event.get("subscriberId")),
        data=data if isinstance(data, dict) else None,
        created_at=read_time(event.get("createdAt")),
    )


def read_object(body: str) -> dict[str, Any] | None:
    """A JSON object with its fractions as Decimal; None for anything else."""
    try:
        document = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def read_time(value: object) -> datetime | None:
    """An ISO 8601 time with its zone (UTC where none is given), or None."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def read_date(value: str | None) -> datetime | None:
    """The `Date` header, or None where it is absent or no date."""
    if value is None:
        return None
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def read_rate_limit(headers: Mapping[str, str], date: datetime | None) -> RateLimit:
    """The rate headers; a `Retry-After` that is a date is counted from `date`, the answer's own clock."""
    return RateLimit(
        limit=_whole(headers.get("X-RateLimit-Limit")),
        remaining=_whole(headers.get("X-RateLimit-Remaining")),
        reset=_whole(headers.get("X-RateLimit-Reset")),
        retry_after=_seconds(headers.get("Retry-After"), date),
    )


def _whole(value: str | None) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _seconds(value: str | None, date: datetime | None) -> float | None:
    number = _number(value)
    if number is not None:
        return number
    until = read_date(value)
    return None if until is None or date is None else max(0.0, (until - date).total_seconds())


def _number(value: str | None) -> float | None:
    """A finite number that is not negative, or None."""
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
