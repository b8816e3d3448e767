"""Amounts: exact, in major units."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import PayloadError
from gateway.events import decode_data, encode_data
from gateway.translation import money


@pytest.mark.parametrize(
    ("minor", "currency", "major"),
    [
        (4999, "eur", "49.99"),
        (4999, " USD ", "49.99"),
        (5000, "jpy", "5000"),
        (500, "isk", "5.00"),
        (500, "ugx", "5.00"),
        (1045, "huf", "10.45"),
        (5120, "kwd", "5.120"),
        (1000, "lyd", "1.000"),
        (-250, "gbp", "-2.50"),
        (1, "zzz", "0.01"),
    ],
)
def test_minor_units_become_major_ones_by_the_currency(minor: int, currency: str, major: str) -> None:
    assert money.major_units(minor, currency) == Decimal(major)


@pytest.mark.parametrize(("minor", "currency"), [(True, "eur"), (10**15, "eur"), (1, "euro"), (1, ""), (1, "€€€")])
def test_what_is_no_amount_is_refused(minor: int, currency: str) -> None:
    with pytest.raises(PayloadError):
        money.major_units(minor, currency)


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.sampled_from(["eur", "jpy", "kwd", "clf"]))
def test_every_amount_can_be_sent_and_read_back_exactly(minor: int, currency: str) -> None:
    amount = money.major_units(minor, currency)
    assert decode_data(encode_data({"amount": amount})) == {"amount": amount}


@pytest.mark.parametrize(
    ("value", "expected"), [("49.99", "49.99"), (" 5 ", "5"), (5, "5"), (Decimal("1.50"), "1.5"), ("-2.50", "-2.5")]
)
def test_amounts_in_major_units_are_read(value: Any, expected: str) -> None:
    assert money.amount(value) == Decimal(expected)


@pytest.mark.parametrize(
    "value", [None, True, "", "1,50", "1e5", "NaN", Decimal("NaN"), "9" * 20, [], 1.5, "123456789012345.67"]
)
def test_other_amounts_are_refused(value: Any) -> None:
    with pytest.raises(PayloadError):
        money.amount(value)


@pytest.mark.parametrize("number", ["1e999999999", "1e-999999999", "NaN", "-Infinity"])
def test_a_number_that_nobody_can_write_out_is_no_data(number: str) -> None:
    with pytest.raises(ValueError, match=r"out of all proportion|not JSON compliant"):
        encode_data(decode_data(f'{{"amount": {number}}}'))


@pytest.mark.parametrize("depth", [101, 900, 100_000])
def test_what_is_nested_too_deeply_is_no_data(depth: int) -> None:
    with pytest.raises(ValueError, match="nested"):
        encode_data(decode_data('{"newValue":' + "[" * depth + "]" * depth + "}"))
