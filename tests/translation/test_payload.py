"""Fields of payload schemas: lenient about absence, strict about kind."""

from typing import Any

import pytest

from gateway.errors import PayloadError
from gateway.translation import payload
from gateway.translation.payload import Email, Flag, Part, PayloadSchema, Reference, Text, UnixTime, Whole
from tests.translation.test_moment import NINE


class InnerSchema(PayloadSchema):
    name = Text()


class OuterSchema(PayloadSchema):
    id = Text(required=True)
    whose = Email()
    count = Whole()
    live = Flag()
    at = UnixTime()
    other = Reference()
    inner = Part(InnerSchema)


SCHEMA = OuterSchema()
NOTHING = {"whose": None, "count": None, "live": None, "at": None, "other": None, "inner": {"name": None}}


def test_what_is_missing_or_null_loads_as_nothing_and_what_is_unknown_is_dropped() -> None:
    assert payload.load(SCHEMA, {"id": "a", "extra": 1}) == {"id": "a"} | NOTHING
    assert payload.load(SCHEMA, {"id": "a", **dict.fromkeys(NOTHING)}) == {"id": "a"} | NOTHING


def test_values_are_cleaned() -> None:
    told = {"id": 12345678901234567890, "whose": " Ana@Example.com", "count": 5, "live": False, "at": "1762160400"}
    told |= {"other": {"id": " cus_1 ", "object": "customer"}, "inner": {"name": " Ana "}}
    assert payload.load(SCHEMA, told) == {
        "id": "12345678901234567890",
        "whose": "ana@example.com",
        "count": 5,
        "live": False,
        "at": NINE,
        "other": "cus_1",
        "inner": {"name": "Ana"},
    }


@pytest.mark.parametrize(
    "odd",
    [
        {"id": None},
        {"id": ""},
        {"id": True},
        {"count": "5"},
        {"count": 5.5},
        {"count": True},
        {"count": 10**18},
        {"live": "true"},
        {"live": 1},
        {"at": "soon"},
        {"other": 5},
        {"other": {}},
        {"inner": "Ana"},
        {"inner": {"name": []}},
    ],
    ids=str,
)
def test_another_kind_of_value_does_not_fit_and_the_text_names_the_field(odd: dict[str, Any]) -> None:
    with pytest.raises(PayloadError, match=next(iter(odd))):
        payload.load(SCHEMA, {"id": "a", **odd})


def test_an_address_that_is_none_matters_only_where_one_is_required() -> None:
    class StrictSchema(PayloadSchema):
        whose = Email(required=True)

    assert payload.load(SCHEMA, {"id": "a", "whose": "n/a"})["whose"] is None
    with pytest.raises(PayloadError, match="Not an e-mail address"):
        payload.load(StrictSchema(), {"whose": "n/a"})


def test_an_empty_array_in_the_place_of_an_object_is_an_empty_object() -> None:
    assert payload.load(SCHEMA, {"id": "a", "inner": []})["inner"] == {"name": None}
