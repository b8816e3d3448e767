"""What a source's policies make of what comes in."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from gateway.events import EventType
from gateway.ledger.database import Ledger
from gateway.ledger.schema import events, groups, keys
from tests.intake.conftest import SHOP, SOURCE, Shop, shop_at
from tests.making import NOON, rows

ONCE = {EventType.EMAIL_OPENED: "emailId"}


@pytest.fixture
def choosy(ledger: Ledger) -> Iterator[Shop]:
    source = replace(
        SOURCE,
        forward=frozenset(EventType),
        expire_after={EventType.EMAIL_OPENED: timedelta(days=2)},
        once_per=ONCE,
    )
    with shop_at(ledger, SHOP, source) as made:
        yield made


def an_open(number: int, mail: str, email: str = "ana@example.com") -> dict[str, Any]:
    return {"type": "open", "id": f"o{number}", "mail": mail, "email": email}


def test_an_event_is_worth_something_for_so_long_after_it_happened(choosy: Shop) -> None:
    choosy.receipt(an_open(1, "m1"), {"type": "complaint", "id": "c1", "email": "ana@example.com"})
    assert rows(choosy.ledger, events, "type", "expires_at") == [
        ("EMAIL_OPENED", NOON + timedelta(days=2)),
        ("EMAIL_COMPLAINED", None),
    ]


def test_events_of_one_subscriber_and_value_count_once_and_the_others_as_merged(choosy: Shop) -> None:
    receipt = choosy.receipt(an_open(1, "m1"), an_open(2, "m1"), an_open(3, "m2"), an_open(4, "m1", "bo@example.com"))
    assert (len(receipt["events"]), receipt["merged"]) == (3, 1)
    assert (len(choosy.receipt(an_open(5, "m1"))["events"]), choosy.receipt(an_open(2, "m1"))["merged"]) == (0, 1)


def test_without_a_value_each_event_counts(choosy: Shop) -> None:
    assert len(choosy.receipt(an_open(1, ""), an_open(2, ""))["events"]) == 2


def test_what_was_told_before_the_policy_stays_two_facts(ledger: Ledger) -> None:
    everything = replace(SOURCE, forward=frozenset(EventType))
    with shop_at(ledger, SHOP, everything) as before:
        before.receipt(an_open(1, "m1"), an_open(2, "m1"))
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).values(status="delivered", first_attempt_at=NOON))
    with shop_at(ledger, SHOP, replace(everything, once_per=ONCE)) as after:
        receipt = after.receipt(an_open(1, "m1"), an_open(2, "m1"), an_open(3, "m1"))
    assert (len(receipt["events"]), receipt["merged"]) == (1, 2)
    assert len({group for (group,) in rows(ledger, keys, "group")}) == 3
    assert rows(ledger, groups, "incident") == []
