"""Postmark beyond its fixtures: what is told twice, and retries."""

from dataclasses import replace

import pytest

from gateway.translation.registry import adapters, samples
from tests.adapters.cases import Remembered, tell, verified

ADAPTER = adapters()["postmark"]
CASES = samples("postmark")


@pytest.mark.parametrize(
    ("told", "told_again"), [("bounced", "suppressed_after_bounce"), ("complained", "suppressed_after_complaint")]
)
def test_what_ends_a_subscription_is_one_fact_with_the_change_that_it_causes(told: str, told_again: str) -> None:
    [first], [second] = (tell(ADAPTER, CASES[case], Remembered()).events for case in (told, told_again))
    assert (first.type, first.subscriber, first.keys) == (second.type, second.subscriber, second.keys)
    assert first.detail_rank > second.detail_rank


def test_two_opens_of_one_message_are_two_facts() -> None:
    later = replace(CASES["opened"], body=CASES["opened"].body.replace(b"5821423Z", b"5821424Z"))
    keys = {tell(ADAPTER, case, Remembered()).events[0].keys for case in (CASES["opened"], later)}
    assert len(keys) == 2


def test_a_delivery_is_named_by_record_type_and_trace() -> None:
    named = [ADAPTER.delivery_id(verified(ADAPTER, CASES[case])) for case in ("delivered", "opened")]
    assert named == ["Delivery:0d4c3f0b-8c6e-4bb5-9a3f-1c55d8f2a7e1", None]
