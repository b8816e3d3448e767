"""What an adapter makes of webhooks outside of any gateway: nothing is proven, and nothing is kept."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from gateway.errors import PayloadError
from gateway.events import DEFAULT_FORWARDED, LumailEvent, Memo, Remembered, lane_of, learnt
from gateway.formats.wording import as_plain
from gateway.translation.adapter import (
    Adapter,
    Context,
    SourceEvent,
    Step,
    Translation,
    Unreadable,
    covers,
    split,
    translate,
)
from gateway.translation.sample import Sample, freshen
from gateway.translation.webhook import Headers, VerifiedWebhook, Webhook

SHORTEST_NAME = 8
"""Characters. A shorter one may stand in a body where it names nothing."""


class RehearsalMemory:
    """What webhooks taught in a rehearsal: nothing at first, and then by the rule of the ledger."""

    def __init__(self) -> None:
        self._known: dict[str, Remembered] = {}

    def recall(self, key: str) -> Mapping[str, Any] | None:
        known = self._known.get(key)
        return None if known is None else known[0]

    def learn(self, memo: Memo) -> None:
        self._known[memo.key] = learnt(self._known.get(memo.key), memo)


Rehearsed = tuple[SourceEvent | Unreadable, Translation | PayloadError]


def rehearse(
    adapter: Adapter, verified: VerifiedWebhook, options: Mapping[str, Any], memory: RehearsalMemory
) -> Iterator[Rehearsed]:
    """Each source event with what it would become; what it teaches is in `memory` before the next one is translated.

    Raises PayloadError where the body can't be read at all.
    """
    context = Context(adapter.name, verified.webhook.received_at, memory, options)
    for event in split(adapter, verified):
        if isinstance(event, Unreadable):
            yield event, PayloadError(event.reason)
            continue
        try:
            translation = translate(adapter, event, context)
        except PayloadError as error:
            yield event, error
            continue
        yield event, translation
        for memo in translation.memos:
            memory.learn(memo)


def explained(
    adapter: Adapter, event: SourceEvent, options: Mapping[str, Any], memory: RehearsalMemory
) -> Sequence[Step]:
    """Each step from the webhook to what becomes of one of its source events."""
    account = f", account {event.account}" if event.account else ""
    split_off = f"id {event.id or 'not told'}, type {event.type}, at {event.occurred_at.isoformat()}{account}"
    scheme = type(adapter.scheme(options)).__name__
    matched = next(
        (
            f"handler {name}"
            for name in (event.type, *adapter.handlers)
            if name in adapter.handlers and covers(name, event.type)
        ),
        next(
            (f"ignored as {name}" for name in adapter.ignored if covers(name, event.type)),
            "neither handled nor ignored",
        ),
    )
    context = Context(adapter.name, event.occurred_at, memory, options)
    return (
        Step("proven", f"not asked here; a source asks for {scheme}"),
        Step("split", split_off),
        Step("matched", matched),
        *adapter.explain(event, context),
    )


@dataclass(frozen=True)
class Tried:
    """What a source event would become; `events` are as they would be sent, without the gateway's own additions."""

    type: str
    outcome: str
    reason: str | None = None
    test: bool = False
    steps: tuple[Mapping[str, Any], ...] = ()
    events: tuple[Mapping[str, Any], ...] = ()
    teaches: tuple[Mapping[str, Any], ...] = ()
    demand: Mapping[str, Any] | None = None


def tried_out(adapter: Adapter, headers: Mapping[str, str], body: bytes, options: Mapping[str, Any]) -> list[Tried]:
    """Each source event of a body with its steps and what it would become, in JSON's kinds. It never raises."""
    memory, webhook = RehearsalMemory(), unproven(adapter, headers, body, datetime.now(UTC))
    try:
        return [
            _tried(event, became, _steps(adapter, event, options, memory))
            for event, became in rehearse(adapter, webhook, options, memory)
        ]
    except PayloadError as error:
        return [Tried("", "quarantined", str(error))]


def _steps(
    adapter: Adapter, event: SourceEvent | Unreadable, options: Mapping[str, Any], memory: RehearsalMemory
) -> tuple[Mapping[str, Any], ...]:
    if isinstance(event, Unreadable):
        return ()
    return tuple(
        {"step": one.what, "of": one.of, "fault": str(one.gave)}
        if isinstance(one.gave, PayloadError)
        else {"step": one.what, "of": one.of, "gave": as_plain(one.gave)}
        for one in explained(adapter, event, options, memory)
    )


