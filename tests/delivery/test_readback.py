"""What the records of a page say about an event whose answer was lost."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.delivery.readback import ReadResult, judge, path
from gateway.events import EventType
from gateway.ledger.event import Event
from gateway.ledger.outbox.observed import Observed
from gateway.ledger.scheduling.attempt import ReadBack
from gateway.lumail.client import RecordedEvent
from tests.making import NOON, event

PAYMENT = event(EventType.SUBSCRIBER_PAYMENT, first_attempt_at=NOON, clock_offset_ms=0)
OPEN = event(EventType.EMAIL_OPENED)
SENT = {"amount": 49.9, "product": "Café", "gatewayEventId": "ev_1", "source": "stripe"}
OPENED = {"emailId": "e1", "subject": "Hello", "gatewayEventId": "ev_1"}


def record(identity: str, data: dict[str, Any] | None, ours: Event = PAYMENT, seconds: int = 0) -> RecordedEvent:
    return RecordedEvent(identity, ours.type.value, data, NOON + timedelta(seconds=seconds), None, None)


def read_of(doubtful: Event) -> ReadBack:
    return ReadBack(doubtful, NOON, NOON)


def observed(echo: bool | None, offset: int = 0) -> Observed:
    return Observed(echo, timedelta(seconds=offset), timedelta(0))


def found(*records: RecordedEvent, echo: bool | None, ours: Event = PAYMENT, **owners: str) -> ReadResult:
    sent = SENT if ours.type is EventType.SUBSCRIBER_PAYMENT else OPENED
    return judge(ours, records, owners, observed(echo), [json.dumps({"data": sent})])


EQUAL = {"amount": Decimal("49.90"), "product": "Café"}
NEAR = {"amount": 49.9, "product": "Something else"}


@pytest.mark.parametrize("echo", [True, False, None])
def test_our_id_decides_and_shows_that_lumail_keeps_it(echo: bool | None) -> None:
    ours = record("lum_2", SENT)
    assert found(record("lum_1", EQUAL), ours, echo=echo) == ReadResult(found=ours, is_named=True, echo=True)


@pytest.mark.parametrize(
    "data",
    [
        EQUAL,
        {"amount": 49.9, "product": "Cafe\u0301"},
        {"amount": Decimal("4.990E+1"), "product": " Café "},
        {"amount": 49.9, "product": "Café", "added": "by Lumail"},
    ],
)
def test_without_ids_a_record_that_says_the_same_is_ours(data: dict[str, Any]) -> None:
    same = record("lum_1", data)
    assert found(same, echo=False) == ReadResult(found=same, echo=False)


@pytest.mark.parametrize(
    "data", [{"amount": 49.9, "product": "café"}, {"amount": 49.9}, {"amount": 49.9, "product": None}, NEAR]
)
def test_without_ids_a_record_of_the_same_amount_may_be_ours(data: dict[str, Any]) -> None:
    assert found(record("lum_1", data), echo=False) == ReadResult(ambiguous=("lum_1",), echo=False)


@pytest.mark.parametrize(
    "data", [{"amount": 49.91, "product": "Café"}, {"amount": "49.9", "product": "Café"}, {}, None]
)
def test_another_amount_is_another_payment(data: dict[str, Any] | None) -> None:
    assert found(record("lum_1", data), echo=False) == ReadResult(echo=False)


def test_of_several_equal_records_the_oldest_is_taken() -> None:
    first, second = record("lum_9", EQUAL, seconds=1), record("lum_1", EQUAL, seconds=2)
    assert found(second, first, echo=False).found == first


def test_a_record_of_another_of_our_events_is_not_it() -> None:
    assert found(record("lum_1", EQUAL), echo=False, lum_1="ev_2") == ReadResult(echo=False)
    assert found(record("lum_1", {**EQUAL, "gatewayEventId": "ev_2"}), echo=False) == ReadResult(echo=True)


def test_while_nobody_knows_whether_ids_are_kept_an_equal_record_decides_nothing() -> None:
    assert found(record("lum_1", EQUAL), echo=None) == ReadResult(ambiguous=("lum_1",))


def test_a_record_of_ours_without_its_id_shows_that_ids_are_not_kept() -> None:
    mine, same = record("lum_1", NEAR), record("lum_2", EQUAL)
    assert found(mine, same, echo=None, lum_1="ev_0") == ReadResult(found=same, echo=False)


def test_where_ids_are_kept_a_record_without_one_matters_for_money_only() -> None:
    assert found(record("lum_1", EQUAL), echo=True) == ReadResult(ambiguous=("lum_1",), echo=True)
    opened = {"emailId": "e1", "subject": "Hello"}
    assert found(record("lum_1", opened, OPEN), echo=True, ours=OPEN) == ReadResult(echo=True)


def test_what_is_no_money_is_equal_or_another() -> None:
    same = record("lum_1", {"emailId": "e1", "subject": "Hello "}, OPEN)
    assert found(same, echo=False, ours=OPEN).found == same
    assert found(record("lum_1", {"emailId": "e2", "subject": "Hello"}, OPEN), echo=False, ours=OPEN) == ReadResult(
        echo=False
    )


def test_a_record_of_another_type_is_not_it() -> None:
    assert found(record("lum_1", SENT, OPEN), echo=True).found is None


@pytest.mark.parametrize(
    ("known", "now", "start"),
    [
        (0, 0, "11:50"),
        (3600, 3600, "12:50"),
        (0, 3600, "11:50"),  # the ledger's clock was set back since
        (3600, 0, "11:50"),  # or forth
    ],
)
def test_records_are_looked_at_from_ten_minutes_before_the_first_attempt_in_lumails_clock(
    known: int, now: int, start: str
) -> None:
    asked = path(read_of(replace(PAYMENT, clock_offset_ms=known * 1000)), observed(None, now))
    assert parse_qs(urlsplit(asked).query)["startDate"] == [f"2026-11-20T{start}:00Z"]


def test_where_lumails_clock_was_not_known_at_the_first_attempt_much_more_is_looked_at() -> None:
    asked = path(read_of(replace(PAYMENT, clock_offset_ms=None)), observed(None, 3600))
    assert parse_qs(urlsplit(asked).query)["startDate"] == ["2026-11-19T11:50:00Z"]
