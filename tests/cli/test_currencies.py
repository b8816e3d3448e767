"""Money in several currencies at one destination: who has to decide that, and until when."""

from collections.abc import Mapping
from dataclasses import replace

from gateway.ledger.database import Ledger
from gateway.ledger.facts import currencies
from gateway.ledger.schema import audit, events
from tests.cli.conftest import Terminal
from tests.making import record_facts, rows, sold

NOT_SAID: Mapping[str, str | None] = {"main": None}


def texts(ledger: Ledger, own: Mapping[str, str | None] = NOT_SAID) -> list[str]:
    with ledger.read() as connection:
        return [one.text for one in currencies.undecided(connection, own)]


def mixed(terminal: Terminal) -> list[str]:
    needs = terminal.document("status")["needs_a_person"]
    return [one["text"] for one in needs if one["code"] == "currencies_mixed"]


def test_one_currency_needs_nobody(ledger: Ledger) -> None:
    record_facts(ledger, sold("a", "EUR"), sold("b", "EUR"))
    assert texts(ledger) == []


def test_a_second_one_needs_a_person_and_names_its_first_event(ledger: Ledger) -> None:
    record_facts(ledger, sold("a", "EUR"))
    [second] = record_facts(ledger, sold("b", "JPY"))
    record_facts(ledger, sold("c", "JPY"), sold("d", "USD"))
    assert texts(ledger) == ["main is told of money in JPY and 1 more beside EUR"]
    with ledger.read() as connection:
        assert [one.event for one in currencies.undecided(connection, NOT_SAID)] == [second]


def test_the_first_one_does_if_the_destination_says_another(ledger: Ledger) -> None:
    record_facts(ledger, sold("a", "JPY"))
    assert texts(ledger, {"main": "EUR"}) == ["main is told of money in JPY beside EUR"]


def test_what_the_configuration_decides_or_keeps_from_lumail_needs_nobody(ledger: Ledger) -> None:
    record_facts(ledger, sold("a", "EUR"), replace(sold("b", "JPY"), currencies=("EUR", "hold")))
    assert (texts(ledger), texts(ledger, {})) == ([], [])
    assert rows(ledger, events, "currency", "status") == [("EUR", "waiting"), ("JPY", "held")]


def test_it_is_told_until_somebody_says_that_they_may_be_mixed(terminal: Terminal, ledger: Ledger) -> None:
    record_facts(ledger, sold("a", "EUR"))
    assert "in EUR only" in terminal.run("destinations", "mix", "main", status=2).stderr
    record_facts(ledger, sold("b", "USD"))
    assert mixed(terminal) == ["main is told of money in USD beside EUR"]
    terminal.run("destinations", "mix", "main")
    assert mixed(terminal) == []
    assert rows(ledger, audit, "action", "subject", "after") == [("mix currencies", "main", {"mixed": ["EUR", "USD"]})]
