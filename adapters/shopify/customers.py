"""What a shop tells of a customer: whose address it is, what he agreed to, his tags, and what the law demands."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from adapters.shopify import known, payloads
from gateway.errors import PayloadError
from gateway.events import EventType, LumailEvent, MemoryKey
from gateway.translation import moment, person
from gateway.translation.adapter import (
    Context,
    Handlers,
    Memo,
    SourceEvent,
    Translation,
    erased,
    ignored,
    requested,
    taught,
    translated,
)

handlers = Handlers()


@handlers.on("customers/create", "customers/update", schema=payloads.CustomerSchema)
def customer_told(customer: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """Teaches only: that somebody is a customer is no consent."""
    if not customer["email"]:
        return ignored("a customer without an e-mail address")
    at = known.time(customer["updated_at"], event.occurred_at)
    return taught(*_addresses(customer["id"], customer["email"], at, context))


@handlers.on("customers/delete", schema=payloads.CustomerSchema)
def customer_deleted(customer: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return taught(Memo(MemoryKey("customer", customer["id"]), {"email": None, "into": None}, event.occurred_at))


# https://shopify.dev/docs/api/admin-graphql/latest/enums/CustomerMergeRequestStatus
_UNFINISHED = {
    "requested": "a merge that is asked for",
    "in_progress": "a merge that is under way",
    "failed": "a merge that failed",
}


@handlers.on("customers/merge", schema=payloads.MergeSchema)
def customers_merged(merge: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """What waits for the one who is gone is released by the one who is left, and the other way round."""
    status = merge["status"].lower()
    if status in _UNFINISHED:
        return ignored(_UNFINISHED[status])
    if status != "completed":
        raise PayloadError(f"unknown status {status[:40]!r} of a merge")
    kept, gone = known.customer_id(merge["kept"]), known.customer_id(merge["deleted"])
    left = known.recalled(context.memory, "customer", kept)
    email = known.customer_email(context.memory, kept)
    fallback = known.customer_email(context.memory, gone)
    at = event.occurred_at
    absorbed = sorted({*left.get("absorbed", []), gone})
    values = {"absorbed": absorbed} | ({"email": fallback} if fallback and not email else {})
    address = email or fallback
    return taught(
        Memo(MemoryKey("customer", kept), values, at),
        Memo(MemoryKey("customer", gone), {"into": kept, "email": address} if address else {"into": kept}, at),
    )


# States of a consent that say what somebody wants; the others are of no consequence for a mailing list.
# https://shopify.dev/docs/api/admin-graphql/latest/enums/CustomerEmailMarketingState
_CONSENTS: Mapping[str, tuple[EventType, Mapping[str, str]]] = {
    "subscribed": (EventType.SUBSCRIBED, {}),
    "unsubscribed": (EventType.UNSUBSCRIBED, {"reason": "no longer agrees to e-mail marketing, at Shopify"}),
}
_NO_CONSENTS = ("pending", "not_subscribed")
_NOBODY_TO_MAIL = ("redacted", "invalid")


@handlers.on("customers_email_marketing_consent/update", schema=payloads.ConsentSchema)
def consent_told(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """Only what is newer than the last consent of this customer counts: retries bring old ones for hours."""
    customer, consent = told["customer_id"], told["email_marketing_consent"]
    state = consent["state"].lower()
    if state not in (*_CONSENTS, *_NO_CONSENTS, *_NOBODY_TO_MAIL):
        raise PayloadError(f"unknown state {state[:40]!r} of a consent")
    at = known.time(consent["consent_updated_at"], event.occurred_at)
    stamp = [moment.to_iso(at), moment.to_iso(event.occurred_at)]
    last = known.recalled(context.memory, "consent", customer).get("stamp")
    if last is not None and _moments(stamp) < _moments(last):
        return ignored("an older consent than the last one of this customer")
    memos = [Memo(MemoryKey("consent", customer), {"stamp": stamp}, at)]
    if told["email_address"] and state not in _NOBODY_TO_MAIL:
        memos += _addresses(customer, told["email_address"], at, context)
    if state not in _CONSENTS:
        return taught(*memos)
    kind, data = _CONSENTS[state]
    key = f"consent:{customer}:{int(at.timestamp())}:{state}"
    return translated(_of_customer(kind, customer, data, at, key, context, told["email_address"]), memos=memos)


@handlers.on("customer.tags_added", schema=payloads.TagsSchema)
def tags_added(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return _tags(EventType.TAG_ADDED, told, event, context)


@handlers.on("customer.tags_removed", schema=payloads.TagsSchema)
def tags_removed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return _tags(EventType.TAG_REMOVED, told, event, context)


@handlers.on("customers/redact", schema=payloads.RedactedCustomerSchema)
def customer_redacted(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    people, memories, keys = _everything_of(told, context)
    return erased(addresses=people, memories=memories, keys=keys)


@handlers.on("customers/data_request", schema=payloads.DataRequestSchema)
def data_requested(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    people, memories, keys = _everything_of(told, context)
    return requested(addresses=people, memories=memories, keys=keys, reference=told["data_request"]["id"])


@handlers.on("shop/redact", schema=payloads.ShopSchema)
def shop_redacted(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return erased(whole_account=True, reference=told["shop_domain"])


def _addresses(customer: str, email: str, at: datetime, context: Context) -> Sequence[Memo]:
    """Whose the address is: the customer's, and that of those who were merged into him."""
    absorbed = known.recalled(context.memory, "customer", customer).get("absorbed", [])
    return [Memo(MemoryKey("customer", one), {"email": email}, at) for one in (customer, *absorbed)]


def _tags(kind: EventType, told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    customer = known.customer_id(told["customer"])
    at = known.time(told["occurred_at"], event.occurred_at)
    tags = list(dict.fromkeys(told["tags"]))
    if not tags:
        return ignored("no tag is named")
    named = [(tag, f"{kind.lower()}:{customer}:{moment.to_iso(at)}:{tag}") for tag in tags]
    return translated(
        *(_of_customer(kind, customer, {"tagId": tag, "tagName": tag}, at, key, context) for tag, key in named)
    )


def _of_customer(
    kind: EventType,
    customer: str,
    data: Mapping[str, str],
    at: datetime,
    key: str,
    context: Context,
    email: str | None = None,
) -> LumailEvent:
    subscriber = email or known.customer_email(context.memory, customer)
    return LumailEvent(
        type=kind,
        subscriber=subscriber,
        data=data,
        occurred_at=at,
        keys=(key,),
        waits_for=None if subscriber else MemoryKey("customer", customer),
    )


def _everything_of(
    told: Mapping[str, Any], context: Context
) -> tuple[Sequence[str], Sequence[MemoryKey], Sequence[str]]:
    """Addresses, memories and facts by which somebody is known; of what is remembered of him, too."""
    customer, orders = told["customer"], told["orders"] or ()
    addresses = [
        person.email(customer["email"]),
        known.customer_email(context.memory, customer["id"]),
        *(known.recalled(context.memory, "order", order).get("email") for order in orders),
    ]
    merged = known.recalled(context.memory, "customer", customer["id"]).get("absorbed", [])
    ids = [customer["id"], *merged] if customer["id"] else []
    memories = [MemoryKey(kind, one) for one in ids for kind in ("customer", "consent")]
    memories += [MemoryKey("order", order) for order in orders]
    return list(dict.fromkeys(filter(None, addresses))), memories, [f"order:{order}" for order in orders]


def _moments(stamp: Sequence[str]) -> tuple[datetime, ...]:
    return tuple(moment.from_iso(text) for text in stamp)
