"""The contract between the gateway and an adapter: pure functions from a provider's words to Lumail's.

An adapter is data: how requests are signed (`scheme`), how one splits into source events (`split`), one handler
a source event type, and the types that are ignored on purpose. It has no effects; what it needs besides the source
event stands in `Context`, and what earlier webhooks taught is asked of `Context.memory`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, Protocol

from marshmallow import Schema

from gateway.errors import AdapterError, PayloadError, TranslationFailedError
from gateway.events import (
    LumailEvent,
    MemoryKey,
    faults_of,
)
from gateway.events import (
    Memo as Memo,  # what a handler returns stands here together
)
from gateway.privacy import Duty, PrivacyRequest, Subject
from gateway.translation import payload
from gateway.translation.fitting import fitted
from gateway.translation.signature import Scheme
from gateway.translation.webhook import VerifiedWebhook, Webhook


class TimedBy(Enum):
    """Who says when it happened: the item itself; its envelope (the time of the signature); nobody but the clock, where
    the provider tells times usually, or never.
    """

    ITEM = "item"
    ENVELOPE = "envelope"
    ARRIVAL = "arrival"
    NOTHING = "nothing"


@dataclass(frozen=True)
class SourceEvent:
    """One happening in the provider's words.

    `id` is the provider's name for the happening, where it gives one.
    `account` is the provider's account that it belongs to, where one endpoint serves several.
    `test` marks what the provider calls a test; it is delivered only where the source says so and teaches nothing.
    `test_is_signed`: the signed body says so, where the adapter's `claims` name what headers say of it.
    """

    id: str | None
    type: str
    occurred_at: datetime
    payload: Mapping[str, Any]
    account: str | None = None
    test: bool = False
    timed_by: TimedBy = TimedBy.ITEM
    test_is_signed: bool = False

    @property
    def reported_at(self) -> datetime | None:
        """When it happened, as it says itself: the only time that may belong to a key, since a retry tells it too."""
        return self.occurred_at if self.timed_by is TimedBy.ITEM else None


@dataclass(frozen=True)
class Unreadable:
    """An item of a webhook that can't even be split off; it is quarantined alone."""

    reason: str


class Memory(Protocol):
    """What earlier webhooks of the same adapter, account and destination taught."""

    def recall(self, key: MemoryKey) -> Mapping[str, Any] | None:
        """The values last remembered under `key`, or None."""


@dataclass(frozen=True)
class Context:
    """What a handler may know besides the source event.

    `source` is the source's name; `options` are the adapter's own options of this source, defaults filled in.
    """

    source: str
    received_at: datetime
    memory: Memory
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Translation:
    """What a source event became. Exactly one of three: events and lessons, lessons only, or ignored with a reason.

    `sums` are events, each with a `sum`, that are not to be made by this telling: they only teach what is true.
    A `demand` stands alone.
    """

    events: tuple[LumailEvent, ...] = ()
    sums: tuple[LumailEvent, ...] = ()
    memos: tuple[Memo, ...] = ()
    links: tuple[tuple[str, ...], ...] = ()
    ignored: str | None = None
    demand: PrivacyRequest | None = None


def translated(*events: LumailEvent, memos: Sequence[Memo] = (), links: Sequence[tuple[str, ...]] = ()) -> Translation:
    """The source event makes `events`, and may teach as well."""
    return Translation(events, memos=tuple(memos), links=tuple(links))


def taught(*memos: Memo, links: Sequence[tuple[str, ...]] = (), sums: Sequence[LumailEvent] = ()) -> Translation:
    """The source event makes nothing; it only teaches: values, that several keys name one fact (`links`), or what is
    true of a sale's money (`sums`).
    """
    return Translation(memos=memos, links=tuple(links), sums=tuple(sums))


def ignored(reason: str) -> Translation:
    """Left out on purpose; the reason is shown to operators."""
    return Translation(ignored=reason)


def erased(
    *,
    addresses: Sequence[str] = (),
    memories: Sequence[MemoryKey] = (),
    keys: Sequence[str] = (),
    whole_account: bool = False,
    reference: str | None = None,
) -> Translation:
    """The person (or all of the account) is to be erased from the ledger, as far as it is known by now.

    What is told of these facts later, or is older than the demand, is left out without a word.
    """
    subject = Subject(tuple(addresses), tuple(memories), tuple(keys), whole_account)
    return Translation(demand=PrivacyRequest(Duty.ERASE, subject, reference))


