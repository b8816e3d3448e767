"""`replay events`, `webhooks`, `list`, `show` and `cancel`: shown first, asked for, and followed."""

import threading

from gateway.ledger.database import Ledger
from gateway.ledger.schema import events, job_items
from gateway.ledger.schema import jobs as job_rows
from gateway.replay.bulk import Replays
from tests.cli.conftest import Terminal
from tests.making import payment, rows
from tests.replay.standing import recorded
from tests.waiting import eventually


def failed(ledger: Ledger, count: int = 3) -> list[str]:
    return recorded(ledger, *(payment(f"p:{n}", subscriber=f"a{n}@example.com") for n in range(count)), status="failed")


def test_a_preview_says_what_would_be_sent_and_what_not_and_does_nothing(terminal: Terminal, ledger: Ledger) -> None:
    failed(ledger)
    assert terminal.lines("replay", "events", "--preview") == [
        "main: 3 events",
        "  3 to be sent (revenue)",
        "  through in about 0 s at the plan's rate",
    ]
    recorded(ledger, payment("p:9"), status="delivered")
    assert terminal.lines("replay", "events", "--status", "delivered", "--preview") == [
        "main: 1 event",
        "  1 left alone: delivered already",
        "  --force: 1 that Lumail has would be sent once more, and counted twice",
    ]
    assert rows(ledger, job_rows, "id") == []


def test_nobody_is_sent_to_without_being_asked(terminal: Terminal, ledger: Ledger) -> None:
    failed(ledger)
    assert "add --yes" in terminal.run("replay", "events", status=2).stderr
    assert "nothing of that kind" in terminal.run("replay", "events", "--status", "held", "--yes", status=2).stderr
    assert rows(ledger, job_rows, "id") == []


def test_a_replay_is_followed_to_its_end(terminal: Terminal, ledger: Ledger) -> None:
    failed(ledger)

    def deliver() -> None:
        """A worker, and Lumail."""
        [job] = eventually(lambda: rows(ledger, job_rows, "id"))
        replays = Replays(ledger, {"main": 600}, dict)
        while replays.step(job[0]):
            continue
        with ledger.write(["main"]) as connection:
            connection.execute(events.update().values(status="delivered"))
        replays.step(job[0])

    worker = threading.Thread(target=deliver)
    worker.start()
    told = terminal.lines("replay", "events", "--yes")
    worker.join()
    identity = rows(ledger, job_rows, "id")[0][0]
    assert told[3] == f"{identity} runs; it goes on when this command is ended"
    assert told[-2:] == [
        f"{identity} is done: 3 of 3 events",
        "  3 delivered",
    ]
    assert [one["status"] for one in terminal.document("replay", "list")["replays"]] == ["done"]
    assert terminal.document("replay", "show", identity)["counts"] == {"delivered": 3}


def test_a_replay_is_cancelled_and_what_waits_is_taken_back(terminal: Terminal, ledger: Ledger) -> None:
    failed(ledger)
    [begun] = terminal.document("replay", "events", "--yes")["replays"]
    Replays(ledger, {"main": 600}, dict).step(begun["id"])
    assert set(rows(ledger, events, "status")) == {("waiting",)}
    assert terminal.lines("replay", "cancel", begun["id"]) == [
        f"{begun['id']} is cancelled: 3 of 3 events",
        "  3 taken back",
    ]
    assert set(rows(ledger, events, "status")) == {("failed",)}
    assert "no replay jb_none" in terminal.run("replay", "show", "jb_none", status=2).stderr
    assert set(rows(ledger, job_items, "outcome")) == {("taken back",)}


def test_webhooks_in_quarantine_are_asked_for_where_nothing_else_is_said(terminal: Terminal, ledger: Ledger) -> None:
    assert terminal.lines("replay", "webhooks", "--preview") == ["main: 0 webhooks"]
