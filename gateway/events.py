"""What can be said to Lumail: event types, what each type's data holds, and how urgent each is.

The types and fields are those of Lumail's public documentation of *Track Event*
(https://lumail.io/docs/api-reference/events).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Any, Self

from marshmallow import INCLUDE, Schema, fields, validate

from gateway.formats.nesting import DEEPEST, is_too_deep


class EventType(StrEnum):
    """Lumail's event types."""

    SUBSCRIBED = "SUBSCRIBED"
    UNSUBSCRIBED = "UNSUBSCRIBED"
    TAG_ADDED = "TAG_ADDED"
    TAG_REMOVED = "TAG_REMOVED"
    EMAIL_OPENED = "EMAIL_OPENED"
    EMAIL_CLICKED = "EMAIL_CLICKED"
    EMAIL_SENT = "EMAIL_SENT"
    EMAIL_RECEIVED = "EMAIL_RECEIVED"
    WORKFLOW_STARTED = "WORKFLOW_STARTED"
    WORKFLOW_COMPLETED = "WORKFLOW_COMPLETED"
    WORKFLOW_CANCELED = "WORKFLOW_CANCELED"
    FIELD_UPDATED = "FIELD_UPDATED"
    EMAIL_BOUNCED = "EMAIL_BOUNCED"
    EMAIL_COMPLAINED = "EMAIL_COMPLAINED"
    WEBHOOK_EXECUTED = "WEBHOOK_EXECUTED"
    SUBSCRIBER_PAYMENT = "SUBSCRIBER_PAYMENT"
    SUBSCRIBER_REFUND = "SUBSCRIBER_REFUND"
    EMAIL_DELIVERY_DELAYED = "EMAIL_DELIVERY_DELAYED"


WRITABLE_TYPES = frozenset(EventType) - {EventType.EMAIL_DELIVERY_DELAYED}
"""The seventeen types that Lumail documents for writing; the eighteenth only for reading."""

MONEY_TYPES = frozenset({EventType.SUBSCRIBER_PAYMENT, EventType.SUBSCRIBER_REFUND})


MAIL_TYPES = frozenset(
    {EventType.SUBSCRIBED, EventType.UNSUBSCRIBED, *(one for one in EventType if one.startswith("EMAIL_"))}
)
"""What becomes of e-mail and of the consent to it."""


class Lane(IntEnum):
    """How urgent an event is; the smaller leaves first."""

    URGENT = 0
    REVENUE = 1
    STANDARD = 2
    BULK = 3

    @property
    def word(self) -> str:
        return self.name.lower()


_LANES = {
    EventType.EMAIL_COMPLAINED: Lane.URGENT,
    EventType.UNSUBSCRIBED: Lane.URGENT,
    EventType.SUBSCRIBED: Lane.URGENT,
    EventType.SUBSCRIBER_PAYMENT: Lane.REVENUE,
    EventType.SUBSCRIBER_REFUND: Lane.REVENUE,
    EventType.EMAIL_SENT: Lane.BULK,
    EventType.EMAIL_RECEIVED: Lane.BULK,
    EventType.EMAIL_OPENED: Lane.BULK,
    EventType.EMAIL_CLICKED: Lane.BULK,
}

DEFAULT_FORWARDED = frozenset(event_type for event_type in WRITABLE_TYPES if _LANES.get(event_type) is not Lane.BULK)
"""What a source forwards when its `forward` is left out: everything but bulk and EMAIL_DELIVERY_DELAYED."""


def lane_of(event_type: EventType, data: Mapping[str, Any]) -> Lane:
    """The lane of an event; a hard bounce is urgent, other bounces are standard."""
    if event_type is EventType.EMAIL_BOUNCED and data.get("bounceType") == "hard":
        return Lane.URGENT
    return _LANES.get(event_type, Lane.STANDARD)


def lanes_of(event_type: EventType) -> frozenset[Lane]:
    """The lanes in which events of this type may be."""
    return frozenset({lane_of(event_type, {}), lane_of(event_type, {"bounceType": "hard"})})


