"""What a drain asks of the ledger is found through an index, whatever waits."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import Connection as Executing

from gateway.ledger import paging
from gateway.ledger.database import Ledger
from gateway.ledger.event import EventChange
from gateway.ledger.outbox import observed, settling, uncertain, unknown_subscribers
from gateway.ledger.scheduling import leases
from gateway.ledger.scheduling.attempt import Settlement, SubscriberAnswer
from gateway.ledger.status import Reason
from gateway.ledger.views import counters, detail, listing
from gateway.ledger.views.counters import Measure, Span
from gateway.ledger.views.overview import overview
from gateway.ledger.views.search import Filters
from tests.ledger.test_claims import Drain
from tests.making import complained, opened, payment, record_facts

SMALL = ("destinations", "heartbeats", "dismissals", "pauses", "pragma", "gauges", "SCAN anon_", "SCAN (subquery")
"""Tables with a row for each destination, lane, process or decision in force; and what a query has found already."""


@pytest.fixture
def asked(ledger: Ledger) -> Iterator[list[tuple[str, Any]]]:
    """Every statement that the test has the ledger carry out, with its values."""
    seen: list[tuple[str, Any]] = []

    def note(_c: Executing, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        if statement.split()[0] in ("SELECT", "UPDATE", "DELETE"):
            seen.append((statement, values[0] if many else values))

    event.listen(ledger.engine, "before_cursor_execute", note)
    yield seen
    event.remove(ledger.engine, "before_cursor_execute", note)


def test_a_drain_and_a_tick_scan_no_table(ledger: Ledger, asked: list[tuple[str, Any]]) -> None:
    fill(ledger)
    with ledger.read() as connection:
        soon = ledger.now(connection) + timedelta(seconds=5)
    del asked[:]
    a_drain(ledger, soon)
    statements = dict(asked)
    assert len(statements) > 20
    with ledger.write(["main"]) as connection:
        if not ledger.is_sqlite:
            connection.execute(text("ANALYZE"))
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        scans = {
            statement: scan
            for statement, values in statements.items()
            if (scan := scanned(connection, statement, values))
        }
    assert scans == {}


LISTS = [
    Filters(),
    Filters(status="failed"),
    Filters(status="delivered", source="stripe"),
    Filters(type="SUBSCRIBER_REFUND"),
    Filters(source="stripe", error="402"),
    Filters(subscriber="ana@example.com"),
    Filters(error="402"),
    Filters(incident=True),
    Filters(text="s7@example.com"),
    Filters(text="nothing"),
]


def test_lists_overview_and_counts_scan_no_table(ledger: Ledger, asked: list[tuple[str, Any]]) -> None:
    fill(ledger)
    counters.keep(ledger)
    del asked[:]
    with ledger.read() as connection:
        now = ledger.now(connection)
        for filters in LISTS:
            place = paging.Place(now, "")
            for ask in (listing.NEWEST, listing.Ask(older=place), listing.Ask(newer=place)):
                listing.events_page(connection, filters, ask)
                listing.webhooks_page(connection, replace(filters, error=None), ask)
            listing.count_events(connection, filters)
        listing.webhooks_page(connection, Filters(status="quarantined"))
        listing.webhooks_page(connection, Filters(status="quarantined", source="stripe"))
        [newest, *_] = listing.events_page(connection, Filters()).rows
        detail.event_detail(connection, newest["id"])
        detail.webhook_detail(connection, newest["webhook"])
        detail.arrivals(connection, "stripe")
        overview(connection, now, {"main": 100}, ["stripe"])
        for measure in Measure:
            counters.series(connection, measure, Span.WEEK, now)
    assert no_scans(ledger, asked) == {}


def no_scans(ledger: Ledger, asked: list[tuple[str, Any]]) -> dict[str, str]:
    """The statements that read a whole table, with the line of their plan that says so."""
    statements = dict(asked)
    with ledger.write(["main"]) as connection:
        if not ledger.is_sqlite:
            connection.execute(text("ANALYZE"))
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        return {
            statement: scan
            for statement, values in statements.items()
            if (scan := scanned(connection, statement, values))
        }


def fill(ledger: Ledger) -> None:
    record_facts(
        ledger,
        *(opened(f"o:{number}", f"s{number}@example.com") for number in range(300)),
        *(complained(f"c:{number}", f"s{number}@example.com") for number in range(100)),
        *(payment(f"p:{number}", subscriber=f"s{number}@example.com") for number in range(100)),
        *(complained(f"d:{number}", "ana@example.com") for number in range(300)),
    )


def a_drain(ledger: Ledger, soon: datetime) -> None:
    """All that a drain asks: claims, answers, doubt, reads, questions, the end."""
    drain = Drain(ledger)
    drain.claimed(soon, wanted=30)
    later = soon + timedelta(seconds=22)
    [one, *_] = drain.claimed(later, wanted=5)
    refused: EventChange = {"status": "held", "reason": Reason.NOT_IN_LUMAIL}
    with ledger.write(["main"]) as connection:
        met = Settlement(one, "refused", changes=refused, subscriber_answer=SubscriberAnswer.MET)
        settling.settle(connection, "main", [met], later)
        unknown_subscribers.is_known(connection, "main", one.subscriber)
        uncertain.owners(connection, "main", ["lum_1", "lum_2"])
        observed.read(connection, "main")
        for step in (unknown_subscribers.still_unknown, unknown_subscribers.found):
            step(connection, "main", one.subscriber, later)
    drain.release(later)
    with ledger.read() as connection:
        leases.due(connection, later)


def scanned(connection: Connection, statement: str, values: Any) -> str | None:
    """What of a statement's plan reads a whole table; None where nothing does."""
    if connection.dialect.name == "sqlite":
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
        found = [line for line in plan if line.startswith("SCAN") and "USING" not in line and "CONSTANT" not in line]
    else:
        plan = [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", values)]
        found = [line for line in plan if "Seq Scan" in line]
    return next((line for line in found if not any(name in line for name in SMALL)), None)


def test_the_next_of_a_long_line_is_found_without_looking_at_those_behind_it(ledger: Ledger) -> None:
    record_facts(ledger, complained("c:1"))
    following = (
        "SELECT id FROM events WHERE destination = 'main' AND lane = 0 AND subscriber = 'ana@example.com' "
        "AND status = 'waiting' ORDER BY occurred_at, id LIMIT 1"
    )
    with ledger.write(["main"]) as connection:
        if ledger.is_sqlite:
            plan = [row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {following}"))]
            columns = "destination=? AND subscriber=? AND status=? AND lane=?"
            assert plan == [f"SEARCH events USING COVERING INDEX events_of_subscriber ({columns})"]
        else:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            plan = [row[0] for row in connection.execute(text(f"EXPLAIN {following}"))]
            assert "using events_of_subscriber" in plan[1]
