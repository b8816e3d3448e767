"""`adapters drift`: what providers say since lately."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.ledger.database import Ledger
from gateway.ledger.views.payload_drift import Seen, add
from tests.cli.conftest import Terminal

NEW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LONG_AGO = NEW - timedelta(days=30)
UNKNOWN = Seen("sendgrid", "teleported", "", (), "wh_1", 3, NEW, NEW)
USUAL = Seen("sendgrid", "open", "a" * 16, ("email:text", "ip:text"), "wh_2", 900, LONG_AGO, NEW)
SHAPE = Seen("sendgrid", "open", "b" * 16, ("email:text", *(f"k{n}:text" for n in range(6))), "wh_3", 2, NEW, NEW)
KNOWN_BY_NOW = Seen("sendgrid", "click", "", (), "wh_4", 1, NEW, NEW)
OF_NOBODY = Seen("acme", "teleported", "", (), "wh_5", 1, NEW, NEW)


@pytest.fixture
def drifting(terminal: Terminal, ledger: Ledger) -> Terminal:
    with ledger.write() as connection:
        add(connection, [UNKNOWN, USUAL, SHAPE, KNOWN_BY_NOW, OF_NOBODY])
    return terminal


def test_a_program_gets_all_that_drifted(drifting: Terminal) -> None:
    at = "2026-11-20T12:00:00.000Z"
    told = {"adapter": "sendgrid", "first_at": at, "last_at": at}
    assert drifting.document("adapters", "drift")["drift"] == [
        {**told, "kind": "type", "type": "teleported", "count": 3, "webhook": "wh_1", "new": [], "gone": []},
        {
            **told,
            "kind": "shape",
            "type": "open",
            "count": 2,
            "webhook": "wh_3",
            "new": [f"k{n}:text" for n in range(6)],
            "gone": ["ip:text"],
        },
    ]


def test_people_get_a_table(drifting: Terminal) -> None:
    table = drifting.run("adapters", "drift").stdout
    assert "a type that the adapter does not know" in table
    assert "new k0:text, k1:text, k2:text, k3:text and 2 more; gone ip:text" in table


def test_where_nothing_drifted_it_is_said(terminal: Terminal) -> None:
    assert terminal.lines("adapters", "drift") == ["No drift: providers say what their adapters were written for."]
