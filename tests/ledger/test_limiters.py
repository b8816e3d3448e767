"""A plan is used to the full and payments leave at once, whatever way Lumail counts in; at length: --limiters."""

import itertools

import pytest

from gateway.lumail.sandbox.limits import RESETS, WINDOWS
from tests.ledger.rate_limited import Setup, simulate

SAID = [*RESETS, "past", "half a minute"]
"""What `X-RateLimit-Reset` may name, right or wrong."""

LATENCIES = (0.0, 0.1)


@pytest.mark.parametrize("window", list(WINDOWS))
def test_alone_the_plan_is_used_and_never_exceeded(window: str) -> None:
    for reset, latency in itertools.product(("end", "minute"), LATENCIES):
        setup = Setup(window, reset, latency, payments_every=None)
        found = simulate(setup)
        assert (found.refused, found.most_in_a_minute() <= setup.plan) == (0, True)
        assert found.used(setup) >= 0.94


@pytest.mark.parametrize(("window", "reset"), list(itertools.product(WINDOWS, SAID)))
def test_payments_pass_a_backlog_and_the_plan_is_used_to_the_full(window: str, reset: str) -> None:
    for latency in LATENCIES if reset == "end" else LATENCIES[1:]:
        setup = Setup(window, reset, latency)
        found = simulate(setup)
        assert (found.refused, found.most_in_a_minute() <= setup.plan) == (0, True)
        assert max(found.waits) <= 1
        assert found.used(setup) >= 0.97


@pytest.mark.parametrize("window", list(WINDOWS))
def test_beside_another_client_hardly_anything_is_refused(window: str, limiters: int) -> None:
    """In a minute that others have filled a payment waits, as nothing can help."""
    setups = [
        Setup(window, reset, latency, others=0.3, payments_every=every, minutes=5, seed=seed)
        for reset, latency, every in itertools.product(("end", "minute", "absent"), (0.1,), (None, 10.0))
        for seed in range(1, limiters + 1)
    ]
    found = [simulate(setup) for setup in setups]
    assert all(one.most_in_a_minute() <= setup.plan for one, setup in zip(found, setups, strict=True))
    assert sum(one.refused for one in found) < sum(len(one.ours) for one in found) * 0.01
    assert sum(one.used(setup) for one, setup in zip(found, setups, strict=True)) / len(setups) >= 0.84


def test_a_larger_plan_is_used_as_well() -> None:
    setup = Setup("buckets", plan=700, minutes=2)
    found = simulate(setup)
    assert (found.refused, found.most_in_a_minute() <= 700, max(found.waits) <= 1) == (0, True, True)
    assert found.used(setup) >= 0.95
