"""Whether an adapter's examples hold: each told as if it came now, after those that it says come first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any

from gateway.errors import PayloadError
from gateway.events import LumailEvent, Sum
from gateway.translation.adapter import Adapter, SourceEvent, Translation, covers
from gateway.translation.moment import to_iso
from gateway.translation.rehearsal import RehearsalMemory, rehearse, unproven
from gateway.translation.sample import Sample
from gateway.translation.webhook import VerifiedWebhook


@dataclass
class Became:
    """What became of a webhook."""

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
    memory = RehearsalMemory()
    for earlier in cases[case].after:
        if earlier not in cases:
            return [f"after: there is no case {earlier}"]
        _told(adapter, cases[earlier], memory, at)
    return list(differences(_told(adapter, cases[case], memory, at), cases[case].outcome))


def unseen(adapter: Adapter, cases: Mapping[str, Sample], at: datetime) -> Sequence[str]:
    """Types that the adapter names and no case shows."""
    seen = {event.type for one in cases.values() for event in _told(adapter, one, RehearsalMemory(), at).source_events}
    return [name for name in (*adapter.handlers, *adapter.ignored) if not any(covers(name, told) for told in seen)]


def translated(
    adapter: Adapter, webhook: VerifiedWebhook, options: Mapping[str, Any], memory: RehearsalMemory
) -> Became:
    """What becomes of a webhook; what it teaches is learnt into `memory`. It never raises."""
    became = Became()
    try:
        for event, translation in rehearse(adapter, webhook, options, memory):
            if isinstance(event, SourceEvent):
                became.source_events.append(event)
            if isinstance(translation, PayloadError):
                became.quarantined.append(str(translation))
            else:
                _note(became, translation)
    except PayloadError as error:
        became.quarantined.append(str(error))
    return became


def _told(adapter: Adapter, sample: Sample, memory: RehearsalMemory, at: datetime) -> Became:
    webhook = unproven(adapter, sample.headers, sample.body, at)
    return translated(adapter, webhook, adapter.options().load(sample.options), memory)


def _note(became: Became, translation: Translation) -> None:
    became.events += translation.events
    became.sums += translation.sums
    became.links += [list(link) for link in translation.links]
    became.demands += [] if translation.demand is None else [translation.demand.as_json()]
    became.ignored += [] if translation.ignored is None else [translation.ignored]
    became.taught |= {memo.key: dict(memo.values) for memo in translation.memos}


def differences(became: Became, outcome: Mapping[str, Any]) -> Iterator[str]:
    """What is not as a case says it."""
    yield from _events_unlike("expect", became.events, outcome["expect"])
    if "says" in outcome:
        yield from _events_unlike("says", became.sums, outcome["says"])
    yield from _reasons_unlike("quarantine", became.quarantined, _several(outcome.get("quarantine", [])))
    for word, made in (("teaches", became.taught), ("links", became.links)):
        if word in outcome and outcome[word] != made:
            yield f"{word}: {made}, expected {outcome[word]}"
    if became.demands != outcome.get("demands", []):
        yield f"demands: {became.demands}, expected {outcome.get('demands', [])}"
    if "ignored" in outcome:
        yield from _reasons_unlike("ignored", became.ignored, [outcome["ignored"]] * max(len(became.ignored), 1))
    for event in became.source_events:
        for word, carried in (("account", event.account), ("test", event.test)):
            if carried != outcome.get(word, carried if word == "test" else None):
                yield f"{word}: {event.type} carries {carried}, expected {outcome.get(word)}"


def _several(said: str | list[str]) -> list[str]:
    return [said] if isinstance(said, str) else said


def _reasons_unlike(word: str, told: Sequence[str], expected: Sequence[str]) -> Iterator[str]:
    """Each reason holds what is expected in its place."""
    for reason, part in zip_longest(told, expected):
        if reason is None or part is None or part not in reason:
            yield f"{word}: {reason or 'nothing'}, expected {part or 'nothing'}"


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
