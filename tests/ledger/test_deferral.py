"""A source that rests: its events wait out of everybody's way, and come back when it goes on."""

from datetime import datetime, timedelta

import pytest

from gateway.events import Lane
from gateway.ledger.database import Ledger
from gateway.ledger.outbox import deferral
from gateway.ledger.scheduling import leases, pauses
from gateway.ledger.scheduling.pauses import Scope
from gateway.ledger.schema import events
from tests.ledger.test_claims import Drain, delivered
from tests.making import complained, opened, payment, record, rows, submission, told

STRIPE = Scope("source", "main", "stripe")
SHOPIFY = Scope("source", "main", "shopify")


@pytest.fixture
def soon(ledger: Ledger) -> datetime:
    with ledger.read() as connection:
        return ledger.now(connection) + timedelta(seconds=5)


def rest(ledger: Ledger, *scopes: Scope) -> None:
    with ledger.write(["main"]) as connection:
        for scope in scopes:
            pauses.rest(connection, scope, {"who": "ana"}, ledger.now(connection))


def resume(ledger: Ledger, scope: Scope, now: datetime) -> list[str]:
    with ledger.write(["main"]) as connection:
        return [one.reason for one in pauses.end_all(connection, scope, now)]


def tell(ledger: Ledger, source: str, number: int) -> None:
    """An open, a complaint and a payment of each of so many subscribers."""
    people = [f"{source}{one}@example.com" for one in range(number)]
    facts = [
        *(opened(f"{source}:o:{who}", who) for who in people),
        *(complained(f"{source}:c:{who}", who) for who in people),
        *(payment(f"{source}:p:{who}", subscriber=who) for who in people),
    ]
    record(ledger, submission(*(told(one) for one in facts), source=source))


def drained(ledger: Ledger, now: datetime) -> dict[str, int]:
    """How many events of each source are delivered by a drain that goes on until nothing is left to do."""
    drain = Drain(ledger)
    drain.lease(now)
    sent: list[str] = []
    turned = drain.turn(now, wanted=32, limit=1_000_000)
    while turned.claimed or turned.again:
        sent += [one.event.source for one in turned.claimed if one.event]
        settled = [delivered(one, one.event_id) for one in turned.claimed]
        turned = drain.turn(now, wanted=32, limit=1_000_000, settlements=settled)
    return {source: sent.count(source) for source in sorted(set(sent))}


def test_a_source_at_rest_sends_nothing_and_calls_for_no_drain(ledger: Ledger, soon: datetime) -> None:
    tell(ledger, "stripe", 40)
    tell(ledger, "shopify", 3)
    rest(ledger, STRIPE)
    assert drained(ledger, soon) == {"shopify": 9}
    assert Drain(ledger).release(soon, limit=1_000_000) is None
    with ledger.read() as connection:
        assert leases.due(connection, soon + leases.LONGEST_SLEEP - timedelta(seconds=1)) == []
    assert {status for status, source in rows(ledger, events, "status", "source") if source == "stripe"} == {"waiting"}


def test_what_was_set_aside_is_not_looked_at_by_a_claim(ledger: Ledger, soon: datetime) -> None:
    tell(ledger, "stripe", 40)
    rest(ledger, STRIPE)
    drained(ledger, soon)
    with ledger.write(["main"]) as connection:
        assert deferral.defer_and_restore(connection, "main", soon) is False
        assert [deferral.next_due(connection, "main", lane) for lane in Lane] == [None] * 4


def test_a_source_that_goes_on_sends_all_that_came_meanwhile(ledger: Ledger, soon: datetime) -> None:
    tell(ledger, "stripe", 40)
    rest(ledger, STRIPE, SHOPIFY)
    tell(ledger, "shopify", 3)
    drained(ledger, soon)
    assert resume(ledger, STRIPE, soon) == ["paused by ana"]
    assert drained(ledger, soon) == {"stripe": 120}
    assert resume(ledger, STRIPE, soon) == []
    assert resume(ledger, SHOPIFY, soon) == ["paused by ana"]
    assert drained(ledger, soon) == {"shopify": 9}


def test_more_than_one_step_is_set_aside_and_brought_back(ledger: Ledger, soon: datetime) -> None:
    tell(ledger, "stripe", deferral.STEP + 30)
    rest(ledger, STRIPE)
    assert drained(ledger, soon) == {}
    resume(ledger, STRIPE, soon)
    assert drained(ledger, soon) == {"stripe": 3 * (deferral.STEP + 30)}


def test_a_source_can_rest_again_before_all_is_back(ledger: Ledger, soon: datetime) -> None:
    tell(ledger, "stripe", 3)
    rest(ledger, STRIPE)
    drained(ledger, soon)
    resume(ledger, STRIPE, soon)
    rest(ledger, STRIPE)
    assert drained(ledger, soon) == {}
    resume(ledger, STRIPE, soon)
    assert drained(ledger, soon) == {"stripe": 9}


def test_what_stands_behind_an_event_of_a_source_at_rest_waits_in_their_line(ledger: Ledger, soon: datetime) -> None:
    for number, source in enumerate(["stripe", "shopify"]):
        fact = payment(f"p:{number}", occurred_at=soon + timedelta(minutes=number))
        record(ledger, submission(told(fact), source=source))
    rest(ledger, STRIPE)
    assert drained(ledger, soon) == {}
    resume(ledger, STRIPE, soon)
    assert drained(ledger, soon) == {"shopify": 1, "stripe": 1}
