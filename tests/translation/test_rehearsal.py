"""Samples made new: told the same, under names that no gateway has yet."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import PayloadError
from gateway.events import Memo, MemoryKey
from gateway.translation.adapter import Adapter, SourceEvent, Translation
from gateway.translation.registry import adapters, samples
from gateway.translation.rehearsal import RehearsalMemory, Rehearsed, made_new, rehearse, unproven
from gateway.translation.sample import Sample

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ADAPTERS = list(adapters().values())


def rehearsed(adapter: Adapter, sample: Sample) -> Iterator[Rehearsed]:
    options = adapter.options().load(sample.options)
    return rehearse(adapter, unproven(adapter, sample.headers, sample.body, NOW), options, RehearsalMemory())


def told(adapter: Adapter, sample: Sample) -> list[tuple[str, str]]:
    """What becomes of each source event, in words."""
    try:
        return [
            (event.type if isinstance(event, SourceEvent) else "", _word(became))
            for event, became in rehearsed(adapter, sample)
        ]
    except PayloadError:
        return [("", "not understood")]


def _word(became: Translation | PayloadError) -> str:
    if isinstance(became, PayloadError):
        return "not understood"
    return "ignored" if became.ignored else ", ".join(made.type for made in became.events) or "taught"


def keys(sample: Sample) -> set[str]:
    adapter = adapters()[sample.adapter]
    return {
        key
        for _, became in rehearsed(adapter, sample)
        if isinstance(became, Translation)
        for key in (
            *(key for made in became.events for key in made.keys),
            *(key for link in became.links for key in link),
        )
    }


def source_event(sample: Sample) -> str | None:
    adapter = adapters()[sample.adapter]
    ((event, _),) = rehearsed(adapter, sample)
    return event.id if isinstance(event, SourceEvent) else None


@pytest.mark.parametrize("adapter", ADAPTERS, ids=[one.name for one in ADAPTERS])
def test_a_sample_made_new_tells_the_same(adapter: Adapter) -> None:
    cases = samples(adapter.name)
    renewed = {name: told(adapter, made_new(adapter, sample, NOW, "a")) for name, sample in cases.items()}
    assert renewed == {name: told(adapter, sample) for name, sample in cases.items()}


def test_cases_that_are_made_new_together_still_tell_of_one_sale_in_events_of_their_own() -> None:
    stripe, known = adapters()["stripe"], samples("stripe")
    sale, refund = (made_new(stripe, known[case], NOW, "a") for case in ("session_paid", "refunded_after_sale"))
    assert len([key for key in keys(sale) & keys(refund) if key.startswith("payment:")]) == 1
    assert source_event(sale) != source_event(refund)


def test_another_time_everything_has_another_name() -> None:
    stripe, sample = adapters()["stripe"], samples("stripe")["session_paid"]
    first, second = (made_new(stripe, sample, NOW, token) for token in ("a", "b"))
    assert keys(first).isdisjoint(keys(second) | keys(sample))
    assert len({source_event(first), source_event(second), source_event(sample)}) == 3


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "the later first"])
def test_what_was_said_later_counts_in_whatever_order_a_rehearsal_hears_it(order: tuple[int, int]) -> None:
    said = [
        Memo(MemoryKey("customer", "9"), {"email": "ana@example.com", "name": "Ana"}, NOW - timedelta(hours=1)),
        Memo(MemoryKey("customer", "9"), {"email": "bea@example.com"}, NOW),
    ]
    memory = RehearsalMemory()
    for place in order:
        memory.learn(said[place])
    assert memory.recall("customer:9") == {"email": "bea@example.com", "name": "Ana"}
