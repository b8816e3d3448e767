"""`forget`, `export`, and what `status` says of requests that a provider passed on."""

import json
from pathlib import Path

import pytest
from sqlalchemy import update

from gateway.events import Memo
from gateway.ledger.database import Ledger
from gateway.ledger.jobs import privacy_requests
from gateway.ledger.jobs.privacy_requests import Origin
from gateway.ledger.schema import audit, events, jobs
from gateway.privacy import Duty, PrivacyRequest, Subject
from tests.cli.conftest import Terminal
from tests.making import NOON, add_attempt, opened, payment, record, rows, submission, told

ANA, BEN = "ana@example.com", "ben@example.com"


@pytest.fixture
def known(ledger: Ledger) -> str:
    """Ana has paid; the event."""
    memo = Memo("stripe:-:customer:cus_17", {"email": ANA}, NOON)
    [recorded, _] = record(
        ledger,
        submission(told(payment("payment:1"), memos=(memo,)), body=b'{"to": "ana@example.com"}'),
        submission(told(opened("open:1")), told(opened("open:2", BEN)), body=b"[]"),
    )
    add_attempt(ledger, recorded.events[0], NOON, sent=ANA)
    return recorded.events[0]


@pytest.fixture
def request_id(ledger: Ledger) -> str:
    subject = Subject((ANA,), ("stripe:-:customer:cus_17",), destination="main")
    with ledger.write(["main"]) as connection:
        return privacy_requests.record(
            connection, PrivacyRequest(Duty.COPY, subject, "r-9"), Origin("source shop", "shop"), NOON
        )


def test_a_person_is_erased_after_a_question(terminal: Terminal, ledger: Ledger, known: str) -> None:
    asked = terminal.run("forget", "Ana@Example.com", stdin="n\n", status=1)
    assert "Erase ana@example.com from this gateway for good?" in asked.stderr
    assert rows(ledger, jobs, "id") == []
    assert terminal.lines("forget", ANA, "--yes") == [
        "erased: 2 events, 2 webhooks, 1 request to Lumail, 1 lesson, 2 keys"
    ]
    assert terminal.lines("forget", ANA, "--yes") == ["nothing was held of this person"]


def test_what_is_on_its_way_is_told(terminal: Terminal, ledger: Ledger, known: str) -> None:
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).where(events.c.id == known).values(status="unknown"))
    document = terminal.document("forget", ANA, "--yes")
    assert (document["done"], document["left"]) == (False, 1)


def test_only_an_address_can_be_forgotten(terminal: Terminal, ledger: Ledger) -> None:
    assert "is neither an e-mail address" in terminal.run("forget", "ana", "--yes", status=2).stderr


def test_a_copy_has_all_that_is_held_and_nothing_of_others(
    terminal: Terminal, ledger: Ledger, known: str, tmp_path: Path
) -> None:
    file = tmp_path / "ana.json"
    assert terminal.lines("export", ANA, "--out", str(file)) == [f"8 rows in {file}"]
    document = json.loads(file.read_text())
    assert {name: len(found) for name, found in document.items() if found and name != "subject"} == {
        "events": 2,
        "memory": 1,
        "keys": 2,
        "attempts": 1,
        "webhooks": 2,
    }
    assert [one["body"] for one in document["webhooks"]] == ['{"to": "ana@example.com"}', None]
    assert (BEN in file.read_text(), file.stat().st_mode & 0o777) == (False, 0o600)
    terminal.run("export", ANA, "--out", str(file), status=2)


def test_a_request_is_shown_until_it_is_exported(
    terminal: Terminal, ledger: Ledger, known: str, request_id: str
) -> None:
    [need] = terminal.document("status")["needs_a_person"]
    assert (need["code"], need["text"][:4], request_id in need["command"]) == ("copy_requested", "r-9:", True)
    document = json.loads(terminal.run("export", request_id).stdout)
    assert document["subject"]["people"] == [ANA]
    assert terminal.document("status")["needs_a_person"] == []
    [(subject, after)] = rows(ledger, audit, "subject", "after")
    assert (ANA in subject, after) == (False, {"met": [request_id]})


def test_a_request_is_met_by_the_address_too_and_by_an_erasure(
    terminal: Terminal, ledger: Ledger, request_id: str
) -> None:
    terminal.run("export", ANA)
    assert rows(ledger, jobs, "kind", "status") == [("copy", "done")]
