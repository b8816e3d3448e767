"""An event moves in one place, on ways that are allowed, and takes with it what depends on it."""

import ast
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.ledger.database import Ledger
from gateway.ledger.event import Event, EventChange
from gateway.ledger.facts.known_events import events_of
from gateway.ledger.outbox import transitions
from gateway.ledger.schema import events, lines
from gateway.ledger.status import Reason, Status
from tests.making import NOON, complained, payment, record_facts, rows

GATEWAY = Path(__file__).parents[2] / "gateway"
WRITES = {"insert", "update", "Insert", "Update", "Given"}


def test_nobody_else_writes_the_table_of_events() -> None:
    found = {
        str(file.relative_to(GATEWAY))
        for file in GATEWAY.rglob("*.py")
        if not {"migrations", "sandbox"} & set(file.parts) and any(writes(ast.parse(file.read_text())))
    }
    assert found == {"ledger/outbox/transitions.py"}


def writes(tree: ast.AST) -> Iterator[bool]:
    """Whether each call writes events, and each text says so."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            table = node.args[0]
            of_events = "events" in (getattr(table, "id", ""), getattr(table, "attr", ""))
            yield name in WRITES and of_events
        if isinstance(node, ast.Attribute) and node.attr in ("insert", "update"):
            yield isinstance(node.value, ast.Name) and node.value.id == "events"
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield any(words in node.value for words in ("UPDATE events", "INSERT INTO events"))


def test_an_event_has_every_column() -> None:
    assert {one.name for one in fields(Event)} == {column.name for column in events.columns}


def moved(ledger: Ledger, identity: str, change: EventChange, *, corrects: bool = False) -> Event:
    with ledger.write(["main"]) as connection:
        event = events_of(connection, [identity])[identity]
        [after] = transitions.move(connection, "main", [(event, change)], NOON, corrects=corrects)
    return after


def test_a_way_that_is_not_allowed_is_refused_and_nothing_is_written(ledger: Ledger) -> None:
    [event] = record_facts(ledger, payment("p:1"))
    moved(ledger, event, {"status": Status.DELIVERED})
    with pytest.raises(ValueError, match="can't become waiting: it is delivered"):
        moved(ledger, event, {"status": Status.WAITING})
    assert rows(ledger, events, "status") == [("delivered",)]


def test_what_a_person_corrects_may_go_back(ledger: Ledger) -> None:
    [event] = record_facts(ledger, payment("p:1"))
    moved(ledger, event, {"status": Status.DELIVERED})
    moved(ledger, event, {"status": Status.WAITING}, corrects=True)
    assert rows(ledger, events, "status", "settled_at") == [("waiting", None)]


def test_times_and_what_was_said_of_a_former_reason_follow_from_a_move(ledger: Ledger) -> None:
    [event] = record_facts(ledger, payment("p:1"))
    moved(ledger, event, {"status": Status.HELD, "reason": Reason.HELD_TOO_LONG, "former_reason": Reason.LINK_MISSING})
    assert rows(ledger, events, "held_at", "settled_at", "former_reason") == [(NOON, None, "link_missing")]
    moved(ledger, event, {"status": Status.DROPPED, "reason": Reason.CANCELLED})
    assert rows(ledger, events, "held_at", "settled_at", "former_reason") == [(NOON, NOON, None)]


def test_a_line_goes_on_without_an_event_that_leaves_it(ledger: Ledger) -> None:
    [first, second] = record_facts(ledger, complained("c:1"), complained("c:2", occurred_at=NOON + timedelta(hours=1)))
    assert rows(ledger, lines, "head") == [(first,)]
    moved(ledger, first, {"status": Status.HELD, "reason": Reason.NOT_IN_LUMAIL})
    assert rows(ledger, lines, "head") == [(second,)]
    moved(ledger, second, {"status": Status.DROPPED, "reason": Reason.EXPIRED})
    assert rows(ledger, lines, "head") == []


def test_of_two_that_change_an_event_the_later_changes_nothing(ledger: Ledger) -> None:
    [identity] = record_facts(ledger, payment("p:1"))
    with ledger.write(["main"]) as connection:
        read = events_of(connection, [identity])[identity]
        transitions.move(connection, "main", [(read, {"status": Status.HELD})], NOON)
        transitions.move(connection, "main", [(read, {"status": Status.FAILED})], NOON)
    assert rows(ledger, events, "status") == [("held",)]
