"""What a person decides about an event, and what becomes of it."""

from typing import Any

import pytest
from sqlalchemy import update

from gateway.errors import CommandError
from gateway.ledger.database import Ledger
from gateway.ledger.schema import audit, events, groups, lines
from gateway.ledger.status import Reason
from gateway.replay.deciding import Decision, decide
from tests.making import NOON, payment, record, record_facts, rows, submission, told

ME = "ana (terminal)"
RECORDED, SEND, DROP = Decision("recorded", "evt_1"), Decision("send"), Decision("drop")


def state(ledger: Ledger) -> list[tuple[Any, ...]]:
    return rows(ledger, events, "status", "reason", "lumail_event_id")


@pytest.fixture
def held(ledger: Ledger) -> str:
    """An event that Lumail may have."""
    [identity] = record_facts(ledger, payment("p:1"))
    with ledger.write(["main"]) as connection:
        connection.execute(
            update(events).values(
                status="held", reason=Reason.ANSWER_LOST, candidates=["evt_1"], held_at=NOON, first_attempt_at=NOON
            )
        )
        connection.execute(lines.delete())
    return identity


@pytest.fixture
def twice(ledger: Ledger) -> list[str]:
    """Two events that were delivered and turned out to tell one fact."""
    sent = record_facts(ledger, payment("p:1"), payment("p:2"))
    with ledger.write(["main"]) as connection:
        for number, event in enumerate(sent, 1):
            delivered = {"status": "delivered", "first_attempt_at": NOON, "lumail_event_id": f"evt_{number}"}
            connection.execute(update(events).where(events.c.id == event).values(delivered))
    record(ledger, submission(told(links=(("p:1", "p:2"),))))
    return sent


def test_what_lumail_has_is_delivered_as_that_record(ledger: Ledger, held: str) -> None:
    assert decide(ledger, held, RECORDED, ME).status == "delivered"
    assert state(ledger) == [("delivered", None, "evt_1")]
    assert rows(ledger, audit, "who", "action", "subject", "after") == [
        (ME, "decide recorded", held, {"status": "delivered", "lumail_event_id": "evt_1"})
    ]


def test_what_lumail_has_not_is_due_now(ledger: Ledger, held: str) -> None:
    decide(ledger, held, SEND, ME)
    assert state(ledger) == [("waiting", None, None)]
    assert rows(ledger, lines, "head") == [(held,)]


def test_what_is_not_wanted_is_dropped_and_its_fact_is_not_told_again(ledger: Ledger, held: str) -> None:
    decide(ledger, held, DROP, ME)
    assert state(ledger) == [("dropped", "cancelled", None)]
    assert record_facts(ledger, payment("p:1")) == []


def test_one_record_is_not_taken_for_two_events(ledger: Ledger, held: str) -> None:
    [other] = record_facts(ledger, payment("p:2"))
    with ledger.write(["main"]) as connection:
        connection.execute(
            update(events).where(events.c.id == other).values(status="delivered", lumail_event_id="evt_1")
        )
    with pytest.raises(CommandError, match=f"evt_1 is what Lumail recorded for {other}"):
        decide(ledger, held, RECORDED, ME)


@pytest.mark.parametrize("decision", [RECORDED, SEND, DROP])
@pytest.mark.parametrize("status", ["waiting", "delivering", "unknown", "delivered", "failed", "dropped"])
def test_where_nothing_is_open_there_is_nothing_to_decide(
    ledger: Ledger, held: str, status: str, decision: Decision
) -> None:
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).values(status=status))
    with pytest.raises(CommandError, match="nothing to decide"):
        decide(ledger, held, decision, ME)
    assert rows(ledger, audit, "id") == []


def test_an_event_of_nobody_can_not_be_sent(ledger: Ledger) -> None:
    [identity] = record_facts(ledger, payment("p:1", subscriber=None, waits_for="customer:1"))
    with pytest.raises(CommandError, match="no subscriber yet"):
        decide(ledger, identity, SEND, ME)
    decide(ledger, identity, DROP, ME)
    assert state(ledger) == [("dropped", "cancelled", None)]


def test_an_incident_is_closed_by_saying_which_record_counts(ledger: Ledger, twice: list[str]) -> None:
    assert decide(ledger, twice[0], RECORDED, ME).incident == f"sent for one fact: {', '.join(twice)}"
    assert state(ledger) == [("delivered", None, "evt_1"), ("delivered", None, "evt_2")]
    assert rows(ledger, groups, "incident") == [(None,)]


def test_an_event_that_was_undone_at_lumail_counts_no_more(ledger: Ledger, twice: list[str]) -> None:
    decide(ledger, twice[1], DROP, ME)
    assert state(ledger) == [("delivered", None, "evt_1"), ("dropped", "cancelled", "evt_2")]
    assert rows(ledger, groups, "incident") == [(None,)]


def test_nothing_is_sent_a_third_time(ledger: Ledger, twice: list[str]) -> None:
    with pytest.raises(CommandError, match="nothing to decide"):
        decide(ledger, twice[0], SEND, ME)
    assert len(rows(ledger, groups, "incident")) == 1
