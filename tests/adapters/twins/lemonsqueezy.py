"""What config/adapters/lemonsqueezy.yaml says, with code. A test holds the two to the same events.

events:   https://docs.lemonsqueezy.com/help/webhooks/event-types
security: https://docs.lemonsqueezy.com/help/webhooks/signing-requests
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from gateway.errors import PayloadError
from gateway.events import EventType, LumailEvent, MemoryKey
from gateway.translation import json_body, moment, money, schemes
from gateway.translation.adapter import (
    Adapter,
    Context,
    Docs,
    Handlers,
    Memo,
    SourceEvent,
    Translation,
    ignored,
    taught,
    translated,
)
from gateway.translation.payload import Email, Part, PayloadSchema, Text, Whole
from gateway.translation.webhook import VerifiedWebhook

SCHEME = schemes.Hmac(header="X-Signature")

AN_ORDER, A_SUBSCRIPTION = "Lemon Squeezy order", "Lemon Squeezy subscription"
NOTHING_NEW = "nothing is paid, or nothing that is not told already"


def split(verified: VerifiedWebhook) -> Sequence[SourceEvent]:
    told = json_body.an_object(verified.json, "the body")
    meta = json_body.an_object(told.get("meta"), "meta")
    data = json_body.an_object(told.get("data"), "data")
    about = json_body.an_object(data.get("attributes"), "data.attributes")
    at = about.get("updated_at") or about.get("created_at")
    return [
        SourceEvent(
            id=None,
            type=str(meta.get("event_name")),
            occurred_at=moment.from_iso(at) if at else verified.webhook.received_at,
            payload=told,
            test=bool(meta.get("test_mode") or about.get("test_mode")),
        )
    ]


class ItemSchema(PayloadSchema):
    product = Text(data_key="product_name")


class PaidSchema(PayloadSchema):
    email = Email(required=True, data_key="user_email")
    status = Text(required=True)
    total = Whole(required=True)
    refunded = Whole(data_key="refunded_amount")
    currency = Text(required=True)
    item = Part(ItemSchema, data_key="first_order_item")
    billing_reason = Text()
    subscription = Text(data_key="subscription_id")


class SubscriptionSchema(PayloadSchema):
    product = Text(data_key="product_name")


def _of(attributes: type[PayloadSchema]) -> type[PayloadSchema]:
    class DataSchema(PayloadSchema):
        id = Text(required=True)
        about = Part(attributes, data_key="attributes")

    class BodySchema(PayloadSchema):
        data = Part(DataSchema)

    return BodySchema


handlers = Handlers()


@handlers.on("order_created", schema=_of(PaidSchema))
def paid(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    id_, about = told["data"]["id"], told["data"]["about"]
    if about["status"] != "paid" or about["total"] <= 0:
        return ignored(NOTHING_NEW)
    data = _data(about, about["total"], about["item"]["product"] or AN_ORDER)
    return translated(_event(EventType.SUBSCRIBER_PAYMENT, event, about, data, f"order:{id_}"))


@handlers.on("order_refunded", schema=_of(PaidSchema))
def refunded(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    product = told["data"]["about"]["item"]["product"] or AN_ORDER
    return _refund(told["data"], event, context, ("order", "refund", product))


@handlers.on("subscription_created", "subscription_updated", schema=_of(SubscriptionSchema))
def subscribed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    product = told["data"]["about"]["product"]
    if not product:
        return ignored("nothing to remember")
    return taught(Memo(MemoryKey("subscription", told["data"]["id"]), {"product": product}, event.occurred_at))


@handlers.on("subscription_payment_success", "subscription_payment_recovered", schema=_of(PaidSchema))
def renewed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    about = told["data"]["about"]
    if about["billing_reason"] is None:
        raise PayloadError("an invoice without a reason")
    if about["status"] != "paid" or about["billing_reason"] == "initial" or about["total"] <= 0:
        return ignored(NOTHING_NEW)
    data = _data(about, about["total"], _plan(about, context))
    return translated(_event(EventType.SUBSCRIBER_PAYMENT, event, about, data, f"invoice:{told['data']['id']}"))


@handlers.on("subscription_payment_refunded", schema=_of(PaidSchema))
def renewal_refunded(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    about = told["data"]["about"]
    if about["billing_reason"] == "initial":
        return ignored("initial: the order tells it")
    return _refund(told["data"], event, context, ("invoice", "invoice_refund", _plan(about, context)))


def _refund(data: Mapping[str, Any], event: SourceEvent, context: Context, words: tuple[str, str, str]) -> Translation:
    """What came to the running total since the last time."""
    kind, key, product = words
    about = data["about"]
    total = about["total"] if about["refunded"] is None else about["refunded"]
    memory = MemoryKey(kind, data["id"])
    known = context.memory.recall(memory) or {}
    new = total - known.get("refunded", 0)
    if new <= 0:
        return ignored(NOTHING_NEW)
    made = _event(EventType.SUBSCRIBER_REFUND, event, about, _data(about, new, product), f"{key}:{data['id']}:{total}")
    return translated(made, memos=[Memo(memory, {"refunded": total}, event.occurred_at)])


def _plan(about: Mapping[str, Any], context: Context) -> str:
    known = context.memory.recall(MemoryKey("subscription", about["subscription"] or "")) or {}
    return str(known.get("product") or A_SUBSCRIPTION)


def _data(about: Mapping[str, Any], minor: int, product: str) -> dict[str, str | Decimal]:
    currency = money.currency_code(about["currency"])
    return {"amount": money.major_units(minor, currency), "currency": currency, "product": product}


def _event(
    kind: EventType, event: SourceEvent, about: Mapping[str, Any], data: Mapping[str, Any], key: str
) -> LumailEvent:
    return LumailEvent(kind, about["email"], data, event.occurred_at, (key,))


LEFT_OUT = "told otherwise, or about no sale"

adapter = Adapter(
    name="lemonsqueezy",
    title="Lemon Squeezy",
    docs=Docs(
        events="https://docs.lemonsqueezy.com/help/webhooks/event-types",
        security="https://docs.lemonsqueezy.com/help/webhooks/signing-requests",
    ),
    scheme=lambda options: SCHEME,
    split=split,
    handlers=handlers,
    ignored={
        "affiliate_activated": LEFT_OUT,
        "customer_updated": LEFT_OUT,
        "dispute_created": LEFT_OUT,
        "dispute_resolved": LEFT_OUT,
        "license_key_created": LEFT_OUT,
        "license_key_updated": LEFT_OUT,
        "subscription_cancelled": LEFT_OUT,
        "subscription_expired": LEFT_OUT,
        "subscription_paused": LEFT_OUT,
        "subscription_payment_failed": LEFT_OUT,
        "subscription_plan_changed": LEFT_OUT,
        "subscription_resumed": LEFT_OUT,
        "subscription_unpaused": LEFT_OUT,
    },
)
