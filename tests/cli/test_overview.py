"""`status` and `destinations list`: how things stand, told from a ledger with some of everything in it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert, text, update

from gateway.events import Paid
from gateway.ledger.database import Ledger
from gateway.ledger.facts.submission import TranslatedItem
from gateway.ledger.schema import attempts, destinations, events, groups, heartbeats, lines, pauses
from gateway.ledger.status import Outcome
from gateway.ledger.views.rejections import Refused, add
from tests.cli.conftest import NOWHERE, Terminal
from tests.making import add_attempt, complained, opened, payment, record, record_facts, submission, told

NOTHING = {"urgent": 0, "revenue": 0, "standard": 0, "bulk": 0}


def requests_made(ledger: Ledger, *ago: float) -> None:
    now = datetime.now(UTC)
    with ledger.write(["main"]) as connection:
        for number, seconds in enumerate(ago):
            taken = now - timedelta(seconds=seconds)
            connection.execute(
                insert(attempts).values(
                    id=f"at_{number}",
                    destination="main",
                    kind="event",
                    taken_at=taken,
                    send_before=taken,
                    ends_by=taken,
                    place_until=taken + timedelta(seconds=90),
                )
            )


def pause(ledger: Ledger, **given: Any) -> None:
    row: dict[str, Any] = {"id": "pa_1", "scope": "destination", "destination": "main", "name": "main"}
    row |= {"kind": "rate_limited", "details": {}, **given}
    with ledger.write(["main"]) as connection:
        connection.execute(insert(pauses).values(**row, made_at=datetime.now(UTC)))


def state_of_main(terminal: Terminal) -> dict[str, Any]:
    state: dict[str, Any] = terminal.document("status")["destinations"][0]
    return state


def test_a_quiet_installation_is_running_and_needs_nobody(terminal: Terminal) -> None:
    status = terminal.document("status")
    assert status["destinations"][0] == {
        "name": "main",
        "state": "running",
        "halt": None,
        "requests_per_minute": 700,
        "requests_last_minute": 0,
        "backlog": NOTHING,
        "through": dict.fromkeys(NOTHING),
        "oldest_due_at": None,
        "resting": [],
        "delivering": 0,
        "unknown": 0,
        "held": 0,
        "failed": 0,
    }
    assert status["sources"] == [
        {"name": name, "last_webhook_at": None, "outcomes": {}, "rejected": 0, "quarantined": 0}
        for name in ("stripe", "sendgrid")
    ]
    assert status["needs_a_person"] == []
    assert terminal.lines("status", "--strict")[-1] == "Nothing needs a person."


def test_the_backlog_is_counted_by_lane_and_its_oldest_named(terminal: Terminal, ledger: Ledger) -> None:
    record_facts(ledger, payment("p:1"), payment("p:2"), complained("m:1"), opened("m:2"))
    due = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).where(events.c.lane == 3).values(due_at=due + timedelta(hours=1)))
        connection.execute(update(lines).where(lines.c.lane == 0).values(due_at=due))
    state = state_of_main(terminal)
    assert state["backlog"] == {"urgent": 1, "revenue": 2, "standard": 0, "bulk": 1}
    assert state["oldest_due_at"] == "2026-11-20T11:00:00.000Z"


def test_a_destination_whose_plan_is_used_up_is_paced(terminal: Terminal, ledger: Ledger) -> None:
    requests_made(ledger, *[1.0] * 699, 70.0)
    assert state_of_main(terminal)["state"] == "running"  # nothing waits
    record_facts(ledger, payment("p:1"))
    state = state_of_main(terminal)
    assert (state["state"], state["requests_last_minute"]) == ("paced", 699)


def test_a_pause_is_told_with_its_end_and_its_reason(terminal: Terminal, ledger: Ledger) -> None:
    pause(ledger, until=datetime(2126, 11, 20, 12, 0, tzinfo=UTC))
    state = state_of_main(terminal)
    reason = "Lumail answered 429: too many requests"
    since = state["halt"].pop("since")
    halt = {"reason": reason, "reason_code": "rate_limited", "until": "2126-11-20T12:00:00.000Z"}
    assert (state["state"], state["halt"], since[:2]) == ("paused", halt, "20")
    assert f"main is paused until 2126-11-20 12:00:00: {reason}" in terminal.lines("status")


def test_a_pause_that_is_over_is_none(terminal: Terminal, ledger: Ledger) -> None:
    pause(ledger, until=datetime(2020, 1, 1, tzinfo=UTC))
    assert state_of_main(terminal)["state"] == "running"


def test_a_pause_without_an_end_waits_for_somebody(terminal: Terminal, ledger: Ledger) -> None:
    pause(ledger, until=None)
    told = "main is paused until somebody resumes it: Lumail answered 429: too many requests"
    assert told in terminal.lines("status")


def test_what_each_source_brought_in_a_day_is_counted(terminal: Terminal, ledger: Ledger) -> None:
    now = datetime.now(UTC)
    record(
        ledger,
        submission(told(payment("p:1")), received_at=now - timedelta(hours=1)),
        submission(told(payment("p:1")), received_at=now - timedelta(minutes=1)),
        submission(TranslatedItem(Outcome.QUARANTINED, "x", reason="?"), received_at=now - timedelta(hours=30)),
    )
    with ledger.write() as connection:
        add(connection, [Refused("stripe", "/webhooks/stripe", "wrong", "", 3)], now)
        add(connection, [Refused(None, "/webhooks/strpe", "unknown_source", "", 12)], now)
    status = terminal.document("status")
    source = status["sources"][0]
    assert {name: source[name] for name in ("name", "outcomes", "rejected", "quarantined")} == {
        "name": "stripe",
        "outcomes": {"merged": 1, "translated": 1},
        "rejected": 3,
        "quarantined": 1,
    }
    assert [(one["path"], one["count"]) for one in status["unknown_paths"]] == [("/webhooks/strpe", 12)]
    text = terminal.run("status").stdout
    assert "1 merged, 1 translated, 3 rejected" in text
    assert "12 requests to /webhooks/strpe, which is no source: was stripe meant? (since" in text


def test_what_needs_a_person_is_named_with_the_command_that_shows_it(terminal: Terminal, ledger: Ledger) -> None:
    record_facts(ledger, payment("p:1", subscriber=None), payment("p:2", subscriber=None), complained("m:1"))
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).where(events.c.lane == 0).values(status="failed"))
    record(ledger, submission(TranslatedItem(Outcome.QUARANTINED, "x", reason="?")))
    needs = terminal.document("status", "--strict", status=1)["needs_a_person"]
    assert [(one["code"], one["severity"], one["subject"], one["count"]) for one in needs] == [
        ("failed", "warning", "main", 1),
        ("quarantined", "warning", "stripe", 1),
        ("held", "notice", "main", 2),
    ]
    lines = terminal.lines("status", "--strict", status=1)
    told = lines[lines.index("This needs a person:") + 1 :]
    assert [line.partition(" (since")[0] for line in told] == [
        "  warning: 1 event to main failed",
        "    Each says why; put that right, then replay them.",
        "    lumail-gateway events list --status failed --destination main",
        "  warning: 1 webhook of stripe not understood",
        "    Teach the adapter or `ignore` the type and replay them; or set them aside.",
        "    lumail-gateway webhooks list --status quarantined --source stripe",
        "  notice: 2 events to main held",
        "    Each says what it waits for; mostly that comes by itself.",
        "    lumail-gateway events list --status held --destination main",
    ]


def test_an_installation_of_which_nothing_runs_does_not_say_that_all_is_well(
    terminal: Terminal, ledger: Ledger
) -> None:
    with ledger.write() as connection:
        connection.execute(heartbeats.delete())
    record_facts(ledger, payment("p:1"))
    assert [one["code"] for one in terminal.document("status")["needs_a_person"]] == ["no_web", "no_worker"]
    lines = terminal.lines("status")
    assert "main: nobody knows when revenue will be through: nothing leaves" in lines
    assert "  urgent: Nothing leaves: no worker runs: none was there within a day" in lines


def test_a_ledger_that_can_not_be_read_is_told_as_one_that_needs_a_person(terminal: Terminal, ledger: Ledger) -> None:
    with ledger.write() as connection:
        connection.execute(text("ALTER TABLE webhooks RENAME TO elsewhere"))
    found = terminal.document("status", status=1)
    told = terminal.run("status", status=1).stdout
    with ledger.write() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO webhooks"))
    assert (list(found), [one["code"] for one in found["needs_a_person"]]) == (
        ["accounts", "needs_a_person"],
        ["ledger_unavailable"],
    )
    assert "  urgent: The ledger takes no webhooks" in told


def test_nothing_is_cut_however_narrow_the_terminal_is(terminal: Terminal, ledger: Ledger) -> None:
    record(ledger, submission(told(payment("p:1")), destination="a-destination-with-a-long-name-that-is-gone"))
    pause(ledger, until=None, name="bulk", scope="lane")
    narrow = replace(terminal, environ={**terminal.environ, "COLUMNS": "80"})
    assert "…" not in narrow.run("status").stdout


def test_a_destination_that_is_gone_from_the_configuration_is_shown_while_something_waits(
    terminal: Terminal, ledger: Ledger
) -> None:
    record(ledger, submission(told(payment("p:1")), destination="former"))
    states = terminal.document("status")["destinations"]
    assert [(one["name"], one["requests_per_minute"]) for one in states] == [
        ("main", 700),
        ("other", 100),
        ("former", None),
    ]
    assert "former       not configured any more" in terminal.run("status").stdout


def test_destinations_are_listed_with_plan_and_backlog(terminal: Terminal, ledger: Ledger) -> None:
    record_facts(ledger, payment("p:1"))
    main, other = terminal.document("destinations", "list")["destinations"]
    assert (main["base_url"], main["backlog"]) == (NOWHERE, {**NOTHING, "revenue": 1})
    assert {column.name for column in destinations.columns} <= set(other)
    assert terminal.lines("destinations", "list") == [
        "destination  state    a minute  Lumail at                  urgent  revenue  standard  bulk",
        "─" * 90,
        "main         running       700  http://127.0.0.1:9/api/v1       0        1         0     0",
        "other        running       100  http://127.0.0.1:9/api/v1       0        0         0     0",
    ]


def test_each_lane_has_a_time_at_which_it_will_be_through(terminal: Terminal, ledger: Ledger) -> None:
    many = [opened(f"m:{number}") for number in range(665)]
    record_facts(ledger, payment("p:1"), complained("m:urgent"), *many)
    requests_made(ledger, *[1.0] * 700)
    status = terminal.document("status")
    now = datetime.fromisoformat(status["at"])
    seconds = {
        lane: None if at is None else round((datetime.fromisoformat(at) - now).total_seconds(), 1)
        for lane, at in status["destinations"][0]["through"].items()
    }
    assert seconds == {"urgent": 0.1, "revenue": 0.2, "standard": None, "bulk": 60.2}
    [line] = [line for line in terminal.lines("status") if line.startswith("main will be through")]
    assert line.startswith("main will be through with urgent within seconds, revenue within seconds, bulk in 1 min (")


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (0, "main: nobody knows when revenue will be through: nothing leaves"),
        (1, "main will be through with revenue in 20 min ("),
        (20, "main will be through with revenue in 1 min ("),
    ],
)
def test_when_a_backlog_will_be_through_is_told_by_what_has_really_left(
    terminal: Terminal, ledger: Ledger, left: int, told: str
) -> None:
    record_facts(ledger, *(payment(f"p:{number}", subscriber=f"a{number}@example.com") for number in range(10)))
    with ledger.write(["main"]) as connection:
        now = ledger.now(connection)
        connection.execute(update(lines).values(due_at=now - timedelta(hours=1)))
    for _ in range(left):
        add_attempt(ledger, None, now - timedelta(seconds=30), outcome="recorded", place_until=now)
    [line] = [line for line in terminal.lines("status") if line.startswith("main") and "through" in line]
    assert line.startswith(told)


def test_nobody_knows_when_a_paused_destination_or_lane_will_be_through(terminal: Terminal, ledger: Ledger) -> None:
    record_facts(ledger, payment("p:1"), opened("m:1"))
    terminal.run("destinations", "pause", "main", "--lane", "bulk")
    state = state_of_main(terminal)
    assert (state["resting"], state["through"]["bulk"], state["through"]["revenue"] is None) == (
        ["lane bulk"],
        None,
        False,
    )
    terminal.run("destinations", "pause", "main")
    assert state_of_main(terminal)["through"] == dict.fromkeys(NOTHING)
    assert "main: lane bulk rests until somebody resumes it" in terminal.lines("status")


def test_what_lumail_may_have_or_heard_twice_is_named(terminal: Terminal, ledger: Ledger) -> None:
    sent = record_facts(ledger, payment("p:1"), payment("p:2"), payment("p:3"))
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).values(status="delivered", first_attempt_at=datetime.now(UTC)))
        connection.execute(update(events).where(events.c.id == sent[2]).values(status="held", reason="answer_lost"))
    record(ledger, submission(told(links=(("p:1", "p:2"),))))
    needs = terminal.document("status")["needs_a_person"]
    assert [(one["code"], one["subject"], one["count"]) for one in needs] == [
        ("incident", sent[0], 1),
        ("undecided", "", 1),
        ("held", "main", 1),
    ]
    assert needs[0]["text"] == f"sent for one fact: {sent[0]}, {sent[1]}"
    assert needs[0]["command"] == f"lumail-gateway events show {sent[0]}"


def test_payments_that_nothing_makes_are_told_after_a_day(terminal: Terminal, ledger: Ledger) -> None:
    said = Paid("intent", "pi", Decimal(5), "EUR")
    record_facts(ledger, replace(payment("p:1"), sum=said, makes=False))
    assert terminal.document("status")["needs_a_person"] == []
    with ledger.write(["main"]) as connection:
        connection.execute(update(groups).values(heard_at=datetime.now(UTC) - timedelta(hours=25)))
    [need] = terminal.document("status")["needs_a_person"]
    assert (need["code"], need["text"]) == ("payment_not_made", "1 payment was told only by objects that make none")
