"""Lumail's API in the words of its documentation: calls with typed results, and errors that keep what was answered."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import quote, urlencode

from gateway.errors import LumailError
from gateway.events import encode_data
from gateway.lumail.answer import (
    Answer,
    RateLimit,
    TrackedEvent,
    Verdict,
    judge,
    read_object,
    read_time,
    text_or_none,
)
from gateway.lumail.transport import Transport
from gateway.outgoing import STRAIGHT, Outgoing


class LumailResponseError(LumailError):
    """Lumail answered, but not with success, or with something that can't be read.

    `call` names the call without its subject: no e-mail address is in the text.
    """

    def __init__(self, call: str, answer: Answer, detail: str | None = None) -> None:
        self.call = call
        self.answer = answer
        super().__init__(f"{call}: Lumail answered {answer.status}" + (f": {detail}" if detail else ""))

    @property
    def status(self) -> int | None:
        return self.answer.status

    @property
    def rate_limit(self) -> RateLimit:
        return self.answer.rate_limit

    @property
    def body(self) -> str:
        return self.answer.body

    @property
    def date(self) -> datetime | None:
        return self.answer.date


class LumailConnectionError(LumailError):
    """No answer came. `sent` False: surely no byte of the request has left."""

    def __init__(self, call: str, answer: Answer) -> None:
        self.call = call
        self.answer = answer
        outcome = "it may have been received" if answer.sent else "nothing was sent"
        super().__init__(f"{call}: no answer from Lumail ({answer.error}); {outcome}")

    @property
    def sent(self) -> bool:
        return self.answer.sent


@dataclass(frozen=True)
class Timeouts:
    """In seconds from the call: the first byte leaves before `send`, and all is over by `total`."""

    send: float = 5.0
    total: float = 20.0


@dataclass(frozen=True)
class EventsQuery:
    """What *Get Subscriber Events* is asked for; `take` is 1 to 100, the times must have their zone."""

    event_types: Sequence[str] = ()
    take: int = 100
    order: Literal["asc", "desc"] = "desc"
    start: datetime | None = None
    end: datetime | None = None
    search: str | None = None
    cursor: str | None = None

    def parameters(self) -> dict[str, str]:
        """As Lumail wants them in the URL, absent ones left out."""
        found = {
            "take": str(self.take),
            "order": self.order,
            "eventTypes": json.dumps([str(each) for each in self.event_types]) if self.event_types else None,
            "startDate": _iso(self.start),
            "endDate": _iso(self.end),
            "search": self.search,
            "cursor": self.cursor,
        }
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class RecordedEvent:
    """An event as Lumail keeps it; `type` is an open set, `data` may be None, its fractions are Decimal."""

    id: str
    type: str
    data: Mapping[str, Any] | None = field(repr=False)
    created_at: datetime
    subscriber_id: str | None
    email: str | None = field(repr=False)


@dataclass(frozen=True)
class EventsPage:
    """`next_cursor` None: this was the last page."""

    events: tuple[RecordedEvent, ...]
    next_cursor: str | None
    answer: Answer = field(repr=False, compare=False)


@dataclass(frozen=True)
class SubscriberDetails:
    """What `upsert_subscriber` writes. None and the empty leave a field as it is.

    The three switches default to what surprises nobody: nobody who opted out is subscribed again, no workflow starts.
    """

    email: str = field(repr=False)
    name: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    tags: Sequence[str] = ()
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    replace_tags: bool = False
    resubscribe: bool = False
    trigger_workflows: bool = False


@dataclass(frozen=True)
class Subscriber:
    """`status` is an open set; `revenue` is known only from `upsert_subscriber`."""

    id: str
    email: str | None = field(repr=False)
    name: str | None = field(repr=False)
    phone: str | None = field(repr=False)
    status: str | None
    tags: tuple[Any, ...]
    fields: Mapping[str, Any] = field(repr=False)
    revenue: Decimal | None
    answer: Answer = field(repr=False, compare=False)


def event_body(event_type: str, subscriber: str, data: str) -> bytes:
    """The document that `Transport.post_event` sends; `data` is JSON already, as `gateway.events.encode_data` makes."""
    head = json.dumps({"eventType": event_type, "subscriber": subscriber}, ensure_ascii=False)
    return f'{head[:-1]}, "data": {data}}}'.encode()


def subscriber_path(subscriber: str) -> str:
    """The path of a subscriber, an e-mail address or an id."""
    return f"/subscribers/{quote(subscriber, safe='')}"


def events_path(subscriber: str, query: EventsQuery) -> str:
    """The path and query of *Get Subscriber Events*."""
    return f"{subscriber_path(subscriber)}/events?{urlencode(query.parameters(), quote_via=quote)}"


class Lumail:
    """One organization's Lumail. Raises LumailResponseError and LumailConnectionError; tries everything once."""

    def __init__(
        self, base_url: str, api_token: str, *, timeouts: Timeouts = Timeouts(), outgoing: Outgoing = STRAIGHT
    ) -> None:
        self.transport = Transport(base_url, api_token, outgoing=outgoing)
        self._timeouts = timeouts

    def track_event(self, event_type: str, subscriber: str, data: Mapping[str, Any]) -> TrackedEvent:
        call = "POST /events"
        now = time.monotonic()
        answer = self.transport.post_event(
            event_body(event_type, subscriber, encode_data(data)),
            send_before=now + self._timeouts.send,
            ends_by=now + self._timeouts.total,
        )
        if judge(answer) is not Verdict.RECORDED or answer.event is None:
            raise _failure(call, answer)
        return answer.event

    def subscriber_events(self, subscriber: str, query: EventsQuery = EventsQuery()) -> EventsPage:
        """One page."""
        return read_events_page(self._ask("GET", events_path(subscriber, query)))

    def all_subscriber_events(self, subscriber: str, query: EventsQuery = EventsQuery()) -> Iterator[RecordedEvent]:
        """All pages from `query.cursor` on; each is asked for when it is reached."""
        seen = set()
        while True:
            page = self.subscriber_events(subscriber, query)
            yield from page.events
            if page.next_cursor is None:
                return
            if page.next_cursor in seen:
                raise LumailResponseError("GET /subscribers/{subscriber}/events", page.answer, "its cursor repeats")
            seen.add(page.next_cursor)
            query = replace(query, cursor=page.next_cursor)

    def subscriber(self, subscriber: str) -> Subscriber | None:
        """None: Lumail has no such subscriber."""
        call = "GET /subscribers/{subscriber}"
        answer = self._ask("GET", subscriber_path(subscriber))
        if answer.status == 404:
            return None
        return _read_subscriber(call, answer, _document(call, answer))

    def ask_for_subscriber(self, subscriber: str) -> Answer:
        """The answer as it is. Raises LumailConnectionError where there is none."""
        answer = self._ask("GET", subscriber_path(subscriber))
        if answer.status is None:
            raise LumailConnectionError("GET /subscribers/{subscriber}", answer)
        return answer

    def upsert_subscriber(self, details: SubscriberDetails) -> Subscriber:
        """Create the subscriber of this e-mail address, or update it."""
        call = "POST /subscribers"
        answer = self._ask("POST", "/subscribers", encode_data(_upsert_document(details)).encode())
        return _read_subscriber(call, answer, _document(call, answer))

    def close(self) -> None:
        self.transport.close()

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        now = time.monotonic()
        return self.transport.exchange(
            method, path, body, send_before=now + self._timeouts.send, ends_by=now + self._timeouts.total
        )


