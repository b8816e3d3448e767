"""Lumail's API as its documentation has it (https://lumail.io/docs/api-reference): `/api/v1` of the sandbox."""

import base64
import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import formatdate
from typing import Any, NoReturn
from urllib.parse import urlsplit

from flask import Blueprint, Response, g, jsonify, make_response, request
from marshmallow import Schema, ValidationError, fields, validate
from werkzeug.exceptions import HTTPException

from gateway.events import DATA_SCHEMAS, MONEY_TYPES, WRITABLE_TYPES, EventType
from gateway.lumail.sandbox.faults import KINDS, Fault
from gateway.lumail.sandbox.limits import Place
from gateway.lumail.sandbox.settings import SandboxSettings
from gateway.lumail.sandbox.state import this_sandbox
from gateway.lumail.sandbox.store import NewRecord, Person, Record, RequestRow, Slice

api = Blueprint("api", __name__, url_prefix="/api/v1")

WIRE = "lumail_sandbox.wire"
"""In the WSGI environment: what the server does to the connection in the place of writing the answer."""

_TOO_MANY = {"message": "Too many requests", "docs": "https://lumail.io/docs/api-reference/api-limits"}


class _RefusedError(HTTPException):
    """An answer other than 200, with Lumail's form of a message."""

    def __init__(self, status: int, message: str) -> None:
        response = jsonify(message=message)
        response.status_code = status
        super().__init__(response=response)


def _refuse(status: int, message: str) -> NoReturn:
    raise _RefusedError(status, message)


@api.before_request
def admit() -> Response | None:
    """Token, rate limit and faults, before a request has any effect."""
    sandbox = this_sandbox()
    g.arrived, g.organization, g.place, g.fault, g.event_id = time.time(), None, None, None, None
    g.organization = _organization(request.headers.get("Authorization", ""), sandbox.settings)
    limit = sandbox.settings.requests_per_minute
    if limit is not None:
        place = g.place = sandbox.limits.take(g.organization, g.arrived, limit, sandbox.settings.window)
        if not place.free:
            return _too_many(place.reset - g.arrived)
    call = (request.endpoint or "").rpartition(".")[2]
    g.fault = sandbox.faults.strike(call, *_subject(call))
    if g.fault is not None and not g.fault.has_effect:
        return _reply(g.fault)
    return None


@api.after_request
def conclude(response: Response) -> Response:
    """The answer as a fault wants it, the headers of every answer, and the line in the log."""
    sandbox = this_sandbox()
    settings, fault = sandbox.settings, g.fault
    if fault is not None and fault.has_effect and KINDS[fault.kind].reply is not None:
        response = _reply(fault)
    response.headers["Date"] = formatdate(time.time() + settings.clock_offset, usegmt=True)
    if g.place is not None:
        _show_limit(response, g.place, settings)
    wire = KINDS[fault.kind].wire if fault is not None else None
    if wire is not None:
        request.environ[WIRE] = lambda connection, answer: wire(connection, answer, fault)
    sandbox.store.log(
        RequestRow(
            time=g.arrived,
            organization=g.organization,
            method=request.method,
            path=request.full_path.removeprefix("/api/v1").rstrip("?"),
            status=None if wire is not None else response.status_code,
            fault=fault.kind if fault is not None else None,
            event_id=g.event_id,
        )
    )
    delay = settings.latency_ms + (fault.latency_ms if fault is not None and fault.kind == "slow" else 0)
    if delay:
        time.sleep(delay / 1000)
    return response


