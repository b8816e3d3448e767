"""Group commit: durable together, judged alone, and never a lie to whoever waits."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

import pytest
from sqlalchemy import text

from gateway.errors import LedgerUnavailableError
from gateway.ledger.database import Ledger
from gateway.ledger.migration import migrate
from gateway.ledger.recording.commit import Committer
from gateway.ledger.schema import events, webhooks
from tests.making import opened, payment, rows, submission, told


def test_all_that_wait_are_committed_and_each_gets_its_own_receipt(ledger: Ledger) -> None:
    committer = Committer(ledger)
    with ThreadPoolExecutor(16) as pool:
        receipts = list(
            pool.map(lambda number: committer.submit(submission(told(payment(f"p:{number}"))), 10), range(200))
        )
    committer.close()
    assert sorted(event for one in receipts for event in one.events) == [
        event for (event,) in rows(ledger, events, "id")
    ]
    assert len(receipts) == 200


def test_who_waits_for_another_destination_is_committed_too_whatever_came_while_locks_were_awaited(
    ledger: Ledger,
) -> None:
    committer = Committer(ledger)
    with ThreadPoolExecutor(16) as pool:
        with ledger.write(["main"]):
            asked = [
                pool.submit(committer.submit, submission(told(payment(f"p:{number}")), destination=name), 10)
                for number, name in enumerate(["main", "other", "main", "other", "other", "main"] * 5)
            ]
        made = [event for one in asked for event in one.result().events]
    committer.close()
    assert sorted(made) == [event for (event,) in rows(ledger, events, "id")]
    assert len(made) == 30


def test_after_commit_sees_what_is_durable(ledger: Ledger) -> None:
    seen: list[int] = []
    committer = Committer(ledger, after_commit=lambda done: seen.append(len(rows(ledger, webhooks, "id")) - len(done)))
    committer.submit(submission(told(payment("p:1"))), 10)
    committer.close()
    assert seen == [0]


def test_who_waits_too_long_is_told_and_nothing_is_kept(ledger: Ledger) -> None:
    committer = Committer(ledger)
    with ledger.write(["main"]), pytest.raises(LedgerUnavailableError):
        committer.submit(submission(told(payment("p:1"))), 0.2)
    committer.close()
    assert rows(ledger, webhooks, "id") == []


def test_a_database_that_a_stranger_locks_is_unavailable_and_comes_back(sqlite_url: str) -> None:
    ledger = Ledger(sqlite_url)
    migrate(ledger)
    committer = Committer(ledger)
    subscriber_answer = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    subscriber_answer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(LedgerUnavailableError):
        committer.submit(submission(told(payment("p:1"))), 4)
    subscriber_answer.execute("ROLLBACK")
    subscriber_answer.close()
    assert len(committer.submit(submission(told(payment("p:1"))), 4).events) == 1
    committer.close()
    ledger.close()


def test_a_connection_that_is_cut_in_the_middle_costs_no_webhook_and_no_process(postgresql_url: str) -> None:
    ledger = Ledger(postgresql_url)
    migrate(ledger)
    with pytest.raises(LedgerUnavailableError):
        cut_off_while_writing(ledger)
    committer = Committer(ledger)
    assert len(committer.submit(submission(told(payment("p:1"))), 4).events) == 1
    committer.close()
    ledger.close()


def cut_off_while_writing(ledger: Ledger) -> None:
    with ledger.write(["main"]) as connection:
        own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with ledger.engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": own})
        connection.execute(text("SELECT 1"))


def write_many(url: str, name: str, count: int) -> None:
    ledger = Ledger(url)
    committer = Committer(ledger)
    for number in range(count):
        committer.submit(submission(told(opened(f"shared:{number}"), opened(f"{name}:{number}"))), 30)
    committer.close()
    ledger.close()


def test_processes_that_tell_the_same_facts_at_once_make_each_event_once(ledger: Ledger, database_url: str) -> None:
    context = get_context("spawn")
    processes = [context.Process(target=write_many, args=(database_url, name, 40)) for name in ("a", "b", "c")]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(rows(ledger, events, "id")) == 40 * 4
    assert len(rows(ledger, webhooks, "id")) == 40 * 3


def test_the_writer_lock_lets_one_in_at_a_time(ledger: Ledger) -> None:
    inside = 0
    most = 0
    guard = threading.Lock()

    def enter(_: int) -> None:
        nonlocal inside, most
        with ledger.write(["main"]) as connection:
            with guard:
                inside += 1
                most = max(most, inside)
            connection.execute(text("SELECT count(*) FROM events"))
            with guard:
                inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enter, range(40)))
    assert most == 1
