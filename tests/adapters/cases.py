"""Every case of every adapter, and how one is told to its adapter: signed, verified, split, translated."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from gateway.errors import PayloadError
from gateway.events import LumailEvent
from gateway.translation.adapter import Adapter, Context, Memo, SourceEvent, Unreadable, split, translate
from gateway.translation.registry import adapters, samples
from gateway.translation.sample import Sample
from gateway.translation.signature import KeyPair, verify
from gateway.translation.webhook import VerifiedWebhook, Webhook

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ADAPTERS = list(adapters().values())
CASES = [(adapter, sample) for adapter in ADAPTERS for sample in samples(adapter.name).values()]


class Remembered(dict[str, dict[str, Any]]):
    """Memory as the ledger keeps it: of two lessons the later one counts, whichever came first."""

    def __init__(self) -> None:
        self._taught: dict[str, datetime] = {}

    def recall(self, key: str) -> Mapping[str, Any] | None:
        return self.get(key)

    def learn(self, memo: Memo) -> None:
        known, new = self.get(memo.key, {}), dict(memo.values)
        later = memo.at >= self._taught.get(memo.key, memo.at) and not (memo.undated and known)
        self[memo.key] = known | new if later else new | known
        self._taught[memo.key] = max(memo.at, self._taught.get(memo.key, memo.at))


@dataclass
class Told:
    """What became of a webhook."""

    events: list[LumailEvent] = field(default_factory=list)
    sums: list[LumailEvent] = field(default_factory=list)
    taught: dict[str, dict[str, Any]] = field(default_factory=dict)
    links: list[list[str]] = field(default_factory=list)
    demands: list[dict[str, Any]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    source_events: list[SourceEvent] = field(default_factory=list)


@lru_cache(maxsize=256)
def keys_of(scheme: Any, number: int = 0) -> KeyPair:
    """Key pair `number` of a scheme, made once: RSA keys take their time."""
    pair: KeyPair = scheme.generate()
    return pair


def options_of(adapter: Adapter, sample: Sample) -> Mapping[str, Any]:
    options: Mapping[str, Any] = adapter.options().load(sample.options)
    return options


def webhook_of(sample: Sample) -> Webhook:
    return sample.webhook(sample.adapter, f"https://hooks.example.com/webhooks/{sample.adapter}", NOW)


def verified(adapter: Adapter, sample: Sample, webhook: Webhook | None = None) -> VerifiedWebhook:
    scheme: Any = adapter.scheme(options_of(adapter, sample))
    pair = keys_of(scheme)
    return verify(scheme, scheme.sign(webhook or webhook_of(sample), pair.signing, NOW), [pair.verifying])


def tell(adapter: Adapter, sample: Sample, memory: Remembered) -> Told:
    """Translate one case; what it teaches is learnt into `memory`."""
    told = Told()
    try:
        items = split(adapter, verified(adapter, sample))
    except PayloadError as error:
        told.quarantined.append(str(error))
        return told
    for item in items:
        if isinstance(item, Unreadable):
            told.quarantined.append(item.reason)
            continue
        told.source_events.append(item)
        try:
            translation = translate(adapter, item, Context(sample.adapter, NOW, memory, options_of(adapter, sample)))
        except PayloadError as error:
            told.quarantined.append(str(error))
            continue
        told.events += translation.events
        told.sums += translation.sums
        told.links += [list(link) for link in translation.links]
        told.demands += [translation.demand.as_json()] if translation.demand else []
        told.ignored += [translation.ignored] if translation.ignored else []
        for memo in translation.memos:
            memory.learn(memo)
            told.taught[memo.key] = dict(memo.values)
    return told


def tell_after(adapter: Adapter, sample: Sample) -> Told:
    """Translate a case with the memory of those that it says come first."""
    memory = Remembered()
    for earlier in sample.after:
        tell(adapter, samples(adapter.name)[earlier], memory)
    return tell(adapter, sample, memory)


def every_source_event(adapter: Adapter) -> Iterator[SourceEvent]:
    for sample in samples(adapter.name).values():
        yield from tell(adapter, sample, Remembered()).source_events
