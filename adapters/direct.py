"""A business's own application, which tells events in Lumail's words itself, one or many at a time.

events:   https://lumail.io/docs/api-reference/events
security: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

The format is the gateway's own, so it is read strictly: a misspelt key is a fault of that item, not something to
leave out. docs/providers/direct.md is written for whoever sends.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from gateway.errors import PayloadError
from gateway.events import DATA_SCHEMAS, MONEY_TYPES, WRITABLE_TYPES, EventType, LumailEvent, encode_data
from gateway.translation import json_body, moment, money, schemes
from gateway.translation.adapter import (
    Adapter,
    Context,
    Docs,
    Handlers,
    SourceEvent,
    Translation,
    Unreadable,
    translated,
)
from gateway.translation.payload import Email, Text
from gateway.translation.webhook import VerifiedWebhook

SCHEME = schemes.StandardWebhooks()


def split(verified: VerifiedWebhook) -> Sequence[SourceEvent | Unreadable]:
    """A list of items, or one item alone. An item that tells no time happened when it was received."""
    told = verified.json
    items = told if isinstance(told, list) else [json_body.an_object(told, "the body (one event, or a list of events)")]
    return [_source_event(item, verified) for item in items]


def _source_event(item: object, verified: VerifiedWebhook) -> SourceEvent | Unreadable:
    if not isinstance(item, dict):
        return Unreadable("an item is not a JSON object")
    event_type = item.get("eventType")
    if not isinstance(event_type, str):
        return Unreadable("eventType: one of Lumail's types as text is needed")
    at = item.get("occurredAt")
    try:
        occurred_at = verified.webhook.received_at if at is None else moment.from_iso(at)
    except PayloadError as error:
        return Unreadable(f"occurredAt: {error}; 2026-11-03T09:00:00Z is one")
    id_ = item.get("id")
    return SourceEvent(id_ if isinstance(id_, str) else None, event_type, occurred_at, item)


def delivery_id(verified: VerifiedWebhook) -> str | None:
    """Standard Webhooks keeps the id of a message in its retries."""
    return SCHEME.message_id(verified.webhook)


class ItemSchema(Schema):
    """One event as an application posts it."""

    class Meta:
        unknown = RAISE

    id = Text(required=True)
    eventType = fields.String(required=True)  # noqa: N815 - the word that Lumail reads
    subscriber = Email(required=True)
    data = fields.Dict(keys=fields.String(), required=True)
    occurredAt = fields.Raw(allow_none=True)  # noqa: N815 - its neighbours are written so; read while splitting
    keys = fields.List(
        fields.String(validate=validate.Length(min=1)), load_default=list, validate=validate.Length(max=20)
    )


_ITEM = ItemSchema()

handlers = Handlers()


@handlers.on(*sorted(WRITABLE_TYPES))
def told(payload: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    item = _checked(payload)
    kind = EventType(event.type)
    return translated(
        LumailEvent(
            type=kind,
            subscriber=item["subscriber"],
            data=_data(kind, item["data"]),
            occurred_at=event.occurred_at,
            keys=_keys(kind, item["id"], item["keys"]),
        )
    )


def _checked(payload: Mapping[str, Any]) -> dict[str, Any]:
    try:
        item: dict[str, Any] = _ITEM.load(payload)
    except ValidationError as error:
        allowed = ", ".join(_ITEM.fields)
        raise PayloadError(f"the item does not fit: {error.messages} (allowed: {allowed})") from error
    return item


def _data(kind: EventType, data: dict[str, Any]) -> dict[str, Any]:
    """The data as it will be sent; an amount may be told as text, and becomes a number."""
    faults = DATA_SCHEMAS[kind].validate(data)
    if faults:
        raise PayloadError(f"data does not fit {kind}: {faults}")
    if kind in MONEY_TYPES:
        amount = money.amount(data["amount"])
        if amount <= 0:
            raise PayloadError("data.amount: more than 0 in major units; a refund is a SUBSCRIBER_REFUND")
        data = {**data, "amount": amount}
    try:
        encode_data(data)
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"data can't be sent: {error}") from error
    return data


def _keys(kind: EventType, id_: str, named: Sequence[str]) -> tuple[str, ...]:
    """The id names the fact, and so does each key; the type stands before them, so that a refund that is given the
    key of its sale is not taken for the sale.
    """
    return (f"{kind}:id:{id_}", *(f"{kind}:key:{name}" for name in named))


IGNORED = {
    "EMAIL_DELIVERY_DELAYED": "Lumail documents this type for reading only",
}


adapter = Adapter(
    name="direct",
    title="Your own application",
    docs=Docs(
        events="https://lumail.io/docs/api-reference/events",
        security="https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
    ),
    scheme=lambda options: SCHEME,
    split=split,
    handlers=handlers,
    ignored=IGNORED,
    delivery_id=delivery_id,
    answers_items=True,
)