def requested(
    *,
    addresses: Sequence[str] = (),
    memories: Sequence[MemoryKey] = (),
    keys: Sequence[str] = (),
    reference: str | None = None,
) -> Translation:
    """Somebody asks for a copy of what is held on the person; it is shown to the operator until that is exported."""
    subject = Subject(tuple(addresses), tuple(memories), tuple(keys))
    return Translation(demand=PrivacyRequest(Duty.COPY, subject, reference))


Handler = Callable[[SourceEvent, Context], Translation]
"""What `translate` calls; it raises PayloadError for a payload that it does not understand."""

PayloadHandler = Callable[[Any, SourceEvent, Context], Translation]
"""What an adapter writes: the loaded payload comes first, so that a schema stands beside each handler."""


class Handlers(dict[str, Handler]):
    """A provider's table of handlers, by source event type.

    ``@handlers.on("charge.refunded", schema=ChargeSchema)`` registers one for one or more types. With a schema the
    handler gets what the schema loads from the payload, and a payload that does not fit is not understood; without
    one it gets the payload as it is.
    """

    def on(self, *types: str, schema: type[Schema] | None = None) -> Callable[[PayloadHandler], PayloadHandler]:
        loader = schema() if schema is not None else None

        def register(handler: PayloadHandler) -> PayloadHandler:
            def loaded(event: SourceEvent, context: Context) -> Translation:
                told = event.payload if loader is None else payload.load(loader, event.payload)
                return handler(told, event, context)

            for event_type in types:
                if event_type in self:
                    raise AdapterError(f"two handlers for {event_type}")
                self[event_type] = loaded
            return handler

        return register


@dataclass(frozen=True)
class Step:
    """One step of a translation as it is explained: what was looked at, and what it gave (a PayloadError where it
    failed). `of` is the expression.
    """

    what: str
    gave: Any
    of: str | None = None


class Claim(StrEnum):
    """What of a source event a provider may say outside its signature: whoever captured one request may say another."""

    ACCOUNT = "account"
    TYPE = "type"
    OCCURRED_AT = "occurred_at"
    TEST = "test"


@dataclass(frozen=True)
class BodyMarks:
    """By what the signed body shows of which type it is: fields that it `has`, and those of other types' that it
    `lacks`.
    """

    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    def fault(self, body: Mapping[str, Any]) -> str | None:
        """What speaks against a body, or None."""
        missing = [name for name in self.has if name not in body]
        foreign = [name for name in self.lacks if name in body]
        told = [f"has no {', '.join(missing)}"] if missing else []
        told += [f"has {', '.join(foreign)}, as another type's has"] if foreign else []
        return " and ".join(told) or None


@dataclass(frozen=True)
class Docs:
    """The provider's pages that an adapter is written from."""

    events: str
    security: str


@dataclass(frozen=True)
class Adapter:
    """One provider.

    `scheme` makes the signature scheme from the source's options (most need none and give a constant).
    `split` cuts a verified webhook into its source events; it raises PayloadError when the body as a whole can't
    be read, and gives an `Unreadable` for a single item that can't.
    `delivery_id` is the provider's id of the request, equal in its retries; None where it has none. It never raises.
    `single_use` is of use where the signature covers no body: what it does cover, made up anew for each webhook, and
    the one event that it is good for; None where that is not needed. It never raises.
    `ignored` names the types that are left out on purpose, each with the reason; a name may end in `*`, but never
    covers a type that has a handler.
    `claims` is what of its source events stands in headers that nobody signs. Where that is the type, `marks` says of
    every type that has a handler (a name may end in `*`) how its body is known; another's is not understood.
    `options` is the schema of the adapter's own options of a source.
    `probe` tells whether a request (not proven yet) is only the provider's look at the URL, given the source's
    secrets and options: such a one is answered 200 and kept nowhere. It never raises.
    `confirm` is the address that has to be visited before a webhook is acknowledged, where it asks to confirm a
    subscription; whoever calls it visits. It never raises.
    `explain` tells each step that a handler takes, for somebody who writes an adapter. It never raises.
    A handler's name may end in `*`, too: it is asked for types that no other name means exactly.
    `least_secret` is how many characters the provider's own secrets have at least, beside their prefix.
    `published_secrets` are those that the provider prints in its documentation, for its looks at a URL: anybody could
    sign with them, so none is taken as a source's own.
    `needs_secret` is False where requests can be proven without a secret of the source: its scheme then is a
    `signature.SelfProving` too.
    `answers_items` is True where the sender reads the receipt and is told what became of each source event.
    """

    name: str
    title: str
    docs: Docs
    scheme: Callable[[Mapping[str, Any]], Scheme]
    split: Callable[[VerifiedWebhook], Sequence[SourceEvent | Unreadable]]
    handlers: Mapping[str, Handler]
    ignored: Mapping[str, str] = field(default_factory=dict)
    claims: frozenset[Claim] = frozenset()
    marks: Mapping[str, BodyMarks] = field(default_factory=dict)
    options: type[Schema] = Schema
    delivery_id: Callable[[VerifiedWebhook], str | None] = lambda verified: None
    single_use: Callable[[VerifiedWebhook], tuple[str, str] | None] = lambda verified: None
    probe: Callable[[Webhook, Sequence[str], Mapping[str, Any]], bool] = lambda webhook, secrets, options: False
    confirm: Callable[[VerifiedWebhook], str | None] = lambda verified: None
    least_secret: int = 16
    published_secrets: frozenset[str] = frozenset()
    needs_secret: bool = True
    answers_items: bool = False
    explain: Callable[[SourceEvent, Context], Sequence[Step]] = lambda event, context: ()


