"""Times as providers write them."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import PayloadError
from gateway.translation import moment

NINE = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1762160400, NINE),
        ("1762160400", NINE),
        (" 1762160400 ", NINE),
        (1762160400372, NINE + timedelta(milliseconds=372)),
        ("1762160400372", NINE + timedelta(milliseconds=372)),
        ("1762160400372.456", NINE + timedelta(microseconds=372456)),
        (Decimal("1762160400.123456"), NINE + timedelta(microseconds=123456)),
        ("1762160400.1234567", NINE + timedelta(microseconds=123456)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_unix_time_is_read_in_seconds_or_milliseconds(value: Any, expected: datetime) -> None:
    assert moment.from_unix(value) == expected


@pytest.mark.parametrize("value", [None, True, "", "soon", "-1", -1, "1e9", 10**40, Decimal("NaN"), [], "١٢٣", 1.5])
def test_what_is_no_unix_time_is_refused(value: Any) -> None:
    with pytest.raises(PayloadError):
        moment.from_unix(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2025-11-03T09:00:00Z", NINE),
        ("2025-11-03T10:00:00+01:00", NINE),
        ("2025-11-03T09:00:00.1234567Z", NINE + timedelta(microseconds=123456)),
        ("2025-11-03T04:00:00.123456789-05:00", NINE + timedelta(microseconds=123456)),
        ("2025-11-03 09:00:00.5Z", NINE + timedelta(microseconds=500000)),
        ("2025-11-03 09:00:00 UTC", NINE),
        ("2025-11-03 10:00:00.000 +0100", NINE),
        ("2025-11-03 10:00:00+01", NINE),
    ],
)
def test_iso_times_are_read_with_any_number_of_decimals(value: str, expected: datetime) -> None:
    assert moment.from_iso(value) == expected
    assert moment.from_iso(value).tzinfo is UTC


def test_a_time_without_zone_needs_to_be_given_one() -> None:
    assert moment.from_iso("2025-11-03T10:00:00", naive=timezone(timedelta(hours=1))) == NINE
    with pytest.raises(PayloadError, match="without a time zone"):
        moment.from_iso("2025-11-03T10:00:00")


@pytest.mark.parametrize("value", ["Mon, 3 Nov 2025 10:00:00 +0100", "Mon, 03 Nov 2025 09:00:00 -0000"])
def test_mail_dates_are_read(value: str) -> None:
    assert moment.from_rfc2822(value) == NINE


@pytest.mark.parametrize("value", [None, 5, "", "0001-01-01T00:00:00+14:00", "Mon, 99 Nov 2025 10:00:00 +0100"])
def test_nonsense_is_no_time(value: Any) -> None:
    for read in (moment.from_iso, moment.from_rfc2822):
        with pytest.raises(PayloadError):
            read(value)


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    for read in (moment.from_unix, moment.from_iso, moment.from_rfc2822):
        with suppress(PayloadError):
            assert read(text).tzinfo is UTC


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_is_written_as_it_can_be_read(then: datetime) -> None:
    assert moment.from_iso(moment.to_iso(then)) == then
