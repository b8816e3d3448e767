"""Subscribers that Lumail does not know, over the sandbox in simulated time: what each policy does and costs."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from time import monotonic

import pytest

from gateway.config import Destination
from gateway.events import Lane
from gateway.ledger.database import Ledger
from gateway.ledger.outbox import unknown_subscribers
from gateway.ledger.scheduling import lines
from gateway.ledger.schema import events
from gateway.lumail.sandbox import Sandbox
from gateway.lumail.transport import Transport
from tests.delivery.conftest import TOKEN
from tests.making import NOON, complained, opened, payment, record_facts, rows
from tests.town import Town

HOUR = timedelta(hours=1)
UNKNOWN = "unknown.example.com"


@pytest.fixture
def town(ledger: Ledger, sandbox_server: tuple[Sandbox, str]) -> Iterator[Town]:
    sandbox, base_url = sandbox_server
    transport = Transport(base_url, TOKEN)
    yield Town(ledger, sandbox, transport, Destination("main", base_url, TOKEN, requests_per_minute=100_000))
    transport.close()


def subscriber_answer(number: int = 0) -> str:
    return f"s{number}@{UNKNOWN}"


def with_policy(town: Town, policy: str) -> Town:
    return replace(town, destination=replace(town.destination, unknown_subscriber=policy))


def test_many_strangers_cost_four_calls_each_in_two_days_and_delay_nobody(town: Town) -> None:
    people = [subscriber_answer(number) for number in range(50)]
    for hours in (0, 2, 25, 47):
        town.until(NOON + hours * HOUR)
        for number, who in enumerate(people):
            town.tell(
                payment(f"p:{hours}:{number}", subscriber=who),
                opened(f"o:{hours}:{number}", who),
                opened(f"r:{hours}:{number}", who),
            )
        [known] = town.tell(payment(f"k:{hours}", subscriber="ana@example.com"))
        reported_at = town.now
        town.until(town.now + timedelta(seconds=30))
        [(settled_at,)] = [row[1:] for row in rows(town.ledger, events, "id", "settled_at") if row[0] == known]
        assert settled_at - reported_at < timedelta(seconds=1)
    town.until(NOON + 48 * HOUR - timedelta(seconds=1))
    calls = town.calls()
    assert {calls[who] for who in people} == {4}
    dropped = [status for status, reason in town.statuses() if reason == "not_in_lumail"]
    assert Counter(dropped) == {"dropped": 50 * 3 * 2, "held": 50 * 3 * 2}


def test_a_stranger_of_whom_nothing_more_is_heard_is_forgotten_without_a_call(town: Town) -> None:
    town.tell(complained("c:1", subscriber_answer()))
    town.until(NOON + 100 * HOUR)
    assert town.statuses() == [("dropped", "not_in_lumail")]
    assert town.kinds() == ["event", "ask", "ask", "ask"]
    town.tell(complained("c:2", subscriber_answer()))
    town.until(NOON + 101 * HOUR - timedelta(minutes=1))
    assert town.kinds() == ["event", "ask", "ask", "ask", "event"]


def test_a_stranger_who_appears_gets_all_that_was_held_in_order(town: Town) -> None:
    made = town.tell(
        *(complained(f"c:{number}", subscriber_answer(), occurred_at=NOON + number * HOUR) for number in range(3))
    )
    town.until(NOON + timedelta(minutes=30))
    assert town.statuses() == [("held", "not_in_lumail")] * 3
    appear(town, subscriber_answer())
    town.until(NOON + 2 * HOUR)
    assert town.statuses() == [("delivered", None)] * 3
    assert [one["data"]["gatewayEventId"] for one in town.sandbox.events()] == made


def test_only_what_was_held_for_it_leaves_when_a_subscriber_appears(town: Town) -> None:
    """A payment of which nobody can tell whether Lumail has it waits for a person, whoever appears."""
    ambiguous, held = town.tell(
        payment("p:1", subscriber=subscriber_answer()), complained("c:1", subscriber_answer(), occurred_at=NOON + HOUR)
    )
    with town.ledger.write(["main"]) as connection:
        doubtful = {"status": "held", "reason": "answer_lost", "first_attempt_at": NOON}
        connection.execute(events.update().where(events.c.id == ambiguous).values(**doubtful))
        lines.refresh(connection, "main", {(Lane.REVENUE, subscriber_answer())})
    town.until(NOON + timedelta(minutes=30))
    appear(town, subscriber_answer())
    town.until(NOON + 2 * HOUR)
    assert town.statuses() == [("held", "answer_lost"), ("delivered", None)]
    assert [one["data"]["gatewayEventId"] for one in town.sandbox.events()] == [held]


def test_an_event_that_comes_for_a_stranger_who_was_given_up_is_asked_about_once_more(town: Town) -> None:
    town.tell(complained("c:1", subscriber_answer()))
    town.until(NOON + 30 * HOUR)
    town.tell(complained("c:2", subscriber_answer()))
    town.until(NOON + 31 * HOUR)
    assert town.statuses() == [("dropped", "not_in_lumail"), ("held", "not_in_lumail")]
    appear(town, subscriber_answer())
    town.until(NOON + 60 * HOUR)
    assert town.statuses() == [("dropped", "not_in_lumail"), ("delivered", None)]


def test_the_late_answer_to_an_old_question_drops_nothing_once_lumail_knows_the_subscriber(ledger: Ledger) -> None:
    record_facts(ledger, complained("c:1", subscriber_answer()))
    with ledger.write(["main"]) as connection:
        for _ in range(3):
            unknown_subscribers.met(connection, "main", subscriber_answer(), NOON)
            unknown_subscribers.still_unknown(connection, "main", subscriber_answer(), NOON)
        unknown_subscribers.found(connection, "main", subscriber_answer(), NOON)
        connection.execute(events.update().values(status="held", reason="not_in_lumail"))
        unknown_subscribers.still_unknown(connection, "main", subscriber_answer(), NOON)
        assert unknown_subscribers.is_known(connection, "main", subscriber_answer())
    assert rows(ledger, events, "status") == [("held",)]


def test_whom_one_drain_asks_for_no_other_asks_for(ledger: Ledger) -> None:
    with ledger.write(["main"]) as connection:
        unknown_subscribers.met(connection, "main", subscriber_answer(), NOON)
        asked = [
            unknown_subscribers.to_ask(connection, "main", NOON + minutes * HOUR / 60, 5, NOON + 2 * HOUR)
            for minutes in (59, 60, 61, 120)
        ]
    assert asked == [[], [subscriber_answer()], [], [subscriber_answer()]]


def test_who_is_known_is_refused_at_once_and_asked_for_no_more(town: Town) -> None:
    appear(town, subscriber_answer())
    town.tell(complained("c:1", subscriber_answer()), complained("c:2", subscriber_answer(), occurred_at=NOON + HOUR))
    town.sandbox.fail("400", type="EMAIL_COMPLAINED")
    town.until(NOON + 2 * HOUR)
    assert {status for status, _ in town.statuses()} <= {"failed", "waiting", "held"}
    calls = town.calls()
    town.until(NOON + 30 * HOUR)
    assert town.calls()[subscriber_answer()] <= calls[subscriber_answer()] + 2
    assert {status for status, _ in town.statuses()} == {"failed"}


def test_create_makes_the_subscriber_once_and_delivers(town: Town) -> None:
    town = with_policy(town, "create")
    town.tell(payment("p:1", subscriber="new@example.com"), payment("p:2", subscriber="new@example.com", amount=5))
    town.sandbox.change(auto_subscribers=False)
    town.until(NOON + HOUR)
    assert town.statuses() == [("delivered", None)] * 2
    assert town.kinds() == ["event", "ask", "create", "event", "event"]


@pytest.mark.parametrize("status", ["400", "402"])
def test_a_subscriber_that_lumail_does_not_make_fails_its_event_alone(town: Town, status: str) -> None:
    town = with_policy(town, "create")
    town.sandbox.change(auto_subscribers=False)
    appear(town, "ana@example.com")
    town.sandbox.fail(status, call="upsert_subscriber")
    town.tell(payment("p:1", subscriber="new@example.com"), payment("p:2"))
    town.until(NOON + HOUR)
    assert town.statuses() == [("failed", "subscriber_refused"), ("delivered", None)]
    assert rows(town.ledger, events, "reason_detail") == [(status,), (None,)]


def test_create_makes_nobody_for_an_opened_mail_but_waits(town: Town) -> None:
    town = with_policy(town, "create")
    town.tell(opened("o:1", subscriber_answer()))
    town.until(NOON + 30 * HOUR)
    assert town.statuses() == [("dropped", "not_in_lumail")]
    assert town.kinds() == ["event", "ask", "ask", "ask"]


@pytest.mark.parametrize(("policy", "status"), [("drop", "dropped"), ("fail", "failed")])
def test_drop_and_fail_end_it_after_one_question(town: Town, policy: str, status: str) -> None:
    town = with_policy(town, policy)
    town.tell(payment("p:1", subscriber=subscriber_answer()))
    town.until(NOON + HOUR)
    assert (town.statuses(), town.kinds()) == ([(status, "not_in_lumail")], ["event", "ask"])


@pytest.mark.parametrize(("policy", "status"), [("drop", "dropped"), ("fail", "failed")])
def test_drop_and_fail_ask_once_for_a_stranger_and_not_once_an_event(town: Town, policy: str, status: str) -> None:
    town = with_policy(town, policy)
    town.tell(*(opened(f"o:{number}", subscriber_answer()) for number in range(20)))
    town.until(NOON + timedelta(minutes=50))
    town.tell(*(payment(f"p:{number}", subscriber=subscriber_answer()) for number in range(20)))
    town.until(NOON + timedelta(minutes=59))
    assert (set(town.statuses()), town.kinds()) == ({(status, "not_in_lumail")}, ["event", "ask"])


def test_who_was_left_out_is_found_an_hour_after_subscribing_to_lumail(town: Town) -> None:
    town = with_policy(town, "drop")
    town.tell(payment("p:1", subscriber=subscriber_answer()))
    town.until(NOON + timedelta(minutes=1))
    appear(town, subscriber_answer())
    town.until(NOON + timedelta(minutes=62))
    town.tell(payment("p:2", subscriber=subscriber_answer()))
    town.until(NOON + timedelta(minutes=63))
    assert town.statuses() == [("dropped", "not_in_lumail"), ("delivered", None)]
    assert town.kinds() == ["event", "ask", "event"]


def test_create_makes_a_subscriber_who_was_met_as_a_stranger_before_and_delivers_what_was_held(town: Town) -> None:
    town = with_policy(town, "create")
    town.tell(opened("o:1", subscriber_answer()))
    town.until(NOON + timedelta(minutes=1))
    town.tell(payment("p:1", subscriber=subscriber_answer()))
    town.sandbox.change(auto_subscribers=False)
    town.until(NOON + timedelta(minutes=2))
    assert town.statuses() == [("delivered", None)] * 2
    assert town.kinds() == ["event", "create", "event", "event"]


def test_a_question_that_finds_no_answer_is_asked_again(town: Town) -> None:
    town.tell(payment("p:1", subscriber=subscriber_answer()))
    town.sandbox.fail("error_502", call="subscriber", recorded=False, count=2)
    town.until(NOON + 30 * HOUR)
    assert town.kinds() == ["event", *["ask"] * 5]
    assert town.statuses() == [("dropped", "not_in_lumail")]


def test_a_404_for_somebody_lumail_knew_is_asked_about_again(town: Town) -> None:
    town.tell(payment("p:1"))
    town.until(NOON + timedelta(minutes=1))
    town.sandbox.fail("404", type="SUBSCRIBER_PAYMENT", count=1)
    town.tell(payment("p:2", amount=3))
    town.until(NOON + 2 * HOUR)
    assert town.statuses() == [("delivered", None)] * 2


def appear(town: Town, who: str) -> None:
    ends_by = monotonic() + 5
    body = f'{{"email": "{who}"}}'.encode()
    assert town.transport.exchange("POST", "/subscribers", body, send_before=ends_by, ends_by=ends_by).status == 200
