"""How much came and went: counted once however many tick, and the newest counted as somebody asks."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from gateway.ledger.database import Ledger
from gateway.ledger.schema import counted, events, gauges, webhooks
from gateway.ledger.views import counters, rejections
from gateway.ledger.views.counters import Measure, Series, Span
from gateway.ledger.views.rejections import Refused
from tests.making import complained, opened, payment, record, record_facts, rows, submission, told

MINUTE = timedelta(minutes=1)


@pytest.fixture
def now(ledger: Ledger) -> datetime:
    with ledger.read() as connection:
        return ledger.now(connection)


def came(ledger: Ledger, *times: datetime, source: str = "stripe") -> None:
    record(ledger, *(submission(told(), received_at=at, source=source) for at in times))


def left(ledger: Ledger, status: str, at: datetime, *identities: str) -> None:
    when = {"held_at": at} if status == "held" else {"settled_at": at}
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).where(events.c.id.in_(identities)).values(status=status, **when))


def read(ledger: Ledger, measure: Measure, span: Span, now: datetime) -> Series:
    with ledger.read() as connection:
        return counters.series(connection, measure, span, now)


def totals(ledger: Ledger, measure: Measure, now: datetime) -> dict[str, dict[str, int]]:
    with ledger.read() as connection:
        return counters.totals(connection, measure, now)


def marked(series: Series, name: str) -> dict[datetime, int]:
    """The steps of a source or destination that are not zero, by their beginning."""
    return {series.starts + i * series.step: count for i, count in enumerate(series.of(name)) if count}


@pytest.mark.parametrize("kept", [False, True])
def test_what_came_is_told_by_the_minute_whether_it_is_counted_yet_or_not(
    ledger: Ledger, now: datetime, kept: bool
) -> None:
    minute = now.replace(second=0, microsecond=0)
    came(ledger, now, minute - 5 * MINUTE, minute - 5 * MINUTE + timedelta(seconds=59), minute - 70 * MINUTE)
    if kept:
        counters.keep(ledger)
    hour = read(ledger, Measure.RECEIVED, Span.HOUR, now)
    assert marked(hour, "stripe") == {minute - 5 * MINUTE: 2, minute: 1}
    assert (hour.starts, hour.step, hour.counted_until) == (minute - 59 * MINUTE, MINUTE, None)
    assert totals(ledger, Measure.RECEIVED, now) == {"stripe": {"taught": 4}}
    assert sum(read(ledger, Measure.RECEIVED, Span.DAY, now).total("taught")) == 4
    assert sum(read(ledger, Measure.RECEIVED, Span.WEEK, now).total()) == 4


def test_hours_and_minutes_together_tell_exactly_a_day(ledger: Ledger, now: datetime) -> None:
    minute = now.replace(second=0, microsecond=0)
    day = timedelta(hours=24)
    came(
        ledger,
        minute - day,
        minute - day - timedelta(seconds=1),
        *(now - hours * timedelta(hours=1) for hours in range(24)),
    )
    counters.keep(ledger)
    assert totals(ledger, Measure.RECEIVED, now) == {"stripe": {"taught": 25}}


def test_what_left_is_told_by_what_became_of_it(ledger: Ledger, now: datetime) -> None:
    ids = record_facts(ledger, *(complained(f"m:{n}", f"s{n}@example.com") for n in range(5)))
    left(ledger, "delivered", now - 3 * MINUTE, *ids[:2])
    left(ledger, "failed", now - 3 * MINUTE, ids[2])
    left(ledger, "held", now - 2 * MINUTE, ids[3])
    expected = {"main": {"delivered": 2, "failed": 1, "held": 1}}
    assert totals(ledger, Measure.SETTLED, now) == expected
    came(ledger, now - 5 * MINUTE)
    counters.keep(ledger)
    assert totals(ledger, Measure.SETTLED, now) == expected


def test_what_was_turned_away_is_counted_though_only_the_newest_is_kept(ledger: Ledger, now: datetime) -> None:
    with ledger.write() as connection:
        for number in range(rejections.KEPT_A_SOURCE + 20):
            rejections.add(connection, [Refused("stripe", "/webhooks/stripe", "stale", str(number), 2)], now)
        rejections.add(connection, [Refused(None, "/webhooks/strpe", "unknown_source", "", 3)], now)
    assert totals(ledger, Measure.REJECTED, now) == {"": {"unknown_source": 3}, "stripe": {"stale": 240}}
    assert read(ledger, Measure.REJECTED, Span.HOUR, now).of("stripe", "stale")[-1] == 240


def test_of_several_who_count_at_once_one_does(ledger: Ledger, now: datetime) -> None:
    came(ledger, *(now - number * 7 * MINUTE for number in range(40)))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(counters.keep, [ledger] * 8))
    assert totals(ledger, Measure.RECEIVED, now) == {"stripe": {"taught": 40}}


def test_counting_goes_on_where_it_ended(ledger: Ledger, now: datetime) -> None:
    came(ledger, now - 9 * MINUTE, source="first")
    counters.keep(ledger)
    with ledger.write() as connection:  # were they counted again, it would be seen
        connection.execute(update(webhooks).values(source="again"))
    came(ledger, now, source="second")
    counters.keep(ledger)
    assert totals(ledger, Measure.RECEIVED, now) == {"first": {"taught": 1}, "second": {"taught": 1}}


def test_a_ledger_that_nobody_counted_for_long_is_caught_up_within_the_days_that_are_kept(
    ledger: Ledger, now: datetime
) -> None:
    came(ledger, now - timedelta(days=30), now - timedelta(days=2), now - timedelta(minutes=30))
    for _ in range(25):
        counters.keep(ledger)
    week = read(ledger, Measure.RECEIVED, Span.WEEK, now)
    assert sum(week.of("stripe")) == 2
    [(_, until)] = rows(ledger, counted, "name", "until")[:1]
    assert now - timedelta(seconds=95) < until <= now


def test_how_many_events_stand_where_is_written_down_once_a_minute(ledger: Ledger, now: datetime) -> None:
    record_facts(ledger, payment("p:1"), payment("p:2"), opened("o:1"))
    counters.keep(ledger)
    record_facts(ledger, payment("p:3"))
    counters.keep(ledger)
    assert rows(ledger, gauges, "destination", "status", "lane", "count") == [
        ("main", "waiting", 1, 2),
        ("main", "waiting", 3, 1),
    ]


def test_nothing_is_counted_of_an_empty_ledger(ledger: Ledger, now: datetime) -> None:
    counters.keep(ledger)
    assert totals(ledger, Measure.RECEIVED, now) == {}
    assert read(ledger, Measure.SETTLED, Span.WEEK, now).total() == (0,) * 168


def test_more_than_can_be_counted_at_once_is_told_to_be_incomplete(ledger: Ledger, now: datetime) -> None:
    base: dict[str, Any] = {"source": "stripe", "adapter": "stripe", "destination": "main", "url": "", "headers": {}}
    base |= {
        "outcome": "taught",
        "events_made": 0,
        "merged": 0,
        "taught": 1,
        "ignored": 0,
        "quarantined": 0,
        "notes": [],
    }
    with ledger.write() as connection:
        many = [{**base, "id": f"wh_{n}", "received_at": now} for n in range(counters.LIVE_ROWS)]
        connection.execute(insert(webhooks), many)
        connection.execute(insert(counted).values(name="counters", until=now - timedelta(hours=2)))
    assert read(ledger, Measure.RECEIVED, Span.HOUR, now).counted_until == now - timedelta(hours=2)
    with ledger.write() as connection:
        connection.execute(delete(webhooks).where(webhooks.c.id == "wh_1"))
    assert read(ledger, Measure.RECEIVED, Span.HOUR, now).counted_until is None


def test_how_many_are_settled_is_added_up_and_counted_anew_each_hour(ledger: Ledger, now: datetime) -> None:
    ids = record_facts(ledger, *(complained(f"m:{n}", f"s{n}@example.com") for n in range(3)))
    left(ledger, "delivered", now - 3 * MINUTE, *ids[:1])
    counters.keep(ledger)
    left(ledger, "delivered", now - MINUTE, *ids[1:])
    with ledger.write() as connection:  # as if that was two minutes ago
        back = update(counted).where(counted.c.name == "settled")
        connection.execute(back.values(until=now - 2 * MINUTE))
    counters.keep(ledger)
    assert ("main", "delivered", 0, 3) in rows(ledger, gauges, "destination", "status", "lane", "count")
    with ledger.write() as connection:
        connection.execute(delete(events).where(events.c.id == ids[0]))
        longer = update(counted).where(counted.c.name.in_(("settled", "settled_anew")))
        connection.execute(longer.values(until=now - timedelta(hours=2)))
    counters.keep(ledger)
    assert ("main", "delivered", 0, 2) in rows(ledger, gauges, "destination", "status", "lane", "count")


def test_few_are_counted_now_and_of_many_the_last_count_is_told(ledger: Ledger) -> None:
    record_facts(ledger, payment("p:1"), opened("o:1"))
    with ledger.write() as connection:
        many = {"destination": "main", "status": "waiting", "lane": 3, "count": 2 * counters.COUNTED_NOW}
        connection.execute(insert(gauges), [many, {**many, "lane": 1, "count": 7}])
    with ledger.read() as connection:
        found = counters.by_state(connection, "main")
    assert {of: count for of, count in found.items() if count} == {
        ("waiting", 1): 1,
        ("waiting", 3): 2 * counters.COUNTED_NOW,
    }
