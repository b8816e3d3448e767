"""Refusals in a row, over the sandbox in simulated time: when they pause the destination, and what becomes of them."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from time import monotonic

import pytest
from sqlalchemy import update

from gateway.config import Destination
from gateway.events import EventType
from gateway.ledger.database import Ledger
from gateway.ledger.outbox.refusals import RUN
from gateway.ledger.schema import events, job_items, pauses, refusals
from gateway.ledger.schema import jobs as job_rows
from gateway.lumail.sandbox import Sandbox
from gateway.lumail.transport import Transport
from gateway.replay import by_itself
from gateway.replay.bulk import Replays
from tests.delivery.conftest import TOKEN
from tests.making import NOON, complained, fact, payment, rows
from tests.town import Town

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
PEOPLE = [f"p{number}@example.com" for number in range(5)]
PLANS = {"main": 1000}


class Simulated(Ledger):
    """Its clock is the town's."""

    town: Town

    def now(self, connection: object) -> object:  # type: ignore[override]  # whatever the connection
        return self.town.now


@pytest.fixture
def town(ledger: Ledger, sandbox_server: tuple[Sandbox, str]) -> Iterator[Town]:
    sandbox, base_url = sandbox_server
    transport = Transport(base_url, TOKEN)
    simulated = Simulated(ledger.url)
    town = Town(simulated, sandbox, transport, Destination("main", base_url, TOKEN, requests_per_minute=1000))
    simulated.town = town
    yield town
    transport.close()
    simulated.close()


def met(town: Town, people: list[str] = PEOPLE) -> None:
    """Lumail has recorded something of each of them."""
    town.tell(*(complained(f"met:{who}", who) for who in people))
    town.until(town.now + MINUTE)


def tell(town: Town, name: str, number: int = RUN, people: list[str] = PEOPLE) -> list[str]:
    return town.tell(
        *(
            fact(
                EventType.TAG_ADDED,
                {"tagId": f"{name}{n}", "tagName": name},
                f"{name}:{n}",
                subscriber=people[n % len(people)],
            )
            for n in range(number)
        )
    )


def paused(town: Town) -> list[str]:
    return [kind for kind, ended in rows(town.ledger, pauses, "kind", "ended_at") if ended is None]


def bring_back(town: Town, *, minutes: int = 10) -> None:
    """What workers do besides, for so long."""
    replays = Replays(town.ledger, PLANS, dict)
    for job in by_itself.bring_back(town.ledger, PLANS):
        for _ in range(minutes * 6):
            while replays.step(job):
                continue
            town.until(town.now + timedelta(seconds=10))


def over(town: Town) -> None:
    """Lumail takes events again, and a probe has seen it."""
    town.sandbox.faults.clear()
    tell(town, "probe", 1)
    town.until(town.now + 6 * MINUTE)


def test_twenty_in_a_row_of_five_people_whom_lumail_has_pause_the_destination(town: Town) -> None:
    met(town)
    town.sandbox.fail("400")
    tell(town, "a", RUN - 1)
    town.until(town.now + MINUTE)
    assert paused(town) == []
    tell(town, "b", 1)
    town.until(town.now + MINUTE)
    assert (paused(town), town.kinds().count("ask")) == (["destination_refuses"], 1)


@pytest.mark.parametrize("number", [1, 4])
def test_what_is_wrong_with_a_few_people_pauses_nothing(town: Town, number: int) -> None:
    met(town)
    town.sandbox.fail("400")
    tell(town, "a", 60, PEOPLE[:number])
    town.until(town.now + MINUTE)
    assert (paused(town), town.kinds().count("ask")) == ([], 0)


def test_a_success_ends_the_run(town: Town) -> None:
    met(town)
    for name in ("a", "b"):
        town.sandbox.fail("400")
        tell(town, name, RUN - 1)
        town.until(town.now + MINUTE)
        town.sandbox.faults.clear()
        tell(town, f"{name} well", 1)
        town.until(town.now + MINUTE)
    assert (paused(town), rows(town.ledger, refusals, "event")) == ([], [])


@pytest.mark.parametrize("policy", ["drop", "fail", "wait"])
def test_an_import_of_strangers_pauses_nothing(town: Town, policy: str) -> None:
    town.destination = replace(town.destination, unknown_subscriber=policy)
    strangers = [f"s{number}@unknown.example.com" for number in range(60)]
    tell(town, "a", 60, strangers)
    town.until(town.now + MINUTE)
    assert (paused(town), rows(town.ledger, refusals, "event")) == ([], [])


def test_people_whom_lumail_has_no_more_are_no_reason_to_pause(town: Town) -> None:
    """It had them once; the one question of the run tells that it has not."""
    met(town)
    town.sandbox.fail("400")
    town.sandbox.fail("404", call="subscriber")
    tell(town, "a")
    town.until(town.now + MINUTE)
    assert (paused(town), town.kinds().count("ask")) == ([], 1)


