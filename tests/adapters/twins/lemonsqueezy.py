"""What config/adapters/lemonsqueezy.yaml says, with code. A test holds the two to the same events.

events:   https://docs.lemonsqueezy.com/help/webhooks/event-types
security: https://docs.lemonsqueezy.com/help/webhooks/signing-requests
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from gateway.errors import PayloadError
from gateway.events import EventType, LumailEvent, MemoryKey, Paid, RefundTotal
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
from gateway.translation.sale_options import RefundOptions
from gateway.translation.webhook import VerifiedWebhook

SCHEME = schemes.Hmac(header="X-Signature")

A_PAYMENT, A_SUBSCRIPTION = "Lemon Squeezy payment", "Lemon Squeezy subscription"
COUNTED = ("paid", "refunded", "partial_refund")


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
    order = Whole(data_key="order_id")
    product = Text(data_key="product_name")


def _of(attributes: type[PayloadSchema]) -> type[PayloadSchema]:
    class DataSchema(PayloadSchema):
        id = Text(required=True)
        about = Part(attributes, data_key="attributes")

    class BodySchema(PayloadSchema):
        data = Part(DataSchema)

    return BodySchema


handlers = Handlers()


@handlers.on("order_created", "order_refunded", schema=_of(PaidSchema))
def ordered(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    id_, about = told["data"]["id"], told["data"]["about"]
    key, product = f"order:{id_}", about["item"]["product"]
    return _all_of(about, event, context, key, product, event.type == "order_refunded")


@handlers.on("subscription_created", "subscription_updated", schema=_of(SubscriptionSchema))
def subscribed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    about = told["data"]["about"]
    values = {"order": about["order"], "product": about["product"]}
    known = {name: value for name, value in values.items() if value}
    if not known:
        return ignored("nothing to remember")
    return taught(Memo(MemoryKey("subscription", told["data"]["id"]), known, event.occurred_at))


@handlers.on(
    "subscription_payment_success",
    "subscription_payment_recovered",
    "subscription_payment_refunded",
    schema=_of(PaidSchema),
)
def invoiced(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    about, refunded = told["data"]["about"], event.type == "subscription_payment_refunded"
    if about["billing_reason"] is None:
        raise PayloadError("an invoice without a reason")
    known = context.memory.recall(MemoryKey("subscription", about["subscription"] or "")) or {}
    if about["billing_reason"] != "initial":
        product = known.get("product") or A_SUBSCRIPTION
        return _all_of(about, event, context, f"invoice:{told['data']['id']}", product, refunded)
    if not refunded or not known.get("order"):
        return ignored("initial: the order tells it")
    key = f"order:{known['order']}"
    back = _back(about, event, context, key, refunded=True)
    if back is None:
        return ignored("a refund of nothing")
    data = {"amount": back.amount, "currency": back.currency, "product": A_PAYMENT}
    waits_for = MemoryKey("subscription", about["subscription"])
    return translated(_event(back, None, data, event, key, 0, waits_for))


def _all_of(
    about: Mapping[str, Any], event: SourceEvent, context: Context, key: str, product: str | None, refunded: bool
) -> Translation:
    """What an order or an invoice says: how much was paid, and how much went back up to now."""
    amount = _amount(about, about["total"] if about["status"] in COUNTED else 0)
    paid = Paid(key.partition(":")[0], key, amount, money.currency_code(about["currency"]))
    back = _back(about, event, context, key, refunded=refunded)
    made = [
        _event(
            said,
            about["email"],
            {"amount": said.amount, "currency": said.currency, "product": product or A_PAYMENT},
            event,
            key,
            1 if product else 0,
        )
        for said in (paid, back)
        if said is not None
    ]
    if amount > 0:
        return Translation(tuple(made))
    return Translation(tuple(made[1:]), tuple(made[:1]))


def _back(
    about: Mapping[str, Any], event: SourceEvent, context: Context, key: str, *, refunded: bool
) -> RefundTotal | None:
    minor = about["total"] if refunded and about["refunded"] is None else about["refunded"]
    if not minor:
        return None
    amount, currency = _amount(about, minor), money.currency_code(about["currency"])
    alone = context.options["unknown_sale_refunds"] == "send"
    returns, wait = context.options["failed_refund"] == "payment", context.options["link_wait"]
    return RefundTotal(key, key, amount, currency, event.occurred_at, alone=alone, returns=returns, link_wait=wait)


def _amount(about: Mapping[str, Any], minor: int) -> Decimal:
    return money.major_units(minor, about["currency"])


def _event(
    said: Paid | RefundTotal,
    email: str | None,
    data: Mapping[str, Any],
    event: SourceEvent,
    key: str,
    detail_rank: int,
    waits_for: MemoryKey | None = None,
) -> LumailEvent:
    kind = EventType.SUBSCRIBER_PAYMENT if isinstance(said, Paid) else EventType.SUBSCRIBER_REFUND
    at = event.occurred_at
    return LumailEvent(kind, email, data, at, (key,), waits_for, detail_rank=detail_rank, sum=said)


LEFT_OUT = "told otherwise, or about no sale"

adapter = Adapter(
    name="lemonsqueezy",
    title="Lemon Squeezy",
    docs=Docs(
        events="https://docs.lemonsqueezy.com/help/webhooks/event-types",
        security="https://docs.lemonsqueezy.com/help/webhooks/signing-requests",
    ),
    scheme=lambda options: SCHEME,
    options=RefundOptions,
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
