"""JSON is read exactly, or not understood."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import PayloadError
from gateway.formats.nesting import DEEPEST
from gateway.translation import json_body


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"id": 9007199254740993}', {"id": 9007199254740993}),
        (b"[0.1, 1.10, 1e2]", [Decimal("0.1"), Decimal("1.10"), Decimal("1E+2")]),
        (b'"a\\u0026b\\/c"\r\n', "a&b/c"),
        ("\ufeff{}".encode(), {}),
        ('"🧂"'.encode(), "🧂"),
        (b'"\\ud83e\\uddc2"', "🧂"),
        (b'{"a\\u0000": ["\\ud800", "\\u0000"]}', {"a\ufffd": ["\ufffd", "\ufffd"]}),
    ],
)
def test_a_body_is_read_exactly(body: bytes, value: Any) -> None:
    assert json_body.load(body) == value


def test_other_bytes_cost_a_body_nothing_but_themselves() -> None:
    assert json_body.load(b'[{"a": "f\xfcr"}, {"b": 1}]') == [{"a": "f\ufffdr"}, {"b": 1}]
    assert json_body.load(b'[{"a": "two\nlines\t\x00"}, {"b": 1}]') == [{"a": "two\nlines\t\ufffd"}, {"b": 1}]


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999999999", b"-0.1e-400", b"1" * 5000])
def test_what_is_no_number_is_nothing_and_costs_a_body_nothing_else(number: bytes) -> None:
    assert json_body.load(b'[{"a": %s}, {"b": 1, "c": 0.5}]' % number) == [{"a": None}, {"b": 1, "c": Decimal("0.5")}]


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"b":1,"a":', b"}]")])
def test_what_is_nested_is_read_to_a_depth_that_all_can_walk_through(opening: bytes, closing: bytes) -> None:
    most = DEEPEST // (opening.count(b"[") + opening.count(b"{"))
    assert json_body.load(opening * (most - 1) + b"[]" + closing * (most - 1))
    for depth in (most + 1, 900, 100_000):
        with pytest.raises(PayloadError, match="nested too deeply"):
            json_body.load(opening * depth + b"[]" + closing * depth)


def test_a_batch_of_many_flat_items_is_not_deep() -> None:
    assert len(json_body.load(b"[" + b'{"a":[1],"b":{}},' * 1000 + b"{}]")) == 1001


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nan", b"[inf]", b"\xff", b"[1e]", b"[" * 100_000, b"[01]", b"{}{}"],
)
def test_what_is_not_json_is_not_understood(body: bytes) -> None:
    with pytest.raises(PayloadError):
        json_body.load(body)


def test_a_body_that_must_be_an_object_is_nothing_else() -> None:
    with pytest.raises(PayloadError, match="the body is not a JSON object"):
        json_body.load_object(b"[]")


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_not_understood(body: bytes) -> None:
    with suppress(PayloadError):
        json_body.load(body)


FLAT = b'\xef\xbb\xbf {"a": "1, [2] {3} \\" \\u0041", "b": {"c": {"d": null}}, "e": -1.5e3 } '


def test_a_flat_object_is_read_as_any_other() -> None:
    assert json_body.load_flat(FLAT) == json_body.load_object(FLAT)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'"a"',
        b"",
        b"{",
        b"}",
        b'{"a": [1]}',
        b'{"a": {"b": {"c": {}}}}',
        b'{"a": 1%s}' % (b"1" * 40),
        b"\xff",
        b'{"a',
    ],
)
def test_what_is_not_flat_is_not_read(body: bytes) -> None:
    with pytest.raises(PayloadError):
        json_body.load_flat(body)


def test_no_more_is_read_of_a_flat_object_than_is_allowed() -> None:
    body = b"{" + b",".join(b'"%d":"a"' % number for number in range(100)) + b"}"
    assert len(json_body.load_flat(body)) == 100
    with pytest.raises(PayloadError):
        json_body.load_flat(body, most_tokens=400)
