"""Processes killed at random while a thousand payments come in: none is lost, none is recorded twice."""

from collections import Counter
from pathlib import Path

import pytest

from gateway.ledger.database import Ledger
from gateway.ledger.schema import events
from tests.crash.installation import Provider, installation, killing, payments
from tests.making import rows
from tests.waiting import eventually

PAYMENTS = 1000


@pytest.mark.timeout(700)
def test_a_thousand_payments_survive_the_death_of_any_process(tmp_path: Path, postgresql_url: str) -> None:
    with installation(tmp_path, postgresql_url) as running:
        running.sandbox.change(latency_ms=100)  # so that death often finds requests under way
        ledger = Ledger(postgresql_url)
        stripe = Provider(running.url)
        with killing(running, ("web", "web", "worker", "worker", "redis"), every=(0.2, 0.8)) as killed:
            stripe.post_all(payments(range(PAYMENTS)), gives_up_after=300)
            eventually(lambda: killed.total() > 20, within=300)
        eventually(lambda: _all_settled(ledger), within=300, what=f"all events are settled; see {running.log}")
        recorded = Counter(one["data"]["gatewayEventId"] for one in running.sandbox.events())
        found = {event: (status, reason) for event, status, reason in rows(ledger, events, "id", "status", "reason")}
        ledger.close()

    print(f"killed {dict(killed)}, refused {Counter(stripe.refused)}, {Counter(found.values())}")
    assert len(stripe.acknowledged) == PAYMENTS
    assert {number: len(made) for number, made in stripe.events.items() if len(made) > 1} == {}
    assert len(found) == PAYMENTS
    assert set().union(*stripe.events.values()) <= set(found)
    assert set(found.values()) == {("delivered", None)}
    assert max(recorded.values()) == 1
    assert set(recorded) == set(found)


def _all_settled(ledger: Ledger) -> bool:
    statuses = Counter(status for (status,) in rows(ledger, events, "status"))
    return sum(statuses.values()) == PAYMENTS and statuses["delivered"] == PAYMENTS
