"""`destinations accept`, `pause` and `resume`, and what the start says of a destination that moved."""

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, update

from gateway.config import Flags
from gateway.errors import ConfigError
from gateway.ledger.database import Ledger
from gateway.ledger.outbox import cycle, deferral
from gateway.ledger.outbox.unknown_subscribers import UnknownSubscriberPolicy
from gateway.ledger.scheduling import leases
from gateway.ledger.scheduling import pauses as pauses_of
from gateway.ledger.scheduling.pauses import Pause
from gateway.ledger.schema import attempts, audit, destinations, events
from gateway.ledger.status import PauseKind, Reason
from gateway.startup import configured, prepare
from tests.cli.conftest import NOWHERE, Terminal
from tests.making import NOON, complained, opened, payment, record, record_facts, rows, submission, told
from tests.services import free_port


def claimed(ledger: Ledger) -> list[str]:
    """The events that a drain would send now, by their type; nothing of it stays."""
    with ledger.write(["main"]) as connection, connection.begin_nested() as nothing:
        now = ledger.now(connection) + timedelta(seconds=10)
        leases.take(connection, "main", "me", now)
        turn = cycle.run(
            connection,
            "main",
            "me",
            now,
            settlements=[],
            wanted=9,
            limit=99,
            compose=lambda request: request.event.data,
            unknown_policy=lambda _: UnknownSubscriberPolicy.HELD,
        )
        nothing.rollback()
        return sorted(f"{one.kind.value} {one.event.type}" for one in turn.claimed if one.event)


def notes(ledger: Ledger) -> list[tuple[Any, ...]]:
    return rows(ledger, audit, "action", "subject")


def test_a_paused_destination_sends_nothing_until_it_is_resumed(terminal: Terminal, ledger: Ledger) -> None:
    record_facts(ledger, payment("p:1"), opened("o:1", "bo@example.com"))
    assert terminal.lines("destinations", "pause", "main") == ["main is paused until it is resumed"]
    assert claimed(ledger) == []
    assert "paused already" in terminal.run("destinations", "pause", "main", status=2).stderr
    assert terminal.lines("destinations", "resume", "main") == ["main goes on"]
    assert claimed(ledger) == ["event EMAIL_OPENED", "event SUBSCRIBER_PAYMENT"]
    assert notes(ledger) == [("pause", "main"), ("resume", "main")]
    assert "main is not paused" in terminal.run("destinations", "resume", "main", status=2).stderr


def test_a_paused_lane_or_source_waits_and_the_others_leave(terminal: Terminal, ledger: Ledger) -> None:
    record_facts(ledger, payment("p:1"), opened("o:1", "bo@example.com"))
    record(ledger, submission(told(complained("c:1", "cy@example.com")), source="sendgrid"))
    terminal.run("destinations", "pause", "main", "--lane", "bulk")
    terminal.run("destinations", "pause", "main", "--source", "sendgrid")
    assert claimed(ledger) == ["event SUBSCRIBER_PAYMENT"]
    terminal.run("destinations", "resume", "main", "--lane", "bulk")
    terminal.run("destinations", "resume", "main", "--source", "sendgrid")
    assert len(claimed(ledger)) == 3
    assert notes(ledger)[0] == ("pause", "main: lane bulk")


def test_where_all_that_waits_rests_no_drain_is_called_for(terminal: Terminal, ledger: Ledger) -> None:
    record_facts(ledger, opened("o:1"))
    record(ledger, submission(told(complained("c:1"), opened("o:2")), source="sendgrid"))
    terminal.run("destinations", "pause", "main", "--source", "stripe")
    terminal.run("destinations", "pause", "main", "--source", "sendgrid")
    with ledger.write(["main"]) as connection:
        now = ledger.now(connection)
        assert leases.take(connection, "main", "me", now)
        while deferral.defer_and_restore(connection, "main", now):
            pass
        assert cycle.release(connection, "main", "me", now, 99) is None


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["former"], "no destination former; there is main, other"),
        (["main", "--source", "strip"], "no source strip; there is stripe, sendgrid"),
        (["main", "--source", "stripe", "--lane", "bulk"], "say --lane or --source, not both"),
    ],
)
def test_what_there_is_not_can_not_be_paused(terminal: Terminal, words: list[str], wrong: str) -> None:
    assert terminal.run("destinations", "pause", *words, status=2).stderr == f"{wrong}\n"