class MemoryKey(str):
    """Names one thing that earlier webhooks may have taught: (`customer`, `cus_9`), (`order`, `17`).

    It is a key like those of facts, ``<kind>:<id>``, and the gateway puts adapter and account before it.
    """

    __slots__ = ()

    def __new__(cls, kind: str, id: str) -> Self:  # noqa: A002 - as it is called everywhere
        return super().__new__(cls, f"{kind}:{id}")

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        """So that it can be copied."""
        kind, _, id = self.partition(":")  # noqa: A001 - as above
        return type(self), (kind, id)


@dataclass(frozen=True)
class Memo:
    """Something to remember: `values` are merged into what is known, unless that was taught at a later time.

    A value `email` releases events that wait for this key. `undated`: nobody told the time, so `at` is that of
    arrival, and whatever is known counts more.
    """

    key: str
    values: Mapping[str, Any]
    at: datetime
    undated: bool = False


Remembered = tuple[Mapping[str, Any], datetime]
"""The values under a key of memory, and when the newest of them was said."""


def learnt(remembered: Remembered | None, memo: Memo) -> Remembered:
    """What is known with a memo besides, in whatever order memos come: what was said later is not overwritten."""
    if remembered is None:
        return (dict(memo.values), memo.at)
    values, at = remembered
    if memo.at >= at and not memo.undated:
        return ({**values, **memo.values}, memo.at)
    return ({**memo.values, **values}, at)


@dataclass(frozen=True)
class Paid:
    """How much was paid for a sale, as one object of the provider says it: in all, and up to now.

    A sale may be told in several columns (its invoices, its intents): each column is the whole sale again, so the
    largest column is what was paid. `provider_object` names the object within its column; of two tellings of one object
    the larger amount counts.
    `presented` is the same money in the currency that the buyer saw: a refund may be told in that one.
    `link_wait` is how long to wait for an object that tells the same sale better before this one is believed.
    `elsewhere`: another object makes this sale. Then this part never counts. `named` says besides that the keys name
    that object: the sale is missed, and shown, as long as it does not tell.
    An amount of nothing says that the sale is known, and that nothing of it counts: what goes back of it doesn't, too.
    `deposit`: it counts only once the sale is told without this word, as paid.
    `tolerance`: this amount was reckoned, and is larger than a known one only where it is larger by more than this.
    """

    column: str
    provider_object: str
    amount: Decimal
    currency: str
    presented: tuple[Decimal, str] | None = None
    link_wait: timedelta | None = None
    elsewhere: bool = False
    named: bool = False
    tolerance: Decimal = Decimal(0)
    deposit: bool = False


_LARGEST_EXPONENT = 308
"""Of a number in an event's data: what a double can hold."""

LINK_WAIT = timedelta(days=3)
"""How long a refund waits for its sale to be told: as long as providers try again to deliver a webhook."""


class RefundState(StrEnum):
    """How far a single refund has come. Failed is final. A chargeback that is lost has succeeded, one that is won
    has failed.
    """

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class Refund:
    """A single refund, as the provider tells it at `reported_at`.

    `balance` names the money that it takes from (a charge, an order): refunds of one book add up. Refunds of one
    `provider_object` are one event as long as that waits. `paid` is what there was to give back, None where that is not
    told. `alone`: it may leave though nobody told its sale, when that has not come for `link_wait`. Where the sale is
    known and never counted, it is dropped after as long. `returns`: a refund that fails after Lumail heard of it makes
    a payment of the same amount; otherwise that is only shown.
    """

    balance: str
    provider_object: str
    id: str
    amount: Decimal
    currency: str
    state: RefundState
    created_at: datetime
    reported_at: datetime
    paid: Decimal | None = None
    alone: bool = False
    returns: bool = False
    link_wait: timedelta = LINK_WAIT


@dataclass(frozen=True)
class RefundTotal:
    """All that went back from one book up to `reported_at`, refunds that are pending included. Fields as in
    `Refund`.
    """

    balance: str
    provider_object: str
    amount: Decimal
    currency: str
    reported_at: datetime
    paid: Decimal | None = None
    alone: bool = True
    returns: bool = False
    link_wait: timedelta = LINK_WAIT


@dataclass(frozen=True)
class Chargeback:
    """Money that a bank takes back from a book, as the provider tells it at `reported_at`. Fields as in `Refund`.

    It is counted beside the refunds, whose running total does not hold it. A chargeback that is won stays so. Where
    the provider tells that it gives the money back under another id, that is a chargeback of less than nothing.
    """

    balance: str
    provider_object: str
    id: str
    amount: Decimal
    currency: str
    state: RefundState
    reported_at: datetime
    alone: bool = False
    returns: bool = False
    link_wait: timedelta = LINK_WAIT


