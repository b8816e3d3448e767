"""`sources account`: whose webhooks a source takes."""

from gateway.ledger.database import Ledger
from gateway.ledger.schema import audit
from tests.cli.conftest import Terminal
from tests.making import rows


def test_a_source_is_bound_by_a_person_who_stands_in_the_audit_log(terminal: Terminal, ledger: Ledger) -> None:
    assert terminal.lines("sources", "account", "stripe") == ["stripe is bound to no account"]
    assert terminal.lines("sources", "account", "stripe", "--set", "b.example.com") == [
        "stripe is bound to the account b.example.com"
    ]
    assert "stripe is bound to the account b.example.com" in str(terminal.lines("status"))
    assert terminal.document("sources", "account", "stripe", "--forget")["bound_to"] is None
    assert rows(ledger, audit, "action", "subject", "before", "after") == [
        ("change account", "stripe", {"account": None}, {"account": "b.example.com"}),
        ("change account", "stripe", {"account": "b.example.com"}, {"account": None}),
    ]


def test_an_unknown_source_and_two_wishes_at_once_are_refused(terminal: Terminal) -> None:
    assert "no source nobody" in terminal.run("sources", "account", "nobody", status=2).stderr
    both = terminal.run("sources", "account", "stripe", "--set", "x", "--forget", status=2)
    assert "with --set, or --forget" in both.stderr
