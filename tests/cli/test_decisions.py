"""`events decide` and what `events show` and `events list` say of an event that waits for it."""

import pytest
from sqlalchemy import update

from gateway.ledger.database import Ledger
from gateway.ledger.schema import events
from tests.cli.conftest import Terminal
from tests.making import payment, record_facts


@pytest.fixture
def held(ledger: Ledger) -> str:
    [identity] = record_facts(ledger, payment("p:1"))
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).values(status="held", reason="answer_lost", candidates=["evt_1", "evt_2"]))
    return identity


def test_what_can_be_decided_is_shown_as_commands(terminal: Terminal, held: str) -> None:
    decide = f"lumail-gateway events decide {held}"
    assert terminal.lines("events", "show", held)[-5:] == [
        "What you can decide, after a look at the subscriber's timeline in Lumail:",
        f"  it is there:  {decide} --recorded evt_1",
        f"  it is there:  {decide} --recorded evt_2",
        f"  it is not:    {decide} --send",
        f"  not wanted:   {decide} --drop",
    ]
    assert "answer lost (2 candidates at Lumail)" in terminal.lines("events", "list", "--status", "held")[2]


def test_a_decision_is_carried_out_and_told(terminal: Terminal, held: str) -> None:
    told = terminal.document("events", "decide", held, "--recorded", "evt_2")
    assert told == {"id": held, "was": "held", "status": "delivered", "incident": None}
    assert terminal.document("events", "show", held)["lumail_event_id"] == "evt_2"


@pytest.mark.parametrize("words", [[], ["--send", "--drop"], ["--recorded", "evt_1", "--send"]])
def test_exactly_one_decision_is_taken(terminal: Terminal, held: str, words: list[str]) -> None:
    result = terminal.run("events", "decide", held, *words, status=2)
    assert result.stderr == "say one of --recorded LUMAIL_ID, --send and --drop\n"


def test_a_decision_is_said_in_words(terminal: Terminal, held: str) -> None:
    assert terminal.lines("events", "decide", held, "--drop") == [f"{held} was held and is dropped for good"]