Sum = Paid | Refund | RefundTotal | Chargeback
"""What a telling adds to the sums of a sale; what is emitted is what is true by all of them less what was emitted."""


@dataclass(frozen=True)
class LumailEvent:
    """One happening in Lumail's words, as an adapter makes it.

    `subscriber` is a trimmed lower-case e-mail, or None when only memory can tell it: then `waits_for`
    names the memory whose `email` releases the event.
    `keys` name the fact, each ``<kind>:<id>``; the gateway puts adapter and account before them. At least one.
    `data` holds the type's own fields; amounts are Decimal in major units.
    `occurred_at` is timezone-aware. `undated`: nobody told it, it is the time of arrival.
    `detail_rank` ranks tellings of one fact: of two that nobody has sent yet, the richer data is kept.
    `sum` is for money of which one sale has several tellings. Then `keys` name the sale, whether this is a payment or
    a refund; `data` is as if this were all that is told, and the gateway puts the amount that is still to be told.
    `named_by` names the memory whose `name`, taught before the event leaves, is a better name of the product.

    What follows is the gateway's, which an adapter leaves alone: how long it waits for a richer telling (`settle`),
    when it is worth nothing any more, and a key that it shares with the events beside which it counts `once` (it joins
    a fact that is not known by its own keys, and never makes one fact of two). `makes` False: it only teaches what is
    true, and makes no event. `currencies` is the destination's own, and what becomes of money in another: hold or drop.
    """

    type: EventType
    subscriber: str | None
    data: Mapping[str, Any]
    occurred_at: datetime
    keys: tuple[str, ...]
    waits_for: str | None = None
    detail_rank: int = 0
    sum: Sum | None = None
    named_by: str | None = None
    undated: bool = False
    settle: timedelta = timedelta(0)
    expires_at: datetime | None = None
    once: str | None = None
    makes: bool = True
    currencies: tuple[str, str] | None = None

    @property
    def lane(self) -> Lane:
        return lane_of(self.type, self.data)

    @cached_property
    def encoded(self) -> str:
        """The data as it is stored and sent; raises ValueError where JSON can't carry an amount."""
        return encode_data(self.data)


class DataSchema(Schema):
    """The data of one event type; fields that Lumail does not list are let through."""

    class Meta:
        unknown = INCLUDE


def _text(*, required: bool = True) -> fields.String:
    return fields.String(required=required, allow_none=False)


def _schema(name: str, **members: fields.Field[Any]) -> DataSchema:
    return DataSchema.from_dict(dict(members), name=name)()  # type: ignore[return-value]  # from_dict is typed as Schema


_MONEY = _schema(
    "Money",
    amount=fields.Decimal(required=True, allow_nan=False),
    product=fields.String(required=True, validate=validate.Length(min=1, max=200)),
)
_MAIL = {"emailId": _text(), "subject": _text()}
_TAG = _schema("Tag", tagId=_text(), tagName=_text(), reason=_text(required=False))
_WORKFLOW = {"workflowId": _text(), "workflowName": _text()}

