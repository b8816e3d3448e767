"""Whether an adapter's examples hold: each told as if it came now, after those that it says come first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from gateway.errors import PayloadError
from gateway.events import LumailEvent, Sum
from gateway.translation.adapter import Adapter, Context, Memo, SourceEvent, Translation, Unreadable, split, translate
from gateway.translation.moment import to_iso
from gateway.translation.sample import Sample
from gateway.translation.webhook import VerifiedWebhook


class _Memory(dict[str, Mapping[str, Any]]):
    def recall(self, key: str) -> Mapping[str, Any] | None:
        return self.get(key)

    def learn(self, memo: Memo) -> None:
        known = self.get(memo.key, {})
        self[memo.key] = {**memo.values, **known} if memo.undated else {**known, **memo.values}


@dataclass
class _Became:
    events: list[LumailEvent] = field(default_factory=list)
    sums: list[LumailEvent] = field(default_factory=list)
    taught: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    links: list[list[str]] = field(default_factory=list)
    demands: list[dict[str, Any]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    source_events: list[SourceEvent] = field(default_factory=list)


def faults(adapter: Adapter, cases: Mapping[str, Sample], case: str, at: datetime) -> Sequence[str]:
    """What of a case is not as its file says; nothing where all of it is."""
    memory = _Memory()
    for earlier in cases[case].after:
        if earlier not in cases:
            return [f"after: there is no case {earlier}"]
        _tell(adapter, cases[earlier], memory, at)
    return list(_differences(_tell(adapter, cases[case], memory, at), cases[case].outcome))


def unseen(adapter: Adapter, cases: Mapping[str, Sample], at: datetime) -> Sequence[str]:
    """Types that the adapter names and no case shows."""
    seen = {event.type for one in cases.values() for event in _tell(adapter, one, _Memory(), at).source_events}
    names = [*adapter.handlers, *adapter.ignored]
    return [name for name in names if name not in seen and not any(_fits(name, told) for told in seen)]


def _fits(name: str, told: str) -> bool:
    return name.endswith("*") and told.startswith(name[:-1])


def _tell(adapter: Adapter, sample: Sample, memory: _Memory, at: datetime) -> _Became:
    became = _Became()
    webhook = sample.webhook(adapter.name, "https://localhost/", at)
    context = Context(adapter.name, at, memory, adapter.options().load(sample.options))
    try:
        found = split(adapter, VerifiedWebhook(webhook, secret=0, signed_at=None))
    except PayloadError as error:
        found = [Unreadable(str(error))]
    for event in found:
        if isinstance(event, Unreadable):
            became.quarantined.append(event.reason)
            continue
        became.source_events.append(event)
        try:
            _note(became, translate(adapter, event, context), memory)
        except PayloadError as error:
            became.quarantined.append(str(error))
    return became


def _note(became: _Became, translation: Translation, memory: _Memory) -> None:
    became.events += translation.events
    became.sums += translation.sums
    became.links += [list(link) for link in translation.links]
    became.demands += [] if translation.demand is None else [translation.demand.as_json()]
    became.ignored += [] if translation.ignored is None else [translation.ignored]
    for memo in translation.memos:
        memory.learn(memo)
        became.taught[memo.key] = dict(memo.values)


def _differences(became: _Became, outcome: Mapping[str, Any]) -> Iterator[str]:
    yield from _events_unlike("expect", became.events, outcome["expect"])
    if "says" in outcome:
        yield from _events_unlike("says", became.sums, outcome["says"])
    reasons = outcome.get("quarantine", [])
    reasons = [reasons] if isinstance(reasons, str) else reasons
    unexpected = [told for told in became.quarantined if not any(reason in told for reason in reasons)]
    yield from (f"quarantine: {told}" for told in unexpected)
    if len(became.quarantined) < len(reasons):
        yield f"quarantine: expected {', '.join(reasons)}"
    if "teaches" in outcome and outcome["teaches"] != became.taught:
        yield f"teaches: {became.taught}, expected {outcome['teaches']}"
    if "links" in outcome and outcome["links"] != became.links:
        yield f"links: {became.links}, expected {outcome['links']}"
    if became.demands != outcome.get("demands", []):
        yield f"demands: {became.demands}, expected {outcome.get('demands', [])}"
    if "ignored" in outcome and not any(outcome["ignored"] in told for told in became.ignored):
        yield f"ignored: {'; '.join(became.ignored) or 'nothing'}, expected {outcome['ignored']}"


def _events_unlike(word: str, made: Sequence[LumailEvent], expected: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for place in range(max(len(expected), len(made))):
        if place >= len(expected):
            yield f"{word}: one more event was made: {shown(made[place], {})}"
        elif place >= len(made):
            yield f"{word}: not made: {dict(expected[place])}"
        elif (one := shown(made[place], expected[place])) != expected[place]:
            yield f"{word}: made {one}, expected {dict(expected[place])}"


def shown(event: LumailEvent, like: Mapping[str, Any]) -> dict[str, Any]:
    """An event in the words of a case: the optional ones only where the case has them."""
    waits_for = event.waits_for
    optional = {"occurredAt": to_iso(event.occurred_at), "keys": list(event.keys), "sum": _sum(event.sum)}
    return (
        {"eventType": event.type.value, "subscriber": event.subscriber, "data": dict(event.data)}
        | {name: value for name, value in optional.items() if name in like}
        | ({"waitsFor": waits_for} if waits_for else {})
    )


def _sum(told: Sum | None) -> dict[str, Any] | None:
    """What was told of a sale's money, in the words of a case; what is left out there is as usual here."""
    if told is None:
        return None
    values = {one.name: getattr(told, one.name) for one in fields(told) if getattr(told, one.name) != one.default}
    return {"is": type(told).__name__} | {name: _written(value) for name, value in values.items()}


def _written(value: Any) -> Any:
    """A member of a sum as JSON has it; amounts stay as they are."""
    if isinstance(value, datetime):
        return to_iso(value)
    if isinstance(value, timedelta):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
