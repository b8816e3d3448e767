"""Pages of long lists: whatever is asked, walking them either way shows each row once, in order, and misses none."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from gateway.events import Lane
from gateway.ledger.database import Ledger
from gateway.ledger.paging import Place
from gateway.ledger.schema import events, keys, webhooks
from gateway.ledger.views.listing import (
    LOOKED_THROUGH,
    Ask,
    Count,
    Page,
    count_events,
    count_webhooks,
    events_page,
    newest_events,
    webhooks_page,
)
from gateway.ledger.views.search import Filters, Row
from tests.making import NOON

TYPES = {
    "SUBSCRIBER_PAYMENT": [1],
    "SUBSCRIBER_REFUND": [1],
    "EMAIL_BOUNCED": [0, 2],
    "EMAIL_OPENED": [3],
    "UNSUBSCRIBED": [0],
}
STATUSES = ("waiting", "delivered", "delivered", "delivered", "failed", "held", "dropped")
SHORT = Ask(limit=7, reach=40)
"""Pages and looks that are short, so that few rows are many pages."""


@pytest.fixture
def made(ledger: Ledger) -> Sequence[Row]:
    """Events of all kinds, many of one instant."""
    chance = random.Random(7)
    rows = [an_event(chance, number) for number in range(400)]
    with ledger.write(["main", "other"]) as connection:
        connection.execute(insert(events), rows)
        connection.execute(insert(webhooks), [a_webhook(chance, number) for number in range(200)])
        named = [{"destination": row["destination"], "key": f"stripe:-:payment:{row['id']}"} for row in rows]
        connection.execute(insert(keys), [{**key, "group": f"gr_{number}"} for number, key in enumerate(named)])
    return rows


def an_event(chance: random.Random, number: int) -> dict[str, Any]:
    kind = chance.choice(sorted(TYPES))
    status = chance.choice(STATUSES)
    return {
        "id": f"ev_{number:04}",
        "webhook": f"wh_{number // 2:04}",
        "source": chance.choice(["stripe", "stripe", "sendgrid"]),
        "destination": chance.choice(["main", "main", "other"]),
        "type": kind,
        "subscriber": f"{chance.choice(['ana', 'bo', 'cy'])}@example.com",
        "data": "{}",
        "occurred_at": NOON,
        "lane": chance.choice(TYPES[kind]),
        "status": status,
        "reason": "refused" if status == "failed" else "not_in_lumail" if status == "held" else None,
        "last_error": "Time-out" if chance.random() < 0.1 else None,
        "due_at": NOON,
        "group": f"gr_{number}",
        "lumail_event_id": f"lum_{number}" if status == "delivered" else None,
        "created_at": NOON + timedelta(seconds=number // 5),
    }


def a_webhook(chance: random.Random, number: int) -> dict[str, Any]:
    outcome = chance.choice(["translated", "translated", "merged", "ignored", "quarantined"])
    return {
        "id": f"wh_{number:04}",
        "source": chance.choice(["stripe", "stripe", "sendgrid"]),
        "adapter": "stripe",
        "destination": "main",
        "delivery_id": f"evt_{number}",
        "received_at": NOON + timedelta(seconds=number // 3),
        "url": "",
        "headers": {},
        "body": b"{}",
        "outcome": outcome,
        "events_made": 0,
        "merged": 0,
        "taught": 0,
        "ignored": 0,
        "quarantined": int(outcome == "quarantined"),
        "notes": [],
    }


ASKED = [
    Filters(),
    Filters(status="failed"),
    Filters(status="delivered"),
    Filters(status="delivered", source="sendgrid"),
    Filters(status="failed", type="SUBSCRIBER_PAYMENT", source="stripe", destination="main"),
    Filters(type="SUBSCRIBER_REFUND"),
    Filters(type="EMAIL_BOUNCED", destination="other"),
    Filters(type="NO_SUCH_TYPE"),
    Filters(lane=Lane.BULK),
    Filters(lane=Lane.URGENT, status="waiting"),
    Filters(source="sendgrid"),
    Filters(source="sendgrid", type="EMAIL_OPENED", lane=Lane.BULK),
    Filters(destination="other"),
    Filters(subscriber="ana@example.com"),
    Filters(subscriber="ana@example.com", status="held"),
    Filters(error="REFUSED"),
    Filters(error="time-out", status="waiting"),
    Filters(error="100%"),
    Filters(text="na@exam"),
    Filters(text="bo@example.com", lane=Lane.REVENUE),
    Filters(text="nobody@example.com"),
    Filters(since=NOON + timedelta(seconds=10), until=NOON + timedelta(seconds=60)),
    Filters(status="delivered", type="EMAIL_OPENED", since=NOON + timedelta(seconds=10)),
]


def fits(filters: Filters, row: Row) -> bool:
    """The same, in plain words."""
    told = f"{row['reason'] or ''} {row['last_error'] or ''}".lower()
    equal = {"status", "type", "lane", "source", "destination", "subscriber"}
    return (
        all(getattr(filters, name) in (None, row[name]) for name in equal)
        and (filters.since is None or row["created_at"] >= filters.since)
        and (filters.until is None or row["created_at"] < filters.until)
        and (filters.error is None or filters.error.lower() in told)
        and (filters.text is None or filters.text in row["subscriber"])
    )


def newest_first(rows: Sequence[Row], at: str = "created_at") -> list[str]:
    return [row["id"] for row in sorted(rows, key=lambda row: (row[at], row["id"]), reverse=True)]


def walk(ledger: Ledger, turn: Callable[[Connection, Ask], Page], *, upwards: bool = False) -> list[str]:
    """All pages from one end to the other; the ids as they stand in the whole list."""
    seen: list[str] = []
    start = Place(NOON - timedelta(days=1), "")
    ask = replace(SHORT, newer=start) if upwards else SHORT
    for _ in range(200):
        with ledger.read() as connection:
            page = turn(connection, ask)
        assert len(page.rows) <= SHORT.limit
        ids = [row["id"] for row in page.rows]
        seen = ids + seen if upwards else seen + ids
        place = page.newer if upwards else page.older
        if place is None:
            return seen
        read = Place.read(str(place))
        ask = replace(SHORT, newer=read) if upwards else replace(SHORT, older=read)
    raise AssertionError("the list has no end")


@pytest.mark.parametrize("upwards", [False, True])
def test_walking_shows_each_event_that_fits_once_and_in_order(
    ledger: Ledger, made: Sequence[Row], upwards: bool
) -> None:
    for filters in ASKED:

        def turn(connection: Connection, ask: Ask, filters: Filters = filters) -> Page:
            return events_page(connection, filters, ask)

        expected = newest_first([row for row in made if fits(filters, row)])
        assert (filters, walk(ledger, turn, upwards=upwards)) == (filters, expected)


def test_events_are_counted_with_each_filter(ledger: Ledger, made: Sequence[Row]) -> None:
    with ledger.read() as connection:
        counts = [count_events(connection, filters) for filters in ASKED]
    assert counts == [Count(sum(fits(filters, row) for row in made)) for filters in ASKED]


def test_nobody_counts_further_than_that(ledger: Ledger, made: Sequence[Row]) -> None:
    newer = Place(NOON + timedelta(seconds=78), "~")
    with ledger.read() as connection:
        assert count_events(connection, Filters(), most=100) == Count(100, more=True)
        assert count_events(connection, Filters(), newer=newer) == Count(5)


def test_a_page_that_did_not_look_at_all_says_how_far_it_looked(ledger: Ledger, made: Sequence[Row]) -> None:
    with ledger.read() as connection:
        page = events_page(connection, Filters(text="nobody@"), SHORT)
    assert (page.rows, page.looked_to) == ([], NOON + timedelta(seconds=72))
    assert page.older == Place(NOON + timedelta(seconds=72), "")


@pytest.mark.parametrize(
    "word", ["ev_0002", "wh_0001", "gr_2", "lum_2", "evt_1", "stripe:-:payment:ev_0002", "payment-is-not-this"]
)
def test_an_event_is_found_by_every_id_that_somebody_may_have_of_it(
    ledger: Ledger, made: Sequence[Row], word: str
) -> None:
    delivered = made[2]["status"] == "delivered"
    expected = {"lum_2": delivered, "payment-is-not-this": False}.get(word, True)
    with ledger.read() as connection:
        found = [row["id"] for row in events_page(connection, Filters(text=word)).rows]
    assert ("ev_0002" in found) == expected


def test_an_id_of_the_provider_is_found_under_the_key_that_it_is_part_of(ledger: Ledger, made: Sequence[Row]) -> None:
    with ledger.write(["main"]) as connection:
        key = {"destination": made[3]["destination"], "key": "stripe:-:payment:pi_3Nx", "group": made[3]["group"]}
        connection.execute(insert(keys), [key])
    with ledger.read() as connection:
        assert [row["id"] for row in events_page(connection, Filters(text="pi_3Nx")).rows] == ["ev_0003"]
        assert [row["id"] for row in webhooks_page(connection, Filters(text="pi_3Nx")).rows] == ["wh_0001"]


WEBHOOKS: list[tuple[Filters, Callable[[Row], bool]]] = [
    (Filters(), lambda _: True),
    (Filters(status="quarantined"), lambda row: row["outcome"] == "quarantined"),
    (
        Filters(status="quarantined", source="stripe"),
        lambda row: (row["outcome"], row["source"]) == ("quarantined", "stripe"),
    ),
    (Filters(status="merged"), lambda row: row["outcome"] == "merged"),
    (
        Filters(status="ignored", source="sendgrid"),
        lambda row: (row["outcome"], row["source"]) == ("ignored", "sendgrid"),
    ),
    (Filters(source="sendgrid"), lambda row: row["source"] == "sendgrid"),
    (Filters(delivery_id="evt_17"), lambda row: row["id"] == "wh_0017"),
    (Filters(text="evt_17"), lambda row: row["id"] == "wh_0017"),
    (Filters(text="ev_0008"), lambda row: row["id"] == "wh_0004"),
    (Filters(text="nothing"), lambda _: False),
    (Filters(until=NOON + timedelta(seconds=9)), lambda row: row["received_at"] < NOON + timedelta(seconds=9)),
]


@pytest.mark.parametrize("upwards", [False, True])
def test_walking_shows_each_webhook_that_fits_once_and_in_order(
    ledger: Ledger, made: Sequence[Row], upwards: bool
) -> None:
    with ledger.read() as connection:
        everything: list[Row] = [dict(row) for row in connection.execute(webhooks.select()).mappings()]
    for filters, chosen in WEBHOOKS:

        def turn(connection: Connection, ask: Ask, filters: Filters = filters) -> Page:
            return webhooks_page(connection, filters, ask)

        expected = newest_first([row for row in everything if chosen(row)], "received_at")
        assert (filters, walk(ledger, turn, upwards=upwards)) == (filters, expected)
        with ledger.read() as connection:
            assert count_webhooks(connection, filters) == Count(len(expected))


def test_webhooks_about_a_subscriber_are_those_that_made_events(ledger: Ledger, made: Sequence[Row]) -> None:
    about = {row["webhook"] for row in made if row["subscriber"] == "cy@example.com"}
    with ledger.read() as connection:
        found = webhooks_page(connection, Filters(subscriber="cy@example.com"), Ask(limit=400)).rows
    assert {row["id"] for row in found} == about


@pytest.mark.parametrize("written", [None, "", "x", "1", "-1.ev", "1.", "99999999999999999999.ev", "²3.ev", "17.ev_1"])
def test_a_place_that_somebody_made_up_is_none(written: str | None) -> None:
    place = Place.read(written)
    assert place is None or str(place) == written


def test_a_page_between_others_names_both(ledger: Ledger, made: Sequence[Row]) -> None:
    ids = newest_first(made)
    at: dict[str, datetime] = {row["id"]: row["created_at"] for row in made}
    with ledger.read() as connection:
        page = events_page(connection, Filters(), replace(SHORT, older=Place(at[ids[6]], ids[6])))
    assert [row["id"] for row in page.rows] == ids[7:14]
    assert (page.newer, page.older) == (Place(at[ids[7]], ids[7]), Place(at[ids[13]], ids[13]))


def test_a_list_without_pages_goes_on_until_it_is_full_however_far_it_has_to_look(ledger: Ledger) -> None:
    chance = random.Random(7)
    opened = [{**an_event(chance, number), "type": "EMAIL_OPENED", "lane": 3} for number in range(LOOKED_THROUGH + 100)]
    clicked = [{**row, "type": "EMAIL_CLICKED"} for row in opened[:3]]
    with ledger.write(["main", "other"]) as connection:
        connection.execute(insert(events), [*clicked, *opened[3:]])
    with ledger.read() as connection:
        first = newest_events(connection, Filters(type="EMAIL_CLICKED"), 2)
        rest = newest_events(connection, Filters(type="EMAIL_CLICKED"), 2, first.after)
    assert ([row["id"] for row in first.rows], first.after) == (["ev_0002", "ev_0001"], "ev_0001")
    assert ([row["id"] for row in rest.rows], rest.after) == (["ev_0000"], None)