DATA_SCHEMAS: Mapping[EventType, Schema] = {
    EventType.SUBSCRIBER_PAYMENT: _MONEY,
    EventType.SUBSCRIBER_REFUND: _MONEY,
    EventType.EMAIL_SENT: _schema("Sent", **_MAIL, campaignId=_text(), workflow=_text(required=False)),
    EventType.EMAIL_RECEIVED: _schema("Received", **_MAIL, campaignId=_text(), receivedAt=_text(required=False)),
    EventType.EMAIL_OPENED: _schema("Opened", **_MAIL, campaignId=_text(required=False)),
    EventType.EMAIL_CLICKED: _schema(
        "Clicked", **_MAIL, campaignId=_text(required=False), targetUrl=_text(), linkId=_text(required=False)
    ),
    EventType.EMAIL_BOUNCED: _schema(
        "Bounced",
        **_MAIL,
        campaignId=_text(required=False),
        reason=_text(),
        bounceType=fields.String(required=True, validate=validate.OneOf(["hard", "soft", "undetermined"])),
    ),
    EventType.EMAIL_COMPLAINED: _schema("Complained", **_MAIL, campaignId=_text(required=False)),
    EventType.EMAIL_DELIVERY_DELAYED: _schema(
        "Delayed", **_MAIL, campaignId=_text(required=False), workflow=_text(required=False)
    ),
    EventType.SUBSCRIBED: _schema("Subscribed", tags=fields.List(fields.Dict(), required=False)),
    EventType.UNSUBSCRIBED: _schema(
        "Unsubscribed",
        **{name: _text(required=False) for name in ("reason", "campaignId", "campaignName", "status")},
    ),
    EventType.TAG_ADDED: _TAG,
    EventType.TAG_REMOVED: _TAG,
    EventType.WORKFLOW_STARTED: _schema("Started", **_WORKFLOW),
    EventType.WORKFLOW_COMPLETED: _schema("Completed", **_WORKFLOW),
    EventType.WORKFLOW_CANCELED: _schema("Canceled", **_WORKFLOW, reason=_text(required=False)),
    EventType.WEBHOOK_EXECUTED: _schema(
        "Executed",
        **_WORKFLOW,
        stepId=_text(),
        webhookUrl=_text(),
        status=fields.Raw(required=True),
        success=fields.Boolean(required=True),
        errorMessage=_text(required=False),
    ),
    EventType.FIELD_UPDATED: _schema(
        "FieldUpdated",
        fieldId=_text(),
        fieldName=_text(),
        oldValue=fields.Raw(required=False, allow_none=True),
        newValue=fields.Raw(required=True, allow_none=True),
    ),
}


DATA_FIELDS: Mapping[EventType, frozenset[str]] = {
    event_type: frozenset(schema.fields) for event_type, schema in DATA_SCHEMAS.items()
}
"""The fields that Lumail documents for each type; whether it keeps others is its own affair."""


def faults_of(event: LumailEvent) -> dict[str, Any]:
    """What is wrong with an event before it may enter the ledger; empty when nothing is."""
    faults: dict[str, Any] = dict(DATA_SCHEMAS[event.type].validate(event.data))
    if not event.keys or not all(event.keys):
        faults["keys"] = ["an event names its fact by at least one key"]
    if event.subscriber is None and event.waits_for is None:
        faults["subscriber"] = ["no subscriber, and nothing that could teach one"]
    if event.subscriber is not None and "@" not in event.subscriber:
        faults["subscriber"] = ["not an e-mail address"]
    if event.occurred_at.tzinfo is None:
        faults["occurred_at"] = ["a time without a time zone"]
    return faults


def encode_data(data: Mapping[str, Any]) -> str:
    """JSON as it is stored and sent: Decimals become numbers, exactly, or ValueError is raised."""
    return encode_json(data)


def encode_json(value: Any) -> str:
    """Compact JSON that any database and any connection can carry: readable text, half surrogates escaped.

    Raises ValueError for what JSON can't say, and for what is nested so deeply that others could not read it.
    """
    if is_too_deep(value):
        raise ValueError(f"it is nested more than {DEEPEST} deep")
    encoded = _ENCODER.encode(value)
    try:
        encoded.encode()
    except UnicodeEncodeError:
        return json.dumps(value, default=_number, separators=(",", ":"), allow_nan=False)
    return encoded


def decode_data(text: str) -> dict[str, Any]:
    """The inverse of `encode_data`; fractional numbers come back as Decimal. Raises ValueError."""
    try:
        data: dict[str, Any] = json.loads(text, parse_float=Decimal)
    except RecursionError as error:  # written by a person: what was encoded is not so deep
        raise ValueError("it is nested too deeply") from error
    return data


def _number(value: object) -> int | float:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} can't stand in an event's data")
    if not value.is_finite() or abs(value.adjusted()) > _LARGEST_EXPONENT:
        raise ValueError("a number out of all proportion")  # to write out 1e999999999 never ends
    if value == value.to_integral_value():
        return int(value)
    number = float(value)
    if Decimal(repr(number)) != value:
        raise ValueError(f"amount {value} has more digits than JSON's numbers can carry")
    return number


_ENCODER = json.JSONEncoder(default=_number, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
"""One for all: making it takes longer than a small value."""