def split(adapter: Adapter, verified: VerifiedWebhook) -> Sequence[SourceEvent | Unreadable]:
    """The source events of a webhook. Raises PayloadError where the body as a whole can't be read.

    Whatever else an adapter raises is its bug and told as a TranslationFailedError, as in `translate`.
    """
    try:
        return adapter.split(verified)
    except PayloadError:
        raise
    except Exception as error:  # an adapter's bug must cost no webhook: it is quarantined with its cause
        raise TranslationFailedError(f"adapter {adapter.name} failed to split: {type(error).__name__}") from error


def translate(adapter: Adapter, event: SourceEvent, context: Context) -> Translation:
    """Translate one source event.

    Raises PayloadError where the adapter does not understand it: an unknown type, a payload that does not fit, or a
    translation that Lumail would refuse. Whatever else an adapter raises is its bug and told as a
    TranslationFailedError, so that the webhook is kept and can be translated again once the adapter is right.
    """
    handler = adapter.handlers.get(event.type) or _by_pattern(adapter, event.type)
    if handler is None:
        return _left_out(adapter, event.type)
    marks = marks_of(adapter, event.type)
    wrong = None if marks is None else marks.fault(event.payload)
    if wrong is not None:
        raise PayloadError(f"is said to be {event.type[:80]}, which is not signed, and its body {wrong}")
    try:
        translation = _fitted(handler(event, context), event.timed_by)
        faults = {
            made.type.value: found for made in (*translation.events, *translation.sums) if (found := faults_of(made))
        }
    except PayloadError:
        raise
    except Exception as error:  # an adapter's bug must cost no webhook: it is quarantined with its cause
        raise TranslationFailedError(
            f"adapter {adapter.name} failed on {event.type}: {type(error).__name__}"
        ) from error
    if faults:
        raise PayloadError(f"adapter {adapter.name} made an event that Lumail would refuse: {faults}")
    if translation.demand is not None and translation.demand.subject.is_empty:
        raise PayloadError(f"{event.type} does not say of whom it speaks")
    return translation


def marks_of(adapter: Adapter, event_type: str) -> BodyMarks | None:
    """By what bodies of this type are known; the longest name counts."""
    names = [name for name in adapter.marks if covers(name, event_type)]
    return adapter.marks[max(names, key=len)] if names else None


def _fitted(translation: Translation, timed_by: TimedBy) -> Translation:
    undated = timed_by in (TimedBy.ARRIVAL, TimedBy.NOTHING)
    events = tuple(fitted(made, undated=undated) for made in translation.events)
    if timed_by is not TimedBy.ARRIVAL:
        return replace(translation, events=events)
    return replace(translation, events=events, memos=tuple(replace(memo, undated=True) for memo in translation.memos))


def _by_pattern(adapter: Adapter, event_type: str) -> Handler | None:
    patterns = [name for name in adapter.handlers if name.endswith("*") and covers(name, event_type)]
    return adapter.handlers[max(patterns, key=len)] if patterns else None


def _left_out(adapter: Adapter, event_type: str) -> Translation:
    for pattern, reason in adapter.ignored.items():
        if covers(pattern, event_type):
            return ignored(reason)
    raise PayloadError(f"unknown type {event_type[:80]!r}: adapter {adapter.name} neither translates nor ignores it")


def covers(pattern: str, event_type: str) -> bool:
    """Whether a name among `Adapter.ignored` means this source event type."""
    return event_type == pattern or (pattern.endswith("*") and event_type.startswith(pattern[:-1]))
