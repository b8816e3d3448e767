"""Lumail's API as its documentation has it (https://lumail.io/docs/api-reference): `/api/v1` of the sandbox."""

import base64
import json
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NoReturn

from flask import Blueprint, Response, g, jsonify, request
from marshmallow import Schema, ValidationError, fields

from gateway.events import DATA_SCHEMAS, MONEY_TYPES, WRITABLE_TYPES, EventType
from gateway.lumail.sandbox.middleware import admit, conclude, refuse
from gateway.lumail.sandbox.settings import SandboxSettings
from gateway.lumail.sandbox.state import this_sandbox
from gateway.lumail.sandbox.store import NewRecord, Person, Record, Slice

api = Blueprint("api", __name__, url_prefix="/api/v1")
api.before_request(admit)
api.after_request(conclude)


@api.post("/events")
def track_event() -> Response:
    sandbox = this_sandbox()
    document = _json_object()
    event_type, data = _event_type(document.get("eventType")), document.get("data")
    if not isinstance(data, dict):
        refuse(400, "data is required")
    faults = DATA_SCHEMAS[event_type].validate(data)
    amount = data.get("amount")
    if faults or (event_type in MONEY_TYPES and not isinstance(amount, int | float)):
        refuse(400, f"Invalid data: {json.dumps(faults or {'amount': ['Not a number.']})}")
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
    if not re.fullmatch("[1-9][0-9]?|100", take):
        refuse(400, "take must be between 1 and 100")
    order = request.args.get("order", "desc")
    if order not in ("asc", "desc"):
        refuse(400, "order must be asc or desc")
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


_SUBSCRIBER = _SubscriberSchema()


@api.post("/subscribers")
def upsert_subscriber() -> Response:
    store, settings = this_sandbox().store, this_sandbox().settings
    try:
        wanted: dict[str, Any] = _SUBSCRIBER.load(_json_object())
    except ValidationError as error:
        refuse(400, f"Invalid data: {json.dumps(error.messages)}")
    known = store.person(g.organization, wanted["email"])
    limit = settings.subscriber_limit
    if known is None and limit is not None and store.count_subscribers(g.organization) >= limit:
        refuse(402, "Subscriber limit reached")
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


def _subscriber_for_event(subscriber: object, settings: SandboxSettings) -> Person:
    if not isinstance(subscriber, str) or not subscriber.strip():
        refuse(400, "subscriber is required")
    store = this_sandbox().store
    person = store.person(g.organization, subscriber)
    if person is not None:
        return person
    domain = subscriber.strip().lower().rpartition("@")[2]
    if not settings.auto_subscribers or "@" not in subscriber or domain in settings.unknown_domains:
        refuse(400, "Subscriber not found")
    return store.add_person(g.organization, subscriber)


def _known(subscriber: str) -> Person:
    person = this_sandbox().store.person(g.organization, subscriber)
    if person is None:
        refuse(404, "Subscriber not found")
    return person


def _event_type(word: object) -> EventType:
    if not isinstance(word, str) or word not in WRITABLE_TYPES:
        refuse(400, "Invalid eventType")
    return EventType(word)


def _json_object() -> dict[str, Any]:
    try:
        document = json.loads(request.get_data(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        refuse(400, "Invalid JSON")
    if not isinstance(document, dict):
        refuse(400, "Expected an object")
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
        refuse(400, "eventTypes must be a JSON array")
    return types or None


def _unix(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        refuse(400, "dates must be ISO 8601")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _cursor(record: Record) -> str:
    return base64.urlsafe_b64encode(json.dumps([record.created_at, record.seq]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[float, int]:
    try:
        created_at, seq = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return float(created_at), int(seq)
    except (ValueError, TypeError):
        refuse(400, "Invalid cursor")


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
