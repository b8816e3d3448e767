"""Samples made new: told the same, under names that no gateway has yet."""

from datetime import UTC, datetime

import pytest

from gateway.errors import PayloadError
from gateway.translation.adapter import Adapter, SourceEvent, Translation
from gateway.translation.registry import adapters, samples
from gateway.translation.rehearsal import made_new, rehearse
from gateway.translation.sample import Sample

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CASES = [(adapter, sample) for adapter in adapters().values() for sample in samples(adapter.name).values()]


def told(adapter: Adapter, sample: Sample) -> list[tuple[str, str]]:
    """What becomes of each source event, in words."""
    options = adapter.options().load(sample.options)
    try:
        return [
            (event.type if isinstance(event, SourceEvent) else "", _word(became))
            for event, became in rehearse(adapter, sample.headers, sample.body, options)
        ]
    except PayloadError:
        return [("", "not understood")]


def _word(became: Translation | PayloadError) -> str:
    if isinstance(became, PayloadError):
        return "not understood"
    return "ignored" if became.ignored else ", ".join(made.type for made in became.events) or "taught"


def keys(sample: Sample) -> set[str]:
    adapter = adapters()[sample.adapter]
    options = adapter.options().load(sample.options)
    return {
        key
        for _, became in rehearse(adapter, sample.headers, sample.body, options)
        if isinstance(became, Translation)
        for key in (
            *(key for made in became.events for key in made.keys),
            *(key for link in became.links for key in link),
        )
    }


def source_event(sample: Sample) -> str | None:
    adapter = adapters()[sample.adapter]
    ((event, _),) = rehearse(adapter, sample.headers, sample.body, adapter.options().load(sample.options))
    return event.id if isinstance(event, SourceEvent) else None


@pytest.mark.parametrize(("adapter", "sample"), CASES, ids=[f"{one.name}-{sample.case}" for one, sample in CASES])
def test_a_sample_made_new_tells_the_same(adapter: Adapter, sample: Sample) -> None:
    assert told(adapter, made_new(adapter, sample, NOW, "a")) == told(adapter, sample)


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
