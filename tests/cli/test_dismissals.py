"""`set-aside`: what was looked at needs nobody, is found again, and is taken back."""

from gateway.ledger.database import Ledger
from gateway.ledger.facts.submission import TranslatedItem
from gateway.ledger.status import Outcome
from tests.cli.conftest import Terminal
from tests.making import record, submission


def test_a_webhook_is_set_aside_found_and_taken_back(terminal: Terminal, ledger: Ledger) -> None:
    [one] = record(ledger, submission(TranslatedItem(Outcome.QUARANTINED, "x", reason="?")))
    terminal.run("status", "--strict", status=1)
    assert terminal.lines("set-aside", "webhook", one.webhook, "--reason", "a trial") == [
        f"webhook {one.webhook} is set aside; `lumail-gateway set-aside undo` takes it back"
    ]
    terminal.run("status", "--strict")
    [found] = terminal.document("set-aside", "list")["dismissed"]
    assert (found["kind"], found["subject"], found["reason"]) == ("webhook", one.webhook, "a trial")
    assert one.webhook in terminal.run("set-aside", "list").stdout
    assert terminal.lines("set-aside", "undo", "webhook", one.webhook) == [
        f"webhook {one.webhook} needs a person again"
    ]
    terminal.run("status", "--strict", status=1)
    assert terminal.lines("set-aside", "list") == ["Nothing is set aside."]


def test_what_is_not_there_is_a_wrong_command(terminal: Terminal) -> None:
    for words in (
        ("webhook", "wh_1", "--reason", "x"),
        ("path", "/nobody", "--reason", "x"),
        ("incident", "ev_1", "--reason", "x"),
        ("path", "/nobody", "--reason", " "),
        ("undo", "path", "/nobody"),
    ):
        assert "Traceback" not in terminal.run("set-aside", *words, status=2).output
