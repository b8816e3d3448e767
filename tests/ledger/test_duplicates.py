"""Which of several events of one fact reaches Lumail: one at a time, and never more than is true."""

from decimal import Decimal
from typing import Any

from sqlalchemy import update

from gateway.events import decode_data
from gateway.ledger.database import Ledger
from gateway.ledger.facts.known_events import events_of
from gateway.ledger.outbox import duplicates
from gateway.ledger.schema import events, groups
from tests.ledger.test_balance import sale
from tests.making import NOON, payment, record, record_facts, rows, submission, told

SUPERSEDED = {"status": "dropped", "reason": "superseded"}


def one_fact(ledger: Ledger, *tellings: dict[str, Any]) -> list[str]:
    """Events of one fact with these columns, as several tellings leave them."""
    names = [f"p:{number}" for number in range(len(tellings))]
    made = record_facts(ledger, *(payment(name, product=name) for name in names))
    record(ledger, submission(told(links=tuple((names[0], name) for name in names[1:]))))
    with ledger.write(["main"]) as connection:
        for event, columns in zip(made, tellings, strict=True):
            usual = {"reason": None, "first_attempt_at": None, "settled_at": None}
            connection.execute(update(events).where(events.c.id == event).values({**usual, **columns}))
    return made


def succeeded(ledger: Ledger, ended: str) -> list[tuple[str, str | None]]:
    """What becomes of all once this one came to nothing."""
    with ledger.write(["main"]) as connection:
        duplicates.succeed(connection, ended, NOON)
    return [(status, reason) for status, reason in rows(ledger, events, "status", "reason")]


FAILED, SENT = {"status": "failed", "reason": "refused", "first_attempt_at": NOON}, {"first_attempt_at": NOON}


def test_the_richest_telling_takes_the_place_of_one_that_came_to_nothing(ledger: Ledger) -> None:
    poor, rich = {**SUPERSEDED, "detail_rank": 1}, {**SUPERSEDED, "detail_rank": 5}
    [ended, *_] = one_fact(ledger, FAILED, poor, rich)
    left = ("dropped", "superseded")
    assert succeeded(ledger, ended) == [("failed", "refused"), left, ("waiting", None)]


def test_of_a_fact_told_three_times_the_third_does_not_leave_where_the_second_was_delivered(ledger: Ledger) -> None:
    [ended, *_] = one_fact(ledger, FAILED, {"status": "delivered", **SENT}, SUPERSEDED)
    assert succeeded(ledger, ended) == [("failed", "refused"), ("delivered", None), ("dropped", "superseded")]


def test_what_was_sent_before_or_left_out_by_somebody_takes_no_ones_place(ledger: Ledger) -> None:
    [ended, *_] = one_fact(ledger, FAILED, {**SUPERSEDED, **SENT}, {"status": "dropped", "reason": "cancelled"})
    assert succeeded(ledger, ended)[1:] == [("dropped", "superseded"), ("dropped", "cancelled")]


def told_in_two_ways(ledger: Ledger, **kept: str) -> str:
    """A sale of 50 as an invoice, and as an intent of 80, which the invoice superseded; then the invoice's failed."""
    ended, heir = record_facts(ledger, sale("in", "50.00"), sale("pi", "80.00", column="intent"))
    record(ledger, submission(told(links=(("in", "pi"),))))
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).where(events.c.id == ended).values(**FAILED, amount="80.00"))
        connection.execute(update(events).where(events.c.id == heir).values(**SUPERSEDED, amount="80.00"))
        if kept:
            connection.execute(update(groups).values(emitted={"kept": {"paid": kept}, "shown": {}}))
    return ended


def heir_of(ledger: Ledger, ended: str) -> tuple[str, Decimal]:
    succeeded(ledger, ended)
    [(status, data)] = [row[1:] for row in rows(ledger, events, "id", "status", "data") if row[0] != ended]
    return status, decode_data(data)["amount"]


def test_the_heir_of_a_payment_tells_what_is_lacking(ledger: Ledger) -> None:
    assert heir_of(ledger, told_in_two_ways(ledger)) == ("waiting", Decimal(80))


def test_what_lumail_was_told_before_the_purge_is_not_told_by_an_heir(ledger: Ledger) -> None:
    assert heir_of(ledger, told_in_two_ways(ledger, EUR="30.00")) == ("waiting", Decimal(50))


def test_the_heir_of_a_payment_that_was_told_in_full_before_the_purge_is_not_sent(ledger: Ledger) -> None:
    assert heir_of(ledger, told_in_two_ways(ledger, EUR="80.00")) == ("dropped", Decimal(80))


def test_who_sends_a_payment_by_hand_is_shown_what_tells_the_same_money(ledger: Ledger) -> None:
    ended = told_in_two_ways(ledger)
    succeeded(ledger, ended)
    with ledger.read() as connection:
        [found] = duplicates.duplicates_of(connection, events_of(connection, [ended])[ended])
    assert (found.id != ended, found.status) == (True, "waiting")
