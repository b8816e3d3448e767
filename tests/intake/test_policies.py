"""What a source's policies make of what comes in."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from gateway.events import EventType
from gateway.ledger.database import Ledger
from gateway.ledger.schema import events, groups, keys, rejections, webhooks
from gateway.ledger.views import troubles
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


@pytest.mark.parametrize(
    ("ignore", "word"),
    [
        (("charge.frobnicated",), "ignored"),
        (("charge.*",), "ignored"),
        (("charge.frob",), "quarantined"),
        (("*",), "ignored"),
        ((), "quarantined"),
    ],
)
def test_a_source_leaves_out_types_that_its_adapter_does_not_know(
    ledger: Ledger, ignore: tuple[str, ...], word: str
) -> None:
    with shop_at(ledger, SHOP, replace(SOURCE, ignore=ignore)) as shop:
        assert shop.receipt({"type": "charge.frobnicated", "id": "f1"})[word] == 1


@pytest.mark.parametrize(("ignore", "events_made"), [(("complaint",), 0), (("com*",), 1), (("*",), 1)])
def test_a_type_that_the_adapter_translates_is_left_out_by_its_name_alone(
    ledger: Ledger, ignore: tuple[str, ...], events_made: int
) -> None:
    with shop_at(ledger, SHOP, replace(SOURCE, ignore=ignore)) as shop:
        receipt = shop.receipt({"type": "complaint", "id": "c1", "email": "ana@example.com"})
        assert len(receipt["events"]) == events_made


def test_what_is_in_quarantine_is_left_out_once_its_type_is_to_be_and_it_is_sent_again(ledger: Ledger) -> None:
    odd = {"type": "charge.frobnicated", "id": "f1"}
    with shop_at(ledger, SHOP, SOURCE) as shop:
        assert shop.receipt(odd, X_Shop_Delivery="d1")["quarantined"] == 1
    with shop_at(ledger, SHOP, replace(SOURCE, ignore=("charge.*",))) as shop:
        again = shop.receipt(odd, X_Shop_Delivery="d1")
    assert (again["quarantined"], again["ignored"]) == (0, 1)
    assert rows(ledger, webhooks, "outcome", "quarantined") == [("ignored", 0)]


def test_a_duplicate_that_is_proven_closes_what_was_rejected_before(ledger: Ledger) -> None:
    with shop_at(ledger, SHOP, SOURCE) as shop:
        item = {"type": "open", "id": "o1", "email": "ana@example.com"}
        shop.receipt(item, X_Shop_Delivery="d1")
        assert shop.post(item, secret="another").status_code == 401
        shop.door.refusals.flush()
        assert rows(ledger, rejections, "cause", "proven_at") == [("wrong", None)]
        assert shop.receipt(item, X_Shop_Delivery="d1")["duplicate"]
        shop.door.refusals.flush()
        [(_, proven_at)] = rows(ledger, rejections, "cause", "proven_at")
    assert proven_at is not None


def test_what_was_answered_503_is_counted_by_cause_once_the_ledger_is_back(ledger: Ledger) -> None:
    with shop_at(ledger, SHOP, SOURCE) as shop:
        with ledger.write() as connection:
            connection.execute(text("ALTER TABLE webhooks RENAME TO elsewhere"))
        assert shop.post({"type": "open", "id": "o1", "email": "ana@example.com"}).status_code == 503
        with ledger.write() as connection:
            connection.execute(text("ALTER TABLE elsewhere RENAME TO webhooks"))
        shop.door.refusals.flush()
    with ledger.read() as connection:
        assert troubles.unavailable(connection, ledger.now(connection)) == {"shop": {"ledger": 1}}