def _tried(
    event: SourceEvent | Unreadable, became: Translation | PayloadError, steps: tuple[Mapping[str, Any], ...]
) -> Tried:
    source_type, test = (event.type, event.test) if isinstance(event, SourceEvent) else ("", False)
    if isinstance(became, PayloadError):
        return Tried(source_type, "quarantined", str(became), test, steps)
    if became.ignored is not None:
        return Tried(source_type, "ignored", became.ignored, test, steps)
    return Tried(
        source_type,
        "translated" if became.events else "taught",
        test=test,
        steps=steps,
        events=tuple(_as_sent(one) for one in became.events),
        teaches=_memos(became),
        demand=None if became.demand is None else became.demand.as_json(),
    )


def _as_sent(event: LumailEvent) -> dict[str, Any]:
    return {
        "eventType": event.type,
        "subscriber": event.subscriber,
        "data": as_plain(event.data),
        "occurred_at": event.occurred_at,
        "lane": lane_of(event.type, event.data).word,
        "keys": event.keys,
        "waits_for": event.waits_for,
        "forwarded_by_default": event.type in DEFAULT_FORWARDED,
    }


def _memos(made: Translation) -> tuple[Mapping[str, Any], ...]:
    memos = [{"key": memo.key, "values": memo.values} for memo in made.memos]
    return (*memos, *({"same_fact": link} for link in made.links))


def usual_options(adapter: Adapter, samples: Mapping[str, Sample]) -> Mapping[str, Any]:
    """What holds where no source says anything; what a source has to say is taken from the default of its cases."""
    schema = adapter.options()
    required = [name for name, one in schema.fields.items() if one.required]
    said = next((one.options for one in samples.values() if one.default), {})
    options: Mapping[str, Any] = schema.load(
        {name: said[name] for name in required if name in said}, partial=tuple(required)
    )
    return options


def made_new(adapter: Adapter, sample: Sample, at: datetime, token: str) -> Sample:
    """The sample as if it happened at `at`, so that no gateway has it yet.

    What names the request and its source events becomes another name of this case's own; what names facts and things
    to remember becomes another name that all cases share which are made new with the same `token`.
    """
    own, shared = _names(adapter, sample)
    renamed = freshen(replace(sample, fresh_ids=_replaceable(own), fresh_times=()), at, f"{token} {sample.case}")
    declared = set(sample.fresh_ids)
    others = _replaceable((shared | declared) - own)
    return freshen(replace(renamed, fresh_ids=others, fresh_times=sample.fresh_times), at, token)


def _names(adapter: Adapter, sample: Sample) -> tuple[set[str], set[str]]:
    """What names the webhook and its source events, and what names facts and memory, as the adapter reads them."""
    options = adapter.options().load(sample.options)
    webhook = unproven(adapter, sample.headers, sample.body, datetime.now(UTC))
    own = {adapter.delivery_id(webhook) or ""}
    keys: set[str] = set()
    try:
        for event, became in rehearse(adapter, webhook, options, RehearsalMemory()):
            if isinstance(event, SourceEvent):
                own.add(event.id or "")
            if isinstance(became, Translation):
                keys.update(key for made in became.events for key in made.keys)
                # A key may be composed of what is told, the mail's id among it: it can't be found in the body itself.
                keys.update(f"mail:{made.data['emailId']}" for made in became.events if made.data.get("emailId"))
                keys.update(key for link in became.links for key in link)
                keys.update(memo.key.partition(":")[2] for memo in became.memos)
    except PayloadError:
        return own, keys
    return own, {name for key in keys for name in key.split(":")}


def _replaceable(names: set[str]) -> tuple[str, ...]:
    """Those that are surely ids: words of the provider's and addresses stand in keys, too."""
    return tuple(sorted(name for name in names if _is_id(name)))


def _is_id(name: str) -> bool:
    return len(name) >= SHORTEST_NAME and "@" not in name and any(map(str.isdigit, name))


def unproven(adapter: Adapter, headers: Mapping[str, str], body: bytes, at: datetime) -> VerifiedWebhook:
    """A webhook that came at `at`, as if it had been proven."""
    webhook = Webhook(adapter.name, "https://localhost/", Headers(headers), body, at)
    return VerifiedWebhook(webhook, secret=None, signed_at=None)
