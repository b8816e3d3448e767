"""Statuses, reasons and outcomes are codes that stand in one place, and words for people that stand in another."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ledger import words
from gateway.ledger.status import Outcome, PauseKind, Reason, Status

ROOT = Path(__file__).parent.parent
HOMES = ("gateway/ledger/status.py", "gateway/ledger/words.py", "gateway/ledger/migrations/")
CODES = frozenset(str(code) for kind in (Status, Reason, PauseKind, Outcome) for code in kind)
WORDS = frozenset(
    max(re.split(r"\{\w+\}", told), key=len).strip(" :(") for told in (*words.REASONS.values(), *words.PAUSES.values())
)
"""Of each reason in words the longest part that is always the same."""

OTHER_MEANINGS = {
    ("gateway/attention/need.py", "destination_refuses"): "a kind of what needs a person",
    ("gateway/attention/need.py", "failed"): "a kind of what needs a person",
    ("gateway/attention/need.py", "held"): "a kind of what needs a person",
    ("gateway/attention/need.py", "ledger_copied"): "a kind of what needs a person",
    ("gateway/attention/need.py", "quarantined"): "a kind of what needs a person",
    ("gateway/cli/probing.py", "unknown"): "a key of what is told",
    ("gateway/cli/replays.py", "ignored"): "a count",
    ("gateway/cli/replays.py", "taught"): "a count",
    ("gateway/cli/trials.py", "ignored"): "a part of an adapter",
    ("gateway/delivery/outcome.py", "failed"): "the outcome of an attempt",
    ("gateway/desk/changes.py", "ignored"): "a count",
    ("gateway/desk/changes.py", "taught"): "a count",
    ("gateway/events.py", "failed"): "a word of Lumail's",
    ("gateway/ledger/money/sums.py", "unknown"): "what is known of a payment",
    ("gateway/ledger/scheduling/attempt.py", "unknown"): "what Lumail says of a subscriber",
    ("gateway/ledger/jobs/jobs.py", "cancelled"): "the status of a job",
    ("gateway/ledger/scheduling/places.py", "failed"): "the outcome of an attempt",
    ("gateway/intake/accept.py", "duplicate"): "a key of the receipt",
    ("gateway/ledger/schema.py", "ignored"): "a column of webhooks",
    ("gateway/ledger/schema.py", "merged"): "a column of webhooks",
    ("gateway/ledger/schema.py", "quarantined"): "a column of webhooks",
    ("gateway/ledger/schema.py", "taught"): "a column of webhooks",
    ("gateway/ledger/schema.py", "failed"): "a column of sign_in_tries",
    ("gateway/lumail/answer.py", "rate_limited"): "what an answer means",
    ("gateway/lumail/answer.py", "refused"): "what an answer means",
    ("gateway/lumail/transport.py", "failed"): "what is said of TLS",
    ("gateway/lumail/watchdog.py", "expired"): "a field's name",
    ("gateway/replay/bulk.py", "refused"): "the outcome of an item",
    ("gateway/replay/translating.py", "quarantined"): "a column of webhooks",
    ("gateway/translation/rehearsal.py", "ignored"): "what a rehearsal gives, which knows no ledger",
    ("gateway/translation/rehearsal.py", "quarantined"): "what a rehearsal gives, which knows no ledger",
    ("gateway/translation/rehearsal.py", "taught"): "what a rehearsal gives, which knows no ledger",
    ("gateway/translation/rehearsal.py", "translated"): "what a rehearsal gives, which knows no ledger",
    ("gateway/translation/sample.py", "ignored"): "a key of a fixture",
    ("gateway/translation/trial.py", "ignored"): "a key of a fixture",
    ("gateway/delivery/outcome.py", "Lumail refused it with"): "the error of an attempt",
}
"""Literals that are codes or words by chance, each with what it means there."""


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every text of the code, without docstrings."""
    told = {
        id(node.value)
        for holder in ast.walk(tree)
        if isinstance(holder, ast.Module | ast.ClassDef | ast.FunctionDef)
        for node in holder.body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.lineno, node.value


def literals(source: str) -> list[tuple[int, str]]:
    """Codes and words that stand in this code: as a text of its own, or quoted in a statement of SQL."""
    found = []
    for line, text in texts(ast.parse(source)):
        found += [(line, code) for code in sorted(CODES) if text == code or f"'{code}'" in text]
        found += [(line, word) for word in sorted(WORDS - CODES) if text.strip(" :(") == word]
    return found


FILES = {
    file.relative_to(ROOT).as_posix(): file.read_text()
    for file in sorted((ROOT / "gateway").rglob("*.py"))
    if not file.relative_to(ROOT).as_posix().startswith(HOMES)
}


def test_no_status_no_reason_and_no_outcome_is_a_literal_outside_their_homes() -> None:
    found = {(name, text): line for name, source in FILES.items() for line, text in literals(source)}
    assert {place: line for place, line in found.items() if place not in OTHER_MEANINGS} == {}


def test_every_other_meaning_is_still_there() -> None:
    found = {(name, text) for name, source in FILES.items() for _, text in literals(source)}
    assert set(OTHER_MEANINGS) <= found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('event.status == "held"', ["held"]),
        ('values(reason="answer_lost")', ["answer_lost"]),
        ('{"reason": "answer lost"}', ["answer lost"]),
        ("text(\"events.status IN ('waiting', 'held')\")", ["held", "waiting"]),
        ("f\"reason = '{Reason.ANSWER_LOST}' AND status = 'held'\"", ["held"]),
        ('f"held too long: {why}"', ["held too long"]),
        ('def f():\n    """held"""\n    return Status.HELD', []),
        ('TranslatedItem("ignored", event.type)', ["ignored"]),
        ('flash("2 events are held")', []),
    ],
)
def test_literals_are_found_wherever_they_stand(source: str, expected: list[str]) -> None:
    assert [text for _, text in literals(source)] == expected