def test_people_of_whom_nothing_was_recorded_are_asked_for_and_count_if_they_are_there(town: Town) -> None:
    town.destination = replace(town.destination, unknown_subscriber="fail")
    for who in PEOPLE:
        town.transport.exchange(
            "POST",
            "/subscribers",
            json.dumps({"email": who}).encode(),
            send_before=monotonic() + 5,
            ends_by=monotonic() + 5,
        )
    town.sandbox.fail("404")
    tell(town, "a", 5)
    town.until(town.now + MINUTE)
    assert Counter(rows(town.ledger, refusals, "found")) == {(True,): 5}
    tell(town, "b", RUN - 5)
    town.until(town.now + MINUTE)
    assert paused(town) == ["destination_refuses"]


def test_what_the_run_ended_goes_on_by_itself_once_the_pause_is_over(town: Town) -> None:
    met(town)
    town.sandbox.fail("400")
    told = [*tell(town, "a"), *town.tell(payment("sale:1", subscriber=PEOPLE[0], amount=Decimal(5)))]
    town.until(town.now + MINUTE)
    assert by_itself.bring_back(town.ledger, PLANS) == []
    over(town)
    bring_back(town)
    assert Counter(town.statuses()) == {("delivered", None): len(told) + len(PEOPLE) + 1}
    assert len(town.sandbox.events()) == len(told) + len(PEOPLE) + 1
    assert rows(town.ledger, job_rows, "made_by", "status") == [("the gateway", "done")]
    by_itself.bring_back(town.ledger, PLANS)
    assert rows(town.ledger, refusals, "event") == []


def test_a_run_pauses_nothing_within_an_hour_after_a_pause_that_one_began(town: Town) -> None:
    met(town)
    town.sandbox.fail("400")
    tell(town, "a")
    town.until(town.now + MINUTE)
    over(town)
    town.sandbox.fail("400")
    tell(town, "b", 2 * RUN)
    town.until(town.now + 50 * MINUTE)
    assert paused(town) == []
    town.until(town.now + 20 * MINUTE)
    tell(town, "c", 1)
    town.until(town.now + MINUTE)
    assert paused(town) == ["destination_refuses"]


def test_no_event_is_brought_back_twice(town: Town) -> None:
    met(town)
    told = []
    for name in ("a", "b"):
        town.sandbox.fail("400", type="TAG_ADDED")
        told += tell(town, name)
        town.until(town.now + MINUTE)
        town.sandbox.faults.clear()
        town.tell(complained(f"probe {name}", PEOPLE[0]))
        town.until(town.now + 6 * MINUTE)
        town.sandbox.fail("400", type="TAG_ADDED")
        bring_back(town)
        town.until(town.now + 2 * HOUR)
    touched = Counter(subject for (subject,) in rows(town.ledger, job_items, "subject"))
    again = Counter(outcome for (outcome,) in rows(town.ledger, job_items, "outcome"))
    assert (len(touched), again["failed"]) == (len(told), len(told))


def test_what_must_not_be_sent_any_more_is_listed_and_not_sent(town: Town) -> None:
    met(town)
    town.sandbox.fail("400")
    cancelled, lost, *_ = tell(town, "a", RUN + 1)
    [subscribed] = town.tell(fact(EventType.SUBSCRIBED, {}, "in", subscriber=PEOPLE[0], occurred_at=NOON))
    town.until(town.now + MINUTE)
    over(town)
    [left] = town.tell(fact(EventType.UNSUBSCRIBED, {}, "out", subscriber=PEOPLE[0], occurred_at=NOON + HOUR))
    town.until(town.now + MINUTE)
    with town.ledger.write(["main"]) as connection:
        for event, state in ((cancelled, ("dropped", "cancelled")), (lost, ("held", "answer_lost"))):
            connection.execute(update(events).where(events.c.id == event).values(status=state[0], reason=state[1]))
    bring_back(town)
    stood = dict(rows(town.ledger, events, "id", "status"))
    assert [stood[one] for one in (cancelled, lost, subscribed, left)] == ["dropped", "held", "failed", "delivered"]
    assert {
        one: why
        for one, outcome, why in rows(town.ledger, job_items, "subject", "outcome", "explanation")
        if outcome == "refused"
    } == {
        cancelled: "dropped for good",
        lost: "Lumail may have it",
        subscribed: "a later one says the opposite",
    }


def test_consent_that_was_refused_both_ways_goes_on_in_its_order(town: Town) -> None:
    met(town)
    town.sandbox.fail("400")
    tell(town, "a")
    told = town.tell(
        fact(EventType.SUBSCRIBED, {}, "in", subscriber=PEOPLE[0], occurred_at=NOON),
        fact(EventType.UNSUBSCRIBED, {}, "out", subscriber=PEOPLE[0], occurred_at=NOON + HOUR),
    )
    town.until(town.now + MINUTE)
    over(town)
    bring_back(town)
    sent = [one["data"]["gatewayEventId"] for one in town.sandbox.events()]
    assert [one for one in sent if one in told] == told


def test_a_redirected_event_stays_in_doubt_and_is_read_back_while_nothing_else_waits(town: Town) -> None:
    town.sandbox.fail("redirect", count=1)
    town.tell(complained("c:1", PEOPLE[0]))
    town.until(town.now + timedelta(seconds=3))
    assert (town.statuses(), paused(town)) == ([("unknown", "answer_lost")], ["destination_refuses"])
    town.until(town.now + 2 * HOUR)
    assert (town.statuses(), paused(town)) == ([("delivered", None)], [])
    assert town.kinds().count("read") >= 2
