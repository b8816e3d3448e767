"""What an operator decides about events: what is sent of them, and until when that is worth it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from gateway.delivery.drain import DeliveryPool
from gateway.delivery.tick import drop_outdated
from gateway.events import EventType
from gateway.ledger.database import Ledger
from gateway.ledger.outbox.expiry import STEP
from gateway.ledger.schema import events, lines
from gateway.ledger.status import Reason
from tests.delivery.conftest import Later, Road
from tests.making import NOON, complained, fact, opened, payment, record_facts, rows

OVER = NOON - timedelta(days=1)
"""Before now, on any day that tests run."""


@pytest.fixture
def road_with(road: Road) -> Iterator[Any]:
    """The road with another configuration of its destination."""
    made: list[DeliveryPool] = []

    def with_policies(**policies: Any) -> Road:
        destination = replace(road.delivery_pool.destinations["main"], **policies)
        delivery_pool = DeliveryPool(road.ledger, {"main": destination}, threads=4)
        made.append(delivery_pool)
        return replace(road, delivery_pool=delivery_pool)

    yield with_policies
    for delivery_pool in made:
        delivery_pool.close()


def refund(key: str) -> Any:
    return fact(EventType.SUBSCRIBER_REFUND, {"amount": 12.5, "product": "Course", "currency": "EUR"}, key)


def test_without_annotation_only_the_fields_of_the_type_are_sent(road_with: Any) -> None:
    road = road_with(annotate=False)
    record_facts(road.ledger, refund("r:1"))
    road.drain()
    assert [one["data"] for one in road.recorded()] == [{"amount": 12.5, "product": "Course"}]


@pytest.mark.parametrize(("sign", "amount"), [("positive", 12.5), ("negative", -12.5)])
def test_a_refund_has_the_sign_that_is_wanted_and_a_payment_its_own(road_with: Any, sign: str, amount: float) -> None:
    road = road_with(refund_sign=sign)
    record_facts(road.ledger, payment("p:1", subscriber="bo@example.com"), refund("r:1"))
    road.drain()
    assert {one["eventType"]: one["data"]["amount"] for one in road.recorded()} == {
        "SUBSCRIBER_PAYMENT": 49.99,
        "SUBSCRIBER_REFUND": amount,
    }


@pytest.mark.parametrize("policies", [{"annotate": False}, {"refund_sign": "negative"}])
@pytest.mark.parametrize("echo", [True, False])
def test_a_lost_answer_is_found_by_what_was_sent(
    road_with: Any, later: Later, policies: dict[str, Any], echo: bool
) -> None:
    road = road_with(**policies)
    road.sandbox.change(echo=echo)
    record_facts(road.ledger, payment("p:0", amount=1))
    road.drain()
    record_facts(road.ledger, refund("r:1"))
    road.sandbox.fail("drop_after", count=1)
    road.drain()
    later(seconds=3, road=road)
    later(seconds=30, road=road)
    assert [status for status, _ in road.statuses()] == ["delivered", "delivered"]
    assert len(road.recorded()) == 2


def test_what_was_sent_is_looked_for_even_if_the_policy_was_changed_since(
    road_with: Any, later: Later, road: Road
) -> None:
    before, after = road_with(refund_sign="negative", annotate=False), road_with(refund_sign="positive")
    record_facts(before.ledger, refund("r:1"))
    road.sandbox.fail("drop_after", count=1)
    before.drain()
    later(seconds=3, road=after)
    assert [status for status, _ in after.statuses()] == ["delivered"]
    assert [one["data"]["amount"] for one in after.recorded()] == [-12.5]


def test_an_event_that_would_leave_too_late_is_dropped_and_never_sent(road: Road) -> None:
    record_facts(
        road.ledger,
        opened("o:1", expires_at=OVER),
        opened("o:2", subscriber="bo@example.com"),
        complained("c:1", expires_at=OVER),
        complained("c:2", occurred_at=NOON + timedelta(minutes=1)),
    )
    assert road.drain() == 2
    assert road.statuses() == [("dropped", "expired"), ("delivered", None), ("dropped", "expired"), ("delivered", None)]
    assert rows(road.ledger, lines, "subscriber") == []


def test_a_fact_that_expired_is_not_told_again(road: Road) -> None:
    record_facts(road.ledger, opened("o:1", expires_at=OVER))
    road.drain()
    assert record_facts(road.ledger, opened("o:1")) == []


def test_of_a_backlog_that_expired_nothing_is_sent_and_what_is_behind_it_leaves(road: Road) -> None:
    late = [opened(f"o:{number}", f"s{number}@example.com", expires_at=OVER) for number in range(STEP + 20)]
    record_facts(road.ledger, *late, opened("o:fresh"))
    assert road.drain() == 1
    assert road.statuses().count(("dropped", "expired")) == len(late)


def test_an_event_in_doubt_does_not_expire(road: Road) -> None:
    record_facts(road.ledger, payment("p:1"))
    road.sandbox.fail("drop_after", count=1)
    road.drain()
    with road.ledger.write(["main"]) as connection:
        connection.execute(update(events).values(expires_at=OVER))
    road.drain()
    assert road.statuses() == [("unknown", Reason.ANSWER_LOST)]


def test_what_is_held_for_too_long_is_dropped_with_what_it_waited_for(road: Road) -> None:
    record_facts(
        road.ledger,
        payment("p:1", subscriber=None, waits_for="customer:1"),
        payment("p:2", subscriber=None, waits_for="customer:2"),
    )
    held_since(road.ledger, timedelta(days=31), "p:1")
    drop_outdated(road.ledger, road.delivery_pool.destinations)
    assert road.statuses() == [("dropped", "held_too_long"), ("held", "subscriber_unknown")]
    assert rows(road.ledger, events, "former_reason") == [("subscriber_unknown",), (None,)]
    assert len(record_facts(road.ledger, payment("p:1"))) == 1


def test_an_event_that_lumail_may_have_is_not_told_again_after_it_was_held_too_long(road: Road) -> None:
    [event] = record_facts(road.ledger, payment("p:1"))
    with road.ledger.write(["main"]) as connection:
        connection.execute(
            update(events).values(status="held", reason=Reason.ANSWER_LOST, held_at=OVER - timedelta(days=99))
        )
    drop_outdated(road.ledger, road.delivery_pool.destinations)
    assert record_facts(road.ledger, payment("p:1")) == []
    assert rows(road.ledger, events, "id", "status") == [(event, "dropped")]


def held_since(ledger: Ledger, ago: timedelta, key: str) -> None:
    first = rows(ledger, events, "id", "created_at")[0]
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).where(events.c.id == first[0]).values(held_at=first[1] - ago))
