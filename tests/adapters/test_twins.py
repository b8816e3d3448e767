"""Two providers written both ways, in Python and in YAML, say the same of the same webhooks."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.translation.adapter import Adapter
from gateway.translation.declarative.adapter import adapter_of
from gateway.translation.registry import adapters, samples
from gateway.translation.sample import Sample
from gateway.translation.trial import Became
from tests.adapters.cases import tell_after, verified
from tests.adapters.twins import lemonsqueezy

TWINS = Path(__file__).parent / "twins"
POSTMARK = (adapters()["postmark"], adapter_of(TWINS / "postmark.yaml"))
LEMON_SQUEEZY = (lemonsqueezy.adapter, adapters()["lemonsqueezy"])
PAIRS = {"postmark": POSTMARK, "lemonsqueezy": LEMON_SQUEEZY}
CASES = [(*pair, sample) for name, pair in PAIRS.items() for sample in samples(name).values()]

each_case = pytest.mark.parametrize(
    ("one", "other", "sample"), CASES, ids=[f"{sample.adapter}/{sample.case}" for _, _, sample in CASES]
)


@each_case
def test_both_make_the_same_events_of_the_same_delivery(one: Adapter, other: Adapter, sample: Sample) -> None:
    assert _comparable(tell_after(one, sample)) == _comparable(tell_after(other, sample))
    assert one.delivery_id(verified(one, sample)) == other.delivery_id(verified(other, sample))


@pytest.mark.parametrize(("one", "other"), PAIRS.values(), ids=PAIRS)
def test_both_know_the_same_types(one: Adapter, other: Adapter) -> None:
    assert (set(one.handlers), set(one.ignored)) == (set(other.handlers), set(other.ignored))


def _comparable(told: Became) -> Became:
    """Reasons are worded differently, and what is not understood may show while splitting or while translating."""
    return replace(
        told,
        ignored=["ignored" for _ in told.ignored],
        quarantined=["quarantined" for _ in told.quarantined],
        source_events=[] if told.quarantined else told.source_events,
    )
