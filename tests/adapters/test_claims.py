"""What a provider says outside its signature. Each adapter owns up to it, and a captured body is nothing else."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from gateway.errors import AdapterError, PayloadError
from gateway.translation.adapter import Adapter, Claim, Context, SourceEvent, Unreadable, marks_of, split, translate
from gateway.translation.registry import collect, samples
from gateway.translation.sample import Sample
from gateway.translation.webhook import Headers, Webhook
from tests.adapters.cases import ADAPTERS, CASES, NOW, Remembered, options_of, verified, webhook_of

each_adapter = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda one: one.name)
CLAIMED = [adapter for adapter in ADAPTERS if Claim.TYPE in adapter.claims]


def events_of(adapter: Adapter, sample: Sample, webhook: Webhook | None = None) -> Sequence[SourceEvent]:
    try:
        found = split(adapter, verified(adapter, sample, webhook))
    except PayloadError:
        return ()
    return [one for one in found if not isinstance(one, Unreadable)]


def with_other_headers(webhook: Webhook) -> Iterator[Webhook]:
    """The same with each header in turn saying something else, or gone."""
    for name, value in webhook.headers.items():
        others = {other: text for other, text in webhook.headers.items() if other != name}
        yield replace(webhook, headers=Headers(others))
        for text in ("2031-01-01T00:00:00Z", "true", f"{value}x"):
            yield replace(webhook, headers=Headers({**others, name: text}))


def said(event: SourceEvent) -> dict[Claim, object]:
    return {claim: getattr(event, claim.value) for claim in Claim}


@each_adapter
def test_what_headers_can_change_is_among_the_claims(adapter: Adapter) -> None:
    changed: set[Claim] = set()
    for sample in samples(adapter.name).values():
        webhook = webhook_of(sample)
        for was in events_of(adapter, sample)[:1]:
            for other in with_other_headers(webhook):
                for now in events_of(adapter, sample, other)[:1]:
                    changed |= {claim for claim in Claim if said(was)[claim] != said(now)[claim]}
    assert changed <= adapter.claims


def as_type(adapter: Adapter, sample: Sample, event: SourceEvent, event_type: str) -> str:
    context = Context(sample.adapter, NOW, Remembered(), options_of(adapter, sample))
    try:
        told = translate(adapter, replace(event, type=event_type), context)
    except PayloadError:
        return "not understood"
    return "ignored" if told.ignored is not None else "understood"


@pytest.mark.parametrize("adapter", CLAIMED, ids=lambda one: one.name)
def test_a_captured_body_is_understood_as_no_other_type_than_those_with_such_bodies(adapter: Adapter) -> None:
    understood = []
    for sample in (sample for owner, sample in CASES if owner.name == adapter.name):
        for event in events_of(adapter, sample):
            mine = marks_of(adapter, event.type)
            others = [one for one in adapter.handlers if mine is not marks_of(adapter, one)]
            understood += [(sample.case, one) for one in others if as_type(adapter, sample, event, one) == "understood"]
    assert understood == []


def test_there_are_adapters_whose_type_is_not_signed() -> None:
    assert [adapter.name for adapter in CLAIMED] == ["shopify", "woocommerce"]


def test_an_adapter_that_marks_no_body_of_a_type_that_is_not_signed_is_refused() -> None:
    (shopify,) = (adapter for adapter in CLAIMED if adapter.name == "shopify")
    without = {name: marks for name, marks in shopify.marks.items() if name != "shop/redact"}
    with pytest.raises(AdapterError, match="nothing says how a body of shop/redact is known"):
        collect([("here", replace(shopify, marks=without))])