def pause_all(connection: Connection, kind: PauseKind, details: Mapping[str, str]) -> None:
    pauses_of.begin(connection, "main", Pause(None, kind, details), datetime.now(UTC))


def test_a_restored_ledger_looks_up_what_waits_before_it_is_sent(terminal: Terminal, ledger: Ledger) -> None:
    record_facts(ledger, payment("p:1"), complained("c:1"), opened("o:1"), opened("o:2", subscriber="bo@example.com"))
    with ledger.write(["main"]) as connection:
        tried = update(events).where(events.c.subscriber == "bo@example.com")
        connection.execute(tried.values(first_attempt_at=NOON, status="delivering", attempt="at_1"))
        times = dict.fromkeys(("taken_at", "send_before", "ends_by", "place_until"), NOON)
        connection.execute(insert(attempts).values(id="at_1", destination="main", kind="event", **times))
        pause_all(connection, PauseKind.LEDGER_COPIED, {})
    assert claimed(ledger) == []
    assert terminal.lines("destinations", "resume", "main") == ["main goes on; 3 events are looked up at Lumail first"]
    assert claimed(ledger) == [
        "event EMAIL_OPENED",
        "read EMAIL_COMPLAINED",
        "read EMAIL_OPENED",
        "read SUBSCRIBER_PAYMENT",
    ]
    assert rows(ledger, events, "status", "reason") == [("unknown", Reason.LEDGER_RESTORED)] * 2 + [
        ("waiting", None),
        ("unknown", Reason.LEDGER_RESTORED),
    ]
    assert rows(ledger, events, "first_attempt_at")[0] == rows(ledger, events, "created_at")[0]


def told_at_start(command: str, environ: dict[str, str]) -> tuple[int, tuple[str, ...]]:
    """Exit status and what is said of destinations, of a process that ends by itself."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", command],
        env={**os.environ, **environ, "REDIS_URL": "redis://127.0.0.1:9", "PORT": str(free_port())},
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.returncode, tuple(line for line in done.stderr.splitlines() if line.startswith("destinations."))


def test_a_destination_that_moved_is_refused_at_the_start_until_it_is_accepted(live_environ: dict[str, str]) -> None:
    moved = {**live_environ, "LUMAIL_URL": "http://127.0.0.1:10/api/v1"}
    prepare(configured(Flags(), live_environ))
    with pytest.raises(ConfigError) as refused:
        prepare(configured(Flags(), moved))
    assert refused.value.faults[0] == (
        f"destinations.main.base_url: was {NOWHERE} and is now http://127.0.0.1:10/api/v1. What waits would go there. "
        "If that is right: lumail-gateway destinations accept main"
    )
    assert [told_at_start(command, moved) for command in ("up", "web", "worker")] == [(2, refused.value.faults)] * 3
    for name in ("main", "other"):
        Terminal(moved).run("destinations", "accept", name)
    prepare(configured(Flags(), moved))


def test_another_organization_may_be_accepted(terminal: Terminal, ledger: Ledger) -> None:
    with ledger.write(["main"]) as connection:
        details = {"named": "org_b", "known": "org_a", "event": "ev_1"}
        pause_all(connection, PauseKind.OTHER_ORGANIZATION, details)
        connection.execute(update(destinations).values(organization="org_a", on_trial=True))
    told = terminal.document("destinations", "accept", "main")
    reason = "the API token is another organization's (org_b, not org_a), which recorded ev_1"
    assert told == {"destination": "main", "base_url": NOWHERE, "ended": [reason]}
    assert rows(ledger, destinations, "organization", "on_trial")[0] == (None, False)
    assert notes(ledger) == [("accept destination", "main")]
