"""Cancelling: what need not leave any more, and what can't be called back."""

import pytest

from gateway.errors import CommandError
from gateway.ledger.database import Ledger
from gateway.ledger.schema import audit, events, lines
from gateway.replay.deciding import cancel_event
from gateway.replay.sending import replay_event
from tests.making import payment, record_facts, rows
from tests.replay.standing import ME, recorded


@pytest.mark.parametrize("status", ["waiting", "held", "failed"])
def test_a_cancelled_event_is_never_sent_and_its_fact_is_not_told_again(ledger: Ledger, status: str) -> None:
    [identity] = recorded(ledger, payment("p:1"), status=status, reason="why", tries=2)
    cancel_event(ledger, identity, ME)
    assert rows(ledger, events, "status", "reason") == [("dropped", "cancelled")]
    assert record_facts(ledger, payment("p:1")) == []
    with pytest.raises(CommandError, match="for good"):
        replay_event(ledger, identity, ME, force=True)
    assert rows(ledger, audit, "who", "action", "subject", "before", "after") == [
        (
            ME,
            "cancel event",
            identity,
            {"status": status, "reason": "why", "tries": 2},
            {"status": "dropped", "reason": "cancelled"},
        )
    ]


def test_a_line_goes_on_without_a_cancelled_event(ledger: Ledger) -> None:
    first, second = record_facts(ledger, payment("p:1"), payment("p:2"))
    cancel_event(ledger, first, ME)
    assert rows(ledger, lines, "head") == [(second,)]


@pytest.mark.parametrize("status", ["delivering", "unknown", "delivered", "dropped"])
def test_what_left_or_is_settled_can_not_be_cancelled(ledger: Ledger, status: str) -> None:
    [identity] = recorded(ledger, payment("p:1"), status=status)
    with pytest.raises(CommandError, match="can't be cancelled"):
        cancel_event(ledger, identity, ME)
    assert rows(ledger, events, "status") == [(status,)]
    assert rows(ledger, audit, "id") == []
