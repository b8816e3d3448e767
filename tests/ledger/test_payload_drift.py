"""What counts as drift, and how much of what was seen is kept."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.ledger.database import Ledger
from gateway.ledger.views.payload_drift import KEPT_A_TYPE, LEARNT_WITHIN, Drift, Seen, add, drifts, everything
from tests.making import NOON

LATER = NOON + LEARNT_WITHIN + timedelta(hours=1)
USUAL = ("email:text", "id:number", "note")


def seen(*paths: str, **given: Any) -> Seen:
    at = given.pop("at", NOON)
    fields: dict[str, Any] = {
        "adapter": "shop",
        "type": "order",
        "shape": "-".join(paths)[:16],
        "webhook": "wh_1",
        "count": 1,
    } | given
    return Seen(**fields, paths=paths, first_at=at, last_at=at)


def keep(ledger: Ledger, *ones: Seen) -> list[Seen]:
    with ledger.write() as connection:
        add(connection, ones)
    with ledger.read() as connection:
        return everything(connection)


def test_what_is_seen_again_is_counted_with_the_newest_sample(ledger: Ledger) -> None:
    keep(ledger, seen(*USUAL, count=2))
    again = keep(ledger, seen(*USUAL, webhook="wh_2", at=LATER))
    assert again == [
        Seen("shop", "order", "email:text-id:nu", USUAL, "wh_2", count=3, first_at=NOON, last_at=LATER),
    ]


def test_of_a_type_only_the_shapes_seen_last_are_kept(ledger: Ledger) -> None:
    many = [
        seen("a:text", shape=f"s{number}", at=NOON + timedelta(minutes=number)) for number in range(KEPT_A_TYPE + 9)
    ]
    assert keep(ledger, *many, seen(type="other", shape="")) == [*many[9:], seen(type="other", shape="")]


def test_a_type_that_the_adapter_does_not_know_is_drift() -> None:
    unknown = seen(type="teleported", shape="")
    assert drifts([unknown]) == [Drift("type", unknown)]


@pytest.mark.parametrize(
    ("paths", "new", "gone"),
    [
        ((*USUAL, "coupon:text"), ("coupon:text",), ()),
        (("email:text", "note"), (), ("id:number",)),
        (("email:text", "id:text", "note"), ("id:text",), ("id:number",)),
        (("email", "id:number", "note"), (), ("email:text",)),
    ],
)
def test_a_key_or_kind_that_is_new_or_gone_is_drift(
    paths: tuple[str, ...], new: tuple[str, ...], gone: tuple[str, ...]
) -> None:
    one = seen(*paths, at=LATER)
    assert drifts([one, seen(*USUAL)]) == [Drift("shape", one, new, gone)]


@pytest.mark.parametrize(
    "paths",
    [
        USUAL,
        ("email:text", "id:number", "note:text"),
        ("email:text", "id:number", "note.text:text"),
        ("email:text", "id:number", "note[].text:text"),
        ("email:text", "id:number", "note", "tip:number"),
    ],
)
def test_what_was_seen_before_or_was_null_is_no_drift(paths: tuple[str, ...]) -> None:
    soon = seen("email:text", "id:number", "note", "tip:number", at=NOON + timedelta(hours=1))
    assert drifts([seen(*USUAL), soon, seen(*paths, at=LATER, shape="other")]) == []


def test_what_drifted_once_is_usual_afterwards() -> None:
    first = seen(*USUAL, "coupon:text", at=LATER)
    second = seen("email:text", "id:number", "coupon:text", at=LATER + timedelta(hours=1))
    assert drifts([seen(*USUAL), first, second]) == [Drift("shape", first, ("coupon:text",))]