def _upsert_document(details: SubscriberDetails) -> dict[str, Any]:
    switches = {
        "replaceTags": details.replace_tags,
        "resubscribe": details.resubscribe,
        "triggerWorkflows": details.trigger_workflows,
    }
    values = {
        "email": details.email,
        "name": details.name,
        "phone": details.phone,
        "tags": list(details.tags) or None,
        "fields": dict(details.fields) or None,
    }
    return {name: value for name, value in values.items() if value is not None} | switches


def _iso(time_: datetime | None) -> str | None:
    return None if time_ is None else time_.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _failure(call: str, answer: Answer) -> LumailError:
    if answer.status is None:
        return LumailConnectionError(call, answer)
    unreadable = "an answer that can't be read" if answer.status == 200 else None
    return LumailResponseError(call, answer, answer.error or unreadable)


def _document(call: str, answer: Answer) -> dict[str, Any]:
    document = read_object(answer.body) if answer.status == 200 and answer.error is None else None
    if document is None:
        raise _failure(call, answer)
    return document


def read_events_page(answer: Answer) -> EventsPage:
    """The page in an answer to *Get Subscriber Events*. Raises LumailResponseError for any other answer."""
    call = "GET /subscribers/{subscriber}/events"
    return _read_page(call, answer, _document(call, answer))


def _read_page(call: str, answer: Answer, document: Mapping[str, Any]) -> EventsPage:
    events, cursor = document.get("events"), document.get("nextCursor")
    if not isinstance(events, list) or not isinstance(cursor, str | None):
        raise LumailResponseError(call, answer, "not a page of events")
    return EventsPage(tuple(_read_event(call, answer, each) for each in events), cursor or None, answer)


def _read_event(call: str, answer: Answer, event: object) -> RecordedEvent:
    if not isinstance(event, dict):
        raise LumailResponseError(call, answer, "an event that is no object")
    created_at, data = read_time(event.get("createdAt")), event.get("data")
    if not isinstance(event.get("id"), str) or not isinstance(event.get("eventType"), str) or created_at is None:
        raise LumailResponseError(call, answer, "an event without id, type or time")
    person = event.get("subscriber")
    return RecordedEvent(
        id=event["id"],
        type=event["eventType"],
        data=data if isinstance(data, dict) else None,
        created_at=created_at,
        subscriber_id=text_or_none(event.get("subscriberId")),
        email=text_or_none(person.get("email")) if isinstance(person, dict) else None,
    )


def _read_subscriber(call: str, answer: Answer, document: Mapping[str, Any]) -> Subscriber:
    found = document.get("subscriber")
    if not isinstance(found, dict) or not isinstance(found.get("id"), str):
        raise LumailResponseError(call, answer, "no subscriber in it")
    fields, revenue, tags = found.get("fields"), found.get("revenue"), found.get("tags")
    return Subscriber(
        id=found["id"],
        email=text_or_none(found.get("email")),
        name=text_or_none(found.get("name")),
        phone=text_or_none(found.get("phone")),
        status=text_or_none(found.get("status")),
        tags=tuple(tags) if isinstance(tags, list) else (),
        fields=fields if isinstance(fields, dict) else {},
        revenue=Decimal(revenue) if isinstance(revenue, int | Decimal) else None,
        answer=answer,
    )
