"""From the ledger to Lumail, with every kind of answer that Lumail may give."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.config import Destination
from gateway.delivery.drain import DeliveryPool, drain
from gateway.events import decode_data
from gateway.ledger.schema import attempts, destinations, events, pauses
from gateway.ledger.status import Reason
from gateway.outgoing import Outgoing
from tests.delivery.conftest import Road
from tests.lumail.proxy import Proxied, proxy, saying
from tests.making import NOON, complained, opened, payment, record, record_facts, rows, submission, told


def test_an_event_is_recorded_by_lumail_with_what_recognises_it(road: Road) -> None:
    [event] = record_facts(road.ledger, payment("p:1"))
    assert road.drain() == 1
    [recorded] = road.recorded()
    assert recorded["data"] == {
        "amount": 49.99,
        "product": "Course",
        "gatewayEventId": event,
        "occurredAt": "2026-11-20T12:00:00.000Z",
        "source": "stripe",
    }
    assert rows(road.ledger, events, "status", "lumail_event_id", "tries") == [("delivered", recorded["id"], 1)]
    assert rows(road.ledger, attempts, "outcome", "status", "kind") == [("recorded", 200, "event")]


def test_a_line_leaves_in_order_and_all_of_it(road: Road) -> None:
    record_facts(
        road.ledger,
        *(complained(f"c:{minute}", occurred_at=NOON + timedelta(minutes=minute)) for minute in (4, 2, 5, 1, 3)),
    )
    road.drain()
    assert [one["data"]["emailId"] for one in road.recorded()] == [f"c:{minute}" for minute in (1, 2, 3, 4, 5)]


def test_two_hundred_events_are_each_recorded_once_by_two_drains_at_once(road: Road) -> None:
    made = record_facts(
        road.ledger, *(complained(f"c:{number}", subscriber=f"s{number}@example.com") for number in range(200))
    )
    drains = [threading.Thread(target=road.drain) for _ in range(2)]
    for one in drains:
        one.start()
    for one in drains:
        one.join()
    assert sorted(one["data"]["gatewayEventId"] for one in road.recorded()) == sorted(made)
    assert {status for status, _ in road.statuses()} == {"delivered"}


@pytest.mark.parametrize(
    "kind",
    [
        "drop_before",
        "drop_after",
        "cut_200",
        "error_500_before",
        "error_500_after",
        "error_502",
        "garbage_200",
        "empty_200",
        "other_2xx",
        "408",
    ],
)
def test_an_answer_that_leaves_doubt_puts_the_event_in_doubt_and_is_not_sent_again(road: Road, kind: str) -> None:
    road.sandbox.fail(kind, count=1)
    record_facts(road.ledger, payment("p:1"))
    road.drain()
    road.drain()
    assert road.statuses() == [("unknown", Reason.ANSWER_LOST)]
    assert len(road.sandbox.requests()) == 1


def test_a_409_fails_the_event_alone_with_lumails_words(road: Road) -> None:
    road.sandbox.fail("409", type="SUBSCRIBER_PAYMENT", count=1)  # both are under way at once: the payment is meant
    record_facts(road.ledger, payment("p:1"), opened("o:1"))
    road.drain()
    assert road.statuses() == [
        ("failed", "refused"),
        ("delivered", None),
    ]
    assert "message" in str(rows(road.ledger, attempts, "body")[0])


@pytest.mark.parametrize("kind", ["429", "401", "402", "403", "410", "elsewhere_404"])
def test_a_refused_destination_rests_and_its_events_use_up_no_try(road: Road, kind: str) -> None:
    road.sandbox.fail(kind, count=1, retry_after=30)
    record_facts(road.ledger, payment("p:1"))
    assert (road.drain(), road.drain()) == (1, 0)
    assert rows(road.ledger, events, "status", "tries") == [("waiting", 0)]
    [(until,)] = rows(road.ledger, pauses, "until")
    assert until is not None
    assert rows(road.ledger, destinations, "wake_at")[0] == (until,)


def test_a_destination_that_refuses_connections_costs_no_try_but_a_wait(road: Road) -> None:
    nowhere = DeliveryPool(road.ledger, {"main": Destination("main", "http://127.0.0.1:9/api/v1", "lum_x", 1000)})
    record_facts(road.ledger, payment("p:1"))
    assert drain(nowhere, "main") == 1
    nowhere.close()
    [(status, tries, due_at, created_at)] = rows(road.ledger, events, "status", "tries", "due_at", "created_at")
    assert (status, tries, due_at > created_at) == ("waiting", 0, True)


def sent_through(road: Road, through: Proxied) -> tuple[str, int]:
    """What becomes of one event of which the destination goes through a proxy."""
    main = replace(road.delivery_pool.destinations["main"], outgoing=Outgoing(through.url()))
    pool = DeliveryPool(road.ledger, {"main": main})
    record_facts(road.ledger, payment("p:1"))
    assert drain(pool, "main") == 1
    pool.close()
    [(status, tries)] = rows(road.ledger, events, "status", "tries")
    return status, tries


def test_an_event_is_delivered_through_a_proxy(road: Road) -> None:
    with proxy() as through:
        assert sent_through(road, through) == ("delivered", 1)
    assert (len(through.tunnels), len(road.recorded())) == (1, 1)


def test_a_proxy_that_lets_nobody_through_costs_no_try(road: Road) -> None:
    with proxy(saying(b"HTTP/1.1 407 Who are you\r\n\r\n")) as through:
        assert sent_through(road, through) == ("waiting", 0)


def test_a_stopping_courier_claims_nothing_more_but_finishes_what_is_under_way(road: Road) -> None:
    road.sandbox.change(latency_ms=300)
    record_facts(road.ledger, *(opened(f"o:{number}") for number in range(40)))
    running = threading.Thread(target=road.drain)
    running.start()
    while not road.sandbox.requests() and running.is_alive():
        running.join(0.01)
    road.delivery_pool.stopping.set()
    running.join()
    statuses = [status for status, _ in road.statuses()]
    assert set(statuses) == {"delivered", "waiting"}
    assert statuses.count("delivered") == len(road.recorded())


def test_amounts_arrive_as_the_numbers_that_they_are(road: Road) -> None:
    record_facts(road.ledger, payment("p:1", amount=0.1), payment("p:2", amount=1234567.89, subscriber="b@example.com"))
    road.drain()
    assert sorted(one["data"]["amount"] for one in road.recorded()) == [0.1, 1234567.89]
    assert [str(decode_data(data)["amount"]) for (data,) in rows(road.ledger, events, "data")] == ["0.1", "1234567.89"]


def test_a_job_for_a_destination_that_is_no_more_configured_ends(road: Road) -> None:
    assert drain(road.delivery_pool, "gone") == 0


def test_where_the_telling_that_went_out_came_to_nothing_the_other_takes_its_place(road: Road) -> None:
    record_facts(road.ledger, payment("p:1", product="Sent"))
    road.sandbox.fail("409", count=1)
    road.sandbox.change(latency_ms=400)
    running = threading.Thread(target=road.drain)
    running.start()
    while rows(road.ledger, events, "status") == [("waiting",)]:
        running.join(0.01)
    record_facts(road.ledger, payment("i:1", product="Twin"))
    record(road.ledger, submission(told(links=(("p:1", "i:1"),))))
    running.join()
    road.drain()
    assert [status for status, _ in road.statuses()] == ["failed", "delivered"]
    assert [one["data"]["product"] for one in road.recorded()] == ["Twin"]
