"""`events list` and `events show`."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from gateway.ledger.database import Ledger
from gateway.ledger.schema import attempts, events
from tests.cli.conftest import Terminal
from tests.making import NOON, complained, fact, opened, payment, record, record_facts, submission, told


def test_the_newest_come_first_with_the_columns_of_the_ledger(terminal: Terminal, ledger: Ledger) -> None:
    first, second = record_facts(ledger, payment("p:1"), opened("m:1", subscriber="bo@example.com"))
    listed = terminal.document("events", "list")
    assert [one["id"] for one in listed["events"]] == [second, first]
    assert listed["after"] is None
    shown = listed["events"][1]
    assert set(shown) == {column.name for column in events.columns} | {"reason_code"}
    assert {name: shown[name] for name in ("type", "subscriber", "data", "occurred_at", "lane", "status")} == {
        "type": "SUBSCRIBER_PAYMENT",
        "subscriber": "ana@example.com",
        "data": {"amount": 49.99, "product": "Course"},
        "occurred_at": "2026-11-20T12:00:00.000Z",
        "lane": "revenue",
        "status": "waiting",
    }


def test_a_list_goes_on_where_it_ended(terminal: Terminal, ledger: Ledger) -> None:
    made = record_facts(ledger, *(payment(f"p:{number}") for number in range(5)))
    seen: list[str] = []
    rest: list[str] = []
    for _ in range(3):
        page = terminal.document("events", "list", "--limit", "2", *rest)
        seen += [one["id"] for one in page["events"]]
        rest = ["--after", page["after"] or ""]
    assert (seen, page["after"]) == (made[::-1], None)
    assert terminal.lines("events", "list", "--limit", "2")[-1] == f"There are more: add --after {made[3]}"


@pytest.mark.parametrize(
    ("narrowed", "found"),
    [
        (["--status", "held"], [3]),
        (["--type", "EMAIL_OPENED"], [1]),
        (["--lane", "urgent"], [2]),
        (["--source", "sendgrid"], [1]),
        (["--destination", "other"], [4]),
        (["--subscriber", " Bo@Example.com "], [1]),
        (["--since", "1h"], [0, 1, 2, 3]),
        (["--since", "2026-11-20T12:00"], [0, 1, 2, 3]),
        (["--status", "waiting", "--lane", "revenue", "--destination", "main"], [0]),
        (["--status", "unknown"], []),
    ],
)
def test_each_filter_narrows(terminal: Terminal, ledger: Ledger, narrowed: list[str], found: list[int]) -> None:
    made = [
        *record_facts(ledger, payment("p:1")),
        *record(ledger, submission(told(opened("m:1", subscriber="bo@example.com")), source="sendgrid"))[0].events,
        *record_facts(ledger, complained("m:2"), payment("p:2", subscriber=None)),
        *record(ledger, submission(told(payment("p:3")), destination="other"))[0].events,
    ]
    with ledger.write() as connection:
        long_ago = NOON - timedelta(days=4000)
        connection.execute(update(events).where(events.c.id == made[4]).values(created_at=long_ago))
    listed = terminal.document("events", "list", *narrowed)
    assert sorted(made.index(one["id"]) for one in listed["events"]) == found


def test_people_see_a_line_an_event_and_the_whole_id(terminal: Terminal, ledger: Ledger) -> None:
    (identity,) = record_facts(ledger, payment("p:1"))
    with ledger.write() as connection:
        connection.execute(
            update(events).values(created_at=NOON, status="failed", reason="refused", reason_detail="400")
        )
    head, _, line = terminal.lines("events", "list")
    assert head.split() == ["event", "made", "status", "type", "subscriber", "source", "reason"]
    assert [cell.strip() for cell in line.split("  ") if cell] == [
        identity,
        "11-20 12:00:00",
        "failed",
        "SUBSCRIBER_PAYMENT",
        "ana@example.com",
        "stripe",
        "Lumail refused it with 400",
    ]


def test_what_strangers_wrote_can_not_steer_the_terminal(terminal: Terminal, ledger: Ledger) -> None:
    (identity,) = record_facts(ledger, payment("p:1", product="\x1b[2J\x9bK[red]owned"))
    shown = terminal.run("events", "show", identity).stdout
    assert "\x1b" not in shown
    assert "\x9b" not in shown
    assert "[red]owned" in shown


def test_one_event_is_shown_with_its_keys_and_every_request(terminal: Terminal, ledger: Ledger) -> None:
    (identity,) = record_facts(ledger, payment("p:1", "p:2"))
    with ledger.write() as connection:
        connection.execute(
            insert(attempts).values(
                id="at_1",
                destination="main",
                event=identity,
                kind="event",
                taken_at=NOON,
                send_before=NOON,
                ends_by=NOON,
                place_until=NOON,
                outcome="refused",
                status=400,
                duration_ms=12,
                error="no such subscriber",
            )
        )
    shown = terminal.document("events", "show", identity)
    assert (shown["id"], shown["keys"], shown["incident"]) == (identity, ["p:1", "p:2"], None)
    assert [(one["id"], one["taken_at"], one["status"]) for one in shown["attempts"]] == [
        ("at_1", "2026-11-20T12:00:00.000Z", 400)
    ]
    lines = terminal.lines("events", "show", identity)
    assert "keys         p:1, p:2" in lines
    assert lines[-1].split() == ["11-20", "12:00:00", "event", "refused", "400", "12", "no", "such", "subscriber"]


def test_an_unknown_event_is_a_wrong_command(terminal: Terminal) -> None:
    result = terminal.run("events", "show", "ev_nothing", status=2)
    assert result.stderr == "no event ev_nothing: `lumail-gateway events list` shows those that are kept\n"


def test_an_empty_list_says_so(terminal: Terminal) -> None:
    assert terminal.lines("events", "list") == ["No such event."]
    assert terminal.document("events", "list") == {"events": [], "after": None}


def test_a_time_that_is_none_is_refused(terminal: Terminal) -> None:
    assert "'soon' is neither a time ago" in terminal.run("events", "list", "--since", "soon", status=2).stderr


def test_data_with_fractions_and_letters_of_any_language_is_told_exactly(terminal: Terminal, ledger: Ledger) -> None:
    (identity,) = record_facts(ledger, fact(payment("x").type, {"amount": 0.1, "product": "Café 🎓"}, "p:1"))
    assert terminal.document("events", "show", identity)["data"] == {"amount": 0.1, "product": "Café 🎓"}
