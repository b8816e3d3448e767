"""Lost answers: Lumail is read back before anything is sent again."""

import json
import time
from typing import Any

import pytest

from gateway.ledger.schema import attempts, destinations, events, pauses
from gateway.ledger.status import PauseKind, Reason
from tests.delivery.conftest import Later, Road
from tests.making import complained, payment, record_facts, rows


def kinds(road: Road) -> list[str]:
    return [kind for (kind,) in rows(road.ledger, attempts, "kind")]


@pytest.mark.parametrize("kind", ["drop_after", "cut_200", "error_500_after", "garbage_200", "empty_200", "other_2xx"])
@pytest.mark.parametrize("echo", [True, False])
def test_a_recorded_event_whose_answer_was_lost_is_found_and_not_sent_again(
    road: Road, later: Later, kind: str, echo: bool
) -> None:
    road.sandbox.change(echo=echo)
    settled_before(road)
    record_facts(road.ledger, payment("p:1"))
    road.sandbox.fail(kind, count=1)
    road.drain()
    later(seconds=3)
    later(seconds=30)
    [_, recorded] = road.recorded()
    assert rows(road.ledger, events, "status", "lumail_event_id")[1] == ("delivered", recorded["id"])
    assert kinds(road).count("event") == 2


@pytest.mark.parametrize("kind", ["drop_before", "error_500_before", "error_502", "408"])
@pytest.mark.parametrize("echo", [True, False])
def test_an_event_that_was_not_recorded_is_sent_again_when_the_doubt_ends(
    road: Road, later: Later, kind: str, echo: bool
) -> None:
    road.sandbox.change(echo=echo)
    settled_before(road)
    record_facts(road.ledger, payment("p:1"))
    road.sandbox.fail(kind, count=1)
    road.drain()
    later(seconds=3)
    assert road.statuses()[1] == ("unknown", Reason.ANSWER_LOST)
    later(seconds=620)
    assert [status for status, _ in road.statuses()] == ["delivered", "delivered"]
    assert len(road.recorded()) == 2


def test_an_event_that_was_led_elsewhere_is_read_back_in_the_pause_and_ends_it_when_it_is_sent_again(
    road: Road, later: Later
) -> None:
    settled_before(road)
    record_facts(road.ledger, payment("p:1"))
    road.sandbox.fail("redirect", count=1)
    road.drain()
    assert [kind for kind, _ in open_pauses(road)] == [PauseKind.DESTINATION_REFUSES]
    for seconds in (620, 30):
        later(seconds=seconds)
    assert (road.statuses()[1], kinds(road).count("read")) == (("waiting", None), 2)
    later(seconds=60)
    assert ([status for status, _ in road.statuses()], open_pauses(road)) == (["delivered", "delivered"], [])
    assert len(road.recorded()) == 2


def open_pauses(road: Road) -> list[tuple[Any, ...]]:
    return [(kind, ended) for kind, ended in rows(road.ledger, pauses, "kind", "ended_at") if ended is None]


def test_a_first_read_that_comes_late_is_confirmed_soon(road: Road, later: Later) -> None:
    settled_before(road)
    record_facts(road.ledger, payment("p:1"))
    road.sandbox.fail("drop_before", count=1)
    road.drain()
    later(seconds=3600)
    later(seconds=11)
    assert [status for status, _ in road.statuses()] == ["delivered", "delivered"]


def test_an_error_of_a_read_proves_nothing(road: Road, later: Later) -> None:
    settled_before(road)
    record_facts(road.ledger, payment("p:1"))
    road.sandbox.fail("drop_after", count=1)
    road.sandbox.fail("error_502", call="subscriber_events", recorded=False)
    road.drain()
    for _ in range(4):
        later(seconds=700)
    assert road.statuses()[1] == ("unknown", Reason.ANSWER_LOST)
    assert len(road.recorded()) == 2


