"""docs/reference/events.md says what may be sent to Lumail."""

from marshmallow import Schema

from gateway.events import DATA_SCHEMAS, DEFAULT_FORWARDED, EventType, lane_of
from gateway.translation.declarative.schema import ANNOTATIONS
from tests.cli.tryout import ROOT
from tests.docs.test_provider_pages import table_under, words_in

PAGE = (ROOT / "docs" / "reference" / "events.md").read_text()
HARD = {"bounceType": "hard"}
OF_THE_GATEWAY = {"gatewayEventId", "occurredAt", "timeIsArrival", "source"}
OF_MONEY = {"currency", "presentmentAmount", "presentmentCurrency"}


def fields_of(schema: Schema) -> set[str]:
    return {name if member.required else f"{name}?" for name, member in schema.fields.items()}


def lane_in_words(one: EventType) -> str:
    usual, hard = lane_of(one, {}).word, lane_of(one, HARD).word
    return usual if usual == hard else f"{hard} where `bounceType` is `hard`, else {usual}"


def test_every_type_stands_there_with_its_fields_its_lane_and_whether_it_is_forwarded() -> None:
    told = {words_in(name)[0]: (set(words_in(data)), *rest) for name, data, *rest in table_under("| Type |", PAGE)}
    assert told == {
        one.value: (
            fields_of(DATA_SCHEMAS[one]),
            lane_in_words(one),
            "yes" if one in DEFAULT_FORWARDED else "when named",
        )
        for one in EventType
    }


def test_every_annotation_stands_there() -> None:
    told = {name for cells in table_under("| Field |", PAGE) for name in words_in(cells[0])}
    assert told == OF_THE_GATEWAY | OF_MONEY | set(ANNOTATIONS)
