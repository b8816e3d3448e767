"""Edits: what may be written in place of what was told, what is kept of it, and what it never changes."""

from decimal import Decimal
from typing import Any

import pytest

from gateway.errors import CommandError
from gateway.events import EventType
from gateway.ledger.database import Ledger
from gateway.ledger.schema import audit, edits, events, keys, lines
from gateway.replay.editing import Edit, EditError, edit_event, edits_of
from gateway.replay.sending import CountedTwiceError
from tests.making import fact, opened, payment, record_facts, rows
from tests.replay.standing import ME, recorded


@pytest.fixture
def refused(ledger: Ledger) -> str:
    """A payment that Lumail refused."""
    [identity] = recorded(ledger, payment("p:1"), status="failed", reason="refused", reason_detail="400", tries=1)
    return identity


def test_an_edited_event_waits_under_its_identity_and_the_original_is_kept(ledger: Ledger, refused: str) -> None:
    named = rows(ledger, keys, "key", "group")
    edit = Edit(" Bo@Example.com", {"amount": Decimal("19.90"), "product": "Book"})
    done = edit_event(ledger, refused, edit, ME)
    told = {"subscriber": "ana@example.com", "data": {"amount": 49.99, "product": "Course"}}
    written = {"subscriber": "bo@example.com", "data": {"amount": 19.9, "product": "Book"}}
    assert rows(ledger, events, "id", "status", "subscriber", "data", "edited_at", "tries") == [
        (refused, "waiting", "bo@example.com", '{"amount":19.9,"product":"Book"}', done.due_at, 0)
    ]
    assert rows(ledger, edits, "event", "who", "at", "before", "after") == [(refused, ME, done.due_at, told, written)]
    assert rows(ledger, audit, "who", "action", "subject", "before", "after") == [
        (
            ME,
            "edit event",
            refused,
            {"status": "failed", "reason": "refused", "reason_detail": "400", **told},
            {"status": "waiting", **written},
        )
    ]
    assert rows(ledger, keys, "key", "group") == named
    assert rows(ledger, lines, "subscriber", "head") == [("bo@example.com", refused)]


def test_every_edit_is_kept(ledger: Ledger) -> None:
    [identity] = recorded(ledger, payment("p:1"), status="held", reason="person must decide")
    edit_event(ledger, identity, Edit("bo@example.com"), ME)
    recorded(ledger, status="failed")
    with ledger.write(["main"]) as connection:
        connection.execute(events.update().values(status="failed"))
    edit_event(ledger, identity, Edit("cy@example.com"), ME)
    with ledger.read() as connection:
        kept = [(row["before"]["subscriber"], row["after"]["subscriber"]) for row in edits_of(connection, identity)]
    assert kept == [("ana@example.com", "bo@example.com"), ("bo@example.com", "cy@example.com")]


def test_an_event_of_nobody_is_sent_once_somebody_is_named(ledger: Ledger) -> None:
    [identity] = record_facts(ledger, payment("p:1", subscriber=None, waits_for="customer:1"))
    edit_event(ledger, identity, Edit("ana@example.com"), ME)
    assert rows(ledger, events, "status", "subscriber", "waits_for", "reason") == [
        ("waiting", "ana@example.com", None, None)
    ]


@pytest.mark.parametrize(
    ("edit", "faults"),
    [
        (Edit("ana"), {"subscriber": "not an e-mail address"}),
        (Edit(data={"amount": 1}), {"product": "Missing data for required field."}),
        (Edit(data={"amount": "1.50", "product": "Book"}), {"amount": "write it without quotation marks"}),
        (Edit(data={"amount": True, "product": "Book"}), {"amount": "Not a valid number."}),
        (
            Edit("x@", {"amount": 1, "product": 2}),
            {"subscriber": "not an e-mail address", "product": "Not a valid string."},
        ),
    ],
)
def test_what_lumail_would_refuse_is_refused_here(
    ledger: Ledger, refused: str, edit: Edit, faults: dict[str, str]
) -> None:
    with pytest.raises(EditError) as told:
        edit_event(ledger, refused, edit, ME)
    assert told.value.faults == faults
    assert rows(ledger, events, "status", "edited_at") == [("failed", None)]
    assert rows(ledger, audit, "id") == []


@pytest.mark.parametrize("status", ["waiting", "delivering", "unknown", "delivered", "dropped"])
def test_only_what_is_held_or_failed_can_be_edited(ledger: Ledger, status: str) -> None:
    [identity] = recorded(ledger, payment("p:1"), status=status)
    with pytest.raises(CommandError, match="only a held or failed event can be edited"):
        edit_event(ledger, identity, Edit("bo@example.com"), ME)


def test_what_lumail_may_have_is_sent_otherwise_by_force_only(ledger: Ledger) -> None:
    [identity] = recorded(ledger, payment("p:1"), status="held", reason="answer_lost")
    with pytest.raises(CountedTwiceError):
        edit_event(ledger, identity, Edit("bo@example.com"), ME)
    edit_event(ledger, identity, Edit("bo@example.com"), ME, force=True)
    assert rows(ledger, events, "status", "subscriber") == [("waiting", "bo@example.com")]


def test_an_edit_that_makes_a_bounce_hard_makes_it_urgent(ledger: Ledger) -> None:
    data = {"emailId": "m1", "subject": "", "reason": "550", "bounceType": "soft"}
    [identity] = recorded(ledger, fact(EventType.EMAIL_BOUNCED, data, "b:1"), status="failed")
    edit_event(ledger, identity, Edit(data={**data, "bounceType": "hard"}), ME)
    assert rows(ledger, events, "lane") == [(0,)]
    assert rows(ledger, lines, "lane", "head") == [(0, identity)]


def test_the_fact_of_an_edited_event_is_known_still_and_no_telling_changes_it(ledger: Ledger, refused: str) -> None:
    edit_event(ledger, refused, Edit("bo@example.com"), ME)
    assert record_facts(ledger, payment("p:1", amount=12, detail_rank=9)) == []
    assert rows(ledger, events, "id", "subscriber", "data") == [
        (refused, "bo@example.com", '{"amount":49.99,"product":"Course"}')
    ]


def test_a_former_subscribers_line_goes_on_without_an_edited_event(ledger: Ledger) -> None:
    first: Any = payment("p:1", subscriber=None, waits_for="customer:1")
    held, waiting = record_facts(ledger, first, payment("p:2"))
    edit_event(ledger, held, Edit("ana@example.com"), ME)
    assert rows(ledger, lines, "subscriber", "head") == [("ana@example.com", min(held, waiting))]


def test_a_bulk_event_is_edited_outside_of_any_line(ledger: Ledger) -> None:
    [identity] = recorded(ledger, opened("o:1"), status="failed")
    edit_event(ledger, identity, Edit("bo@example.com"), ME)
    assert rows(ledger, events, "status", "subscriber") == [("waiting", "bo@example.com")]
    assert rows(ledger, lines, "head") == []