def test_a_404_for_a_subscriber_whom_lumail_has_answered_for_proves_nothing(road: Road, later: Later) -> None:
    settled_before(road)
    record_facts(road.ledger, payment("p:1"))
    road.sandbox.fail("drop_before", count=1)
    road.sandbox.fail("404", call="subscriber_events")
    road.drain()
    for _ in range(4):
        later(seconds=700)
    assert road.statuses()[1] == ("unknown", Reason.ANSWER_LOST)


def test_a_read_that_lags_behind_does_not_make_a_payment_double(road: Road, later: Later) -> None:
    road.sandbox.change(read_lag=3600)
    settled_before(road)
    record_facts(road.ledger, payment("p:1"))
    road.sandbox.fail("drop_after", count=1)
    road.drain()
    later(seconds=3)
    later(seconds=30)
    road.sandbox.change(read_lag=0)
    later(seconds=600)
    assert [status for status, _ in road.statuses()] == ["delivered", "delivered"]
    assert len(road.recorded()) == 2
    assert rows(road.ledger, destinations, "read_lag_ms")[0][0] is not None


def test_of_two_equal_payments_in_doubt_as_many_are_found_as_were_recorded(road: Road, later: Later) -> None:
    road.sandbox.change(echo=False)
    settled_before(road)
    record_facts(road.ledger, payment("p:1"))
    road.sandbox.fail("drop_after", count=1)
    road.drain()
    record_facts(road.ledger, payment("p:2"))
    later(seconds=3)
    later(seconds=30)
    assert [status for status, _ in road.statuses()] == ["delivered"] * 3
    assert len(road.recorded()) == 3
    assert len({lumail_id for (lumail_id,) in rows(road.ledger, events, "lumail_event_id")}) == 3


def test_a_line_stays_closed_while_its_head_is_in_doubt(road: Road, later: Later) -> None:
    settled_before(road)
    record_facts(road.ledger, complained("c:1"))
    road.sandbox.fail("drop_before", type="EMAIL_COMPLAINED", count=1)
    road.drain()
    record_facts(road.ledger, complained("c:2"))
    road.drain()
    assert [status for status, _ in road.statuses()] == ["delivered", "unknown", "waiting"]
    later(seconds=3)
    later(seconds=200)
    later(seconds=30)
    assert [status for status, _ in road.statuses()] == ["delivered"] * 3


def test_a_clock_that_is_an_hour_ahead_hides_nothing(road: Road, later: Later) -> None:
    road.sandbox.change(clock_offset=3600)
    settled_before(road)
    record_facts(road.ledger, payment("p:1"))
    road.sandbox.fail("drop_after", count=1)
    road.drain()
    later(seconds=3)
    assert [status for status, _ in road.statuses()] == ["delivered", "delivered"]


def test_a_record_that_may_be_it_is_shown_to_a_person(road: Road, later: Later) -> None:
    road.sandbox.change(echo=False)
    settled_before(road)
    record_facts(road.ledger, payment("p:1", product="Course"))
    road.sandbox.fail("drop_before", count=1)
    road.drain()
    subscriber_answer: dict[str, Any] = {"amount": 49.99, "product": "Course, told by somebody else"}
    road.delivery_pool.transport("main").post_event(
        _body("SUBSCRIBER_PAYMENT", "ana@example.com", subscriber_answer),
        send_before=time.monotonic() + 5,
        ends_by=time.monotonic() + 5,
    )
    later(seconds=3)
    later(seconds=700)
    assert road.statuses()[1] == ("held", Reason.ANSWER_LOST)
    assert len(rows(road.ledger, events, "candidates")[1][0]) == 1


def settled_before(road: Road) -> list[str]:
    """An earlier payment of the same subscriber, by which Lumail is known to have it, and its habits are seen."""
    made = record_facts(road.ledger, payment("p:0", amount=1, product="Earlier"))
    road.drain()
    return made


def _body(event_type: str, subscriber: str, data: dict[str, Any]) -> bytes:
    return json.dumps({"eventType": event_type, "subscriber": subscriber, "data": data}).encode()
