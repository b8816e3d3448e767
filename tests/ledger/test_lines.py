"""The row of a line: which event leaves next, and that none does while one of them is on its way or in doubt."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from gateway.events import Lane
from gateway.ledger.database import Ledger
from gateway.ledger.scheduling import lines
from gateway.ledger.schema import events
from gateway.ledger.schema import lines as line_rows
from tests.making import NOON, complained, record_facts, rows

LINE = (Lane.URGENT, "ana@example.com")


def happened(key: str, hours: int) -> Any:
    return complained(key, occurred_at=NOON + timedelta(hours=hours))


def head(ledger: Ledger) -> tuple[str, bool]:
    """Which event stands at the head of the only line, and whether that may leave."""
    [(event, due_at)] = rows(ledger, line_rows, "head", "due_at")
    return event, due_at is not None


def test_what_happened_earlier_takes_the_head_and_what_happened_later_does_not(ledger: Ledger) -> None:
    found = []
    for key, hours in (("c:2", 2), ("c:1", 1), ("c:3", 3)):
        [event] = record_facts(ledger, happened(key, hours))
        found.append((event, head(ledger)))
    (second, first_head), (first, then), (_, at_last) = found
    assert (first_head, then, at_last) == ((second, True), (first, True), (first, True))


def test_a_closed_line_stays_closed_whatever_joins_it(ledger: Ledger) -> None:
    [on_its_way] = record_facts(ledger, happened("c:2", 2))
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).values(status="delivering"))
        lines.close(connection, "main", *LINE, on_its_way)
    record_facts(ledger, happened("c:1", 1), happened("c:3", 3))
    assert head(ledger) == (on_its_way, False)


@pytest.mark.parametrize("status", ["delivering", "unknown"])
def test_a_line_with_an_event_on_its_way_or_in_doubt_is_not_opened_by_a_look(ledger: Ledger, status: str) -> None:
    [first, _] = record_facts(ledger, happened("c:1", 1), happened("c:2", 2))
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).where(events.c.id == first).values(status=status))
        lines.close(connection, "main", *LINE, first)
        lines.refresh(connection, "main", {LINE})
    assert head(ledger) == (first, False)


def test_the_next_head_is_what_happened_next_whenever_it_was_recorded(ledger: Ledger) -> None:
    third, first, second = record_facts(ledger, *(happened(f"c:{hours}", hours) for hours in (3, 1, 2)))
    heads = []
    for event in (first, second, third):
        heads.append(head(ledger)[0])
        with ledger.write(["main"]) as connection:
            connection.execute(update(events).where(events.c.id == event).values(status="delivered"))
            lines.refresh(connection, "main", {LINE})
    assert (heads, rows(ledger, line_rows, "head")) == ([first, second, third], [])