@api.post("/events")
def track_event() -> Response:
    sandbox = this_sandbox()
    document = _json_object()
    event_type, data = _event_type(document.get("eventType")), document.get("data")
    if not isinstance(data, dict):
        _refuse(400, "data is required")
    faults = DATA_SCHEMAS[event_type].validate(data)
    amount = data.get("amount")
    if faults or (event_type in MONEY_TYPES and not isinstance(amount, int | float)):
        _refuse(400, f"Invalid data: {json.dumps(faults or {'amount': ['Not a number.']})}")
    person = _subscriber_for_event(document.get("subscriber"), sandbox.settings)
    now = time.time()
    known = DATA_SCHEMAS[event_type].fields
    record = NewRecord(
        person=person,
        type=event_type,
        received=data,
        data=data if sandbox.settings.echo else {key: value for key, value in data.items() if key in known},
        created_at=now + sandbox.settings.clock_offset,
        recorded_at=now,
        revenue=Decimal(str(amount)) if event_type is EventType.SUBSCRIBER_PAYMENT else Decimal(0),
    )
    g.event_id = sandbox.store.add_event(record)
    event = {
        "id": g.event_id,
        "eventType": event_type,
        "subscriberId": person.id,
        "organizationId": person.organization,
        "data": record.data,
        "createdAt": _iso(record.created_at),
    }
    return jsonify(success=True, event=event)


@api.get("/subscribers/<path:subscriber>/events")
def subscriber_events(subscriber: str) -> Response:
    sandbox = this_sandbox()
    person = _known(subscriber)
    take = request.args.get("take", "20")
    if not take.isdecimal() or not 1 <= int(take) <= 100:
        _refuse(400, "take must be between 1 and 100")
    order = request.args.get("order", "desc")
    if order not in ("asc", "desc"):
        _refuse(400, "order must be asc or desc")
    cursor = request.args.get("cursor")
    wanted = Slice(
        types=_types(request.args.get("eventTypes")),
        descending=order == "desc",
        start=_unix(request.args.get("startDate")),
        end=_unix(request.args.get("endDate")),
        search=request.args.get("search") or None,
        recorded_by=time.time() - sandbox.settings.read_lag,
        after=_read_cursor(cursor) if cursor else None,
        take=int(take) + 1,
    )
    found = sandbox.store.events_of(person, wanted)
    page, more = found[: int(take)], len(found) > int(take)
    return jsonify(events=[_event(record) for record in page], nextCursor=_cursor(page[-1]) if more else None)


@api.get("/subscribers/<path:subscriber>")
def subscriber(subscriber: str) -> Response:
    return jsonify(success=True, subscriber=_person(_known(subscriber)))


class _SubscriberSchema(Schema):
    email = fields.Email(required=True)
    name = fields.String(allow_none=True)
    phone = fields.String(allow_none=True)
    tags = fields.List(fields.Raw())
    fields_ = fields.Dict(data_key="fields")
    replaceTags = fields.Boolean(load_default=False)  # noqa: N815  # Lumail's name
    resubscribe = fields.Boolean(load_default=True)
    triggerWorkflows = fields.Boolean(load_default=True)  # noqa: N815  # Lumail's name
    status = fields.String(validate=validate.Length(min=1))


_SUBSCRIBER = _SubscriberSchema()


@api.post("/subscribers")
def upsert_subscriber() -> Response:
    store, settings = this_sandbox().store, this_sandbox().settings
    try:
        wanted: dict[str, Any] = _SUBSCRIBER.load(_json_object())
    except ValidationError as error:
        _refuse(400, f"Invalid data: {json.dumps(error.messages)}")
    known = store.person(g.organization, wanted["email"])
    limit = settings.subscriber_limit
    if known is None and limit is not None and store.count_people(g.organization) >= limit:
        _refuse(402, "Subscriber limit reached")
    person = store.update_person(_merged(known or store.add_person(g.organization, wanted["email"]), wanted))
    return jsonify(success=True, subscriber=_person(person) | {"revenue": float(person.revenue)})


def _merged(person: Person, wanted: Mapping[str, Any]) -> Person:
    tags = wanted.get("tags")
    if tags is not None and not wanted["replaceTags"]:
        tags = [*person.tags, *(tag for tag in tags if tag not in person.tags)]
    return replace(
        person,
        name=wanted.get("name") or person.name,
        phone=wanted.get("phone") or person.phone,
        status="SUBSCRIBED" if wanted["resubscribe"] else person.status,
        tags=tuple(person.tags if tags is None else tags),
        fields={**person.fields, **wanted.get("fields_", {})},
    )


