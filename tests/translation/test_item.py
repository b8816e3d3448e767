"""One item of a webhook, read leniently."""

from decimal import Decimal
from typing import Any

import pytest

from gateway.errors import PayloadError
from gateway.translation.item import Item
from tests.translation.test_moment import NINE

ODD: list[Any] = [None, {}, [], True, "", "  ", {"id": {}}, [[]]]


@pytest.mark.parametrize("odd", ODD)
def test_what_is_of_another_kind_is_not_there(odd: Any) -> None:
    item = Item({"a": odd})
    assert (item.text("a"), item.id("a"), item.first("a"), item.time("a"), item.text("a.b")) == (None,) * 5
    assert list(Item({"a": odd}).parts("b")) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(" Ana ", "Ana"), (17, "17"), (0, "0"), (2**63, str(2**63)), (Decimal("5.1"), "5.1"), (Decimal("1.9E+3"), "1900")],
)
def test_numbers_become_text(value: Any, text: str) -> None:
    assert Item({"a": {"b": value}}).text("c", "a.b") == text


@pytest.mark.parametrize("nothing", [0, "0", "000", "00000000-0000-0000-0000-000000000000", ""])
def test_zero_and_nothing_are_no_ids(nothing: Any) -> None:
    assert Item({"a": nothing, "b": 10}).id("a", "b") == "10"


FLAGS: dict[bool | None, list[Any]] = {
    True: [True, "true", " TRUE ", 1, "1"],
    False: [False, "false", 0, "0"],
    None: ["", "yes", 2, None, {}, [True]],
}


@pytest.mark.parametrize(("value", "flag"), [(value, flag) for flag, values in FLAGS.items() for value in values])
def test_a_flag_is_one_however_it_is_written(value: Any, flag: bool | None) -> None:
    assert Item({"a": value}).flag("a") is flag


@pytest.mark.parametrize(
    "value",
    [
        *(1762160400, "1762160400", 1762160400000, Decimal("1762160400.0"), "2025-11-03T09:00:00Z"),
        *("2025-11-03T10:00:00.0000000+01:00", "Mon, 03 Nov 2025 09:00:00 +0000"),
    ],
)
def test_a_time_is_read_in_any_form(value: Any) -> None:
    assert Item({"a": "soon", "b": value}).time("a", "b") == NINE


@pytest.mark.parametrize("odd", [0, 1, -1, "0", "soon", 10**15, 10**30, "2025-11-03 09:00:00", {}, True])
def test_what_can_be_no_time_is_none(odd: Any) -> None:
    assert Item({"a": odd}).time("a") is None


def test_whose_it_is_can_not_be_left_out() -> None:
    assert Item({"to": "nobody", "email": " Ana@Example.com"}).email("to", "email") == "ana@example.com"
    with pytest.raises(PayloadError, match="no e-mail address in `to` or `email`"):
        Item({"to": "nobody", "email": ["ana@example.com"]}).email("to", "email")


def test_the_first_text_of_an_array_counts() -> None:
    assert Item({"a": [None, "", "news", "more"]}).first("a") == "news"
    assert Item({"a": ["*", "news"]}).first("a", but="*") == "news"
    assert [one.text("b") for one in Item({"a": [{"b": 1}, 2, {"b": 3}]}).parts("a")] == ["1", "3"]
