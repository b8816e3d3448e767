"""What an event's texts and time become before the ledger takes it."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.events import DATA_SCHEMAS, EventType, LumailEvent, faults_of
from gateway.translation.fitting import CUT, LONGEST, decoded, fitted
from tests.docs.test_provider_pages import table_under

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MAIL = {"emailId": "m1", "subject": "News"}


def event(event_type: EventType, **data: object) -> LumailEvent:
    return LumailEvent(event_type, "ana@example.com", data, NOON, ("event:1",))


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?utf-8?B?R3LDvMOfZQ==?= =?utf-8?Q?_aus_K=C3=B6ln?=", "Grüße aus Köln"),
        ("Re: =?iso-8859-1?Q?Gr=FC=DFe?= an Ana", "Re: Grüße an Ana"),
        ("=?UTF-8*de?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("plain =? text", "plain =? text"),
        ("=?nonsense?Q?a?=", "=?nonsense?Q?a?="),
        ("=?utf-8?B?!?=", "=?utf-8?B?!?="),
        ("=?utf-8?Q?a=00=0Ab?=", "a\ufffd\ufffdb"),
        ("Grüße", "Grüße"),
    ],
)
def test_encoded_words_are_decoded(subject: str, text: str) -> None:
    assert decoded(subject) == text


def test_a_subject_is_decoded_before_it_is_cut() -> None:
    made = fitted(event(EventType.EMAIL_OPENED, emailId="m1", subject="=?UTF-8?Q?Gr=C3=BC=C3=9Fe?="), undated=False)
    assert made.data == {"emailId": "m1", "subject": "Grüße"}


@pytest.mark.parametrize("name", LONGEST)
def test_a_text_that_is_too_long_is_cut_with_a_mark(name: str) -> None:
    made = fitted(event(EventType.EMAIL_CLICKED, **{name: "x" * 5000}), undated=False)
    assert (len(made.data[name]), made.data[name][-4:]) == (LONGEST[name], CUT)
    whole = event(EventType.EMAIL_CLICKED, **{name: "x" * LONGEST[name]})
    assert fitted(whole, undated=False) == whole


def test_an_event_of_mail_says_that_its_time_is_that_of_arrival() -> None:
    made = fitted(event(EventType.EMAIL_COMPLAINED, **MAIL), undated=True)
    assert (made.data, made.undated, faults_of(made)) == ({**MAIL, "timeIsArrival": True}, True, {})
    assert "timeIsArrival" not in {name for schema in DATA_SCHEMAS.values() for name in schema.fields}


def test_money_is_left_as_it_is() -> None:
    paid = event(EventType.SUBSCRIBER_PAYMENT, amount=Decimal("9.90"), product="x")
    assert fitted(paid, undated=True) is paid


def test_how_long_a_text_may_be_is_documented() -> None:
    rows = table_under("| text | characters |", (Path(__file__).parents[2] / "docs" / "mail.md").read_text())
    assert {name.strip("`"): int(characters) for name, characters in rows} == LONGEST