def _organization(authorization: str, settings: SandboxSettings) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token or (settings.api_tokens and token not in settings.api_tokens):
        _refuse(401, "Unauthorized")
    return f"org_{hashlib.sha256(token.encode()).hexdigest()[:12]}"


def _subject(call: str) -> tuple[str | None, str | None]:
    """Event type and subscriber of a request, as far as it names them."""
    if call in ("track_event", "upsert_subscriber"):
        document = request.get_json(silent=True)
        document = document if isinstance(document, dict) else {}
        return document.get("eventType"), document.get("subscriber") or document.get("email")
    return None, (request.view_args or {}).get("subscriber")


def _subscriber_for_event(subscriber: object, settings: SandboxSettings) -> Person:
    if not isinstance(subscriber, str) or not subscriber.strip():
        _refuse(400, "subscriber is required")
    store = this_sandbox().store
    person = store.person(g.organization, subscriber)
    if person is not None:
        return person
    domain = subscriber.strip().lower().rpartition("@")[2]
    if not settings.auto_subscribers or "@" not in subscriber or domain in settings.unknown_domains:
        _refuse(400, "Subscriber not found")
    return store.add_person(g.organization, subscriber)


def _known(subscriber: str) -> Person:
    person = this_sandbox().store.person(g.organization, subscriber)
    if person is None:
        _refuse(404, "Subscriber not found")
    return person


def _event_type(word: object) -> EventType:
    if word not in WRITABLE_TYPES:
        _refuse(400, "Invalid eventType")
    return EventType(str(word))


def _json_object() -> dict[str, Any]:
    try:
        document = json.loads(request.get_data(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        _refuse(400, "Invalid JSON")
    if not isinstance(document, dict):
        _refuse(400, "Expected an object")
    return document


def _no_constant(word: str) -> NoReturn:
    raise ValueError(word)


def _types(text: str | None) -> list[str] | None:
    if text is None:
        return None
    try:
        types = json.loads(text)
    except ValueError:
        types = None
    if not isinstance(types, list) or not all(isinstance(each, str) for each in types):
        _refuse(400, "eventTypes must be a JSON array")
    return types or None


def _unix(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        _refuse(400, "dates must be ISO 8601")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _cursor(record: Record) -> str:
    return base64.urlsafe_b64encode(json.dumps([record.created_at, record.seq]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[float, int]:
    try:
        created_at, seq = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return float(created_at), int(seq)
    except (ValueError, TypeError):
        _refuse(400, "Invalid cursor")


def _event(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "eventType": record.type,
        "data": record.data,
        "subscriberId": record.person.id,
        "createdAt": _iso(record.created_at),
        "subscriber": {"id": record.person.id, "email": record.person.email, "name": record.person.name},
    }


def _person(person: Person) -> dict[str, Any]:
    names = ("id", "email", "name", "phone", "status", "tags", "fields")
    return {name: getattr(person, name) for name in names}


def _iso(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _show_limit(response: Response, place: Place, settings: SandboxSettings) -> None:
    response.headers["X-RateLimit-Limit"] = str(settings.requests_per_minute)
    response.headers["X-RateLimit-Remaining"] = str(max(0, place.remaining))
    response.headers["X-RateLimit-Reset"] = str(math.ceil(place.reset + settings.clock_offset))


def _too_many(seconds: float) -> Response:
    response = make_response(jsonify(_TOO_MANY), 429)
    response.headers["Retry-After"] = str(max(1, math.ceil(seconds)))
    return response


def _reply(fault: Fault) -> Response:
    """The answer that a fault's kind gives; where it has none the connection decides, or the true answer."""
    reply = KINDS[fault.kind].reply
    if reply is None:
        return make_response("", 500)
    response = make_response(reply.body, reply.status or fault.status)
    response.content_type = reply.content_type
    if response.status_code == 302:
        parts = urlsplit(request.url)
        response.headers["Location"] = f"{parts.scheme}://{parts.netloc}/elsewhere"
    if response.status_code == 429:
        response.headers["Retry-After"] = f"{fault.retry_after:g}"
    return response
