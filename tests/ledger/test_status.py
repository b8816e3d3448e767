"""Every status, reason and kind of pause has its words, and what may follow what is said once."""

from typing import Any

import pytest

from gateway.ledger import words
from gateway.ledger.database import Ledger
from gateway.ledger.status import (
    CORRECTIONS,
    ENDED,
    FINAL_REASONS,
    LIVE,
    REASONS,
    TRANSITIONS,
    PauseKind,
    Reason,
    Status,
    is_final,
)
from gateway.ledger.views.listing import newest_events
from gateway.ledger.views.search import Filters
from tests.making import payment
from tests.replay.standing import recorded

DETAILED = [reason for reason in Reason if words.DETAIL in words.REASONS[reason]]


def test_every_code_has_its_words() -> None:
    assert set(words.REASONS) == set(Reason)
    assert set(words.PAUSES) == set(PauseKind)
    assert set(words.STATUSES) == set(Status)


def test_every_reason_is_explained_for_every_status_that_may_have_it() -> None:
    assert set(words.MEANINGS) == {(status, reason) for status in Status for reason in REASONS[status]}
    assert {reason for reasons in REASONS.values() for reason in reasons} == set(Reason)


def test_no_two_reasons_read_alike() -> None:
    assert len(set(words.REASONS.values())) == len(Reason)


def test_a_status_is_followed_by_others_only() -> None:
    assert set(TRANSITIONS) == set(Status)
    both = [TRANSITIONS[status] & CORRECTIONS.get(status, frozenset()) for status in Status]
    assert both == [frozenset()] * len(Status)
    assert [status for status in Status if status in TRANSITIONS[status]] == []


def test_a_fact_is_told_again_only_where_it_came_to_nothing() -> None:
    assert {*LIVE, *ENDED} == set(Status)
    assert REASONS[Status.DROPPED] > FINAL_REASONS


@pytest.mark.parametrize(
    ("status", "reason", "former", "expected"),
    [
        ("dropped", "cancelled", None, True),
        ("dropped", "expired", None, True),
        ("dropped", "person_erased", None, True),
        ("dropped", "held_too_long", "answer_lost", True),
        ("dropped", "held_too_long", "subscriber_unknown", False),
        ("dropped", "held_too_long", None, False),
        ("dropped", "superseded", None, False),
        ("dropped", "not_in_lumail", None, False),
        ("failed", "person_erased", None, False),
        ("held", "answer_lost", None, False),
    ],
)
def test_what_is_never_told_again(status: str, reason: str, former: str | None, expected: bool) -> None:
    assert is_final(status, reason, former) == expected


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"reason": "answer_lost"}, "answer lost"),
        ({"reason": "refused", "reason_detail": "422"}, "Lumail refused it with 422"),
        ({"reason": "subscriber_refused", "reason_detail": "402"}, "Lumail refused to make the subscriber with 402"),
        ({"reason": "retries_ended", "reason_detail": "3"}, "given up after 3 days"),
        ({"reason": "held_too_long", "former_reason": "answer_lost"}, "held too long: answer lost"),
        ({"reason": "held_too_long"}, "held too long: no cause is known"),
        ({"reason": None}, None),
        ({"reason": "of_a_newer_version"}, "of_a_newer_version"),
    ],
)
def test_a_reason_is_told_with_its_detail(columns: dict[str, Any], expected: str | None) -> None:
    nothing = {"reason_detail": None, "former_reason": None}
    assert words.of_event(nothing | columns) == expected


def test_the_words_of_a_reason_are_found_as_they_are_told(ledger: Ledger) -> None:
    made = {}
    for reason in (*Reason, "of_a_newer_version"):
        columns = {"reason": reason, "reason_detail": "418", "former_reason": "link_missing"}
        [identity] = recorded(ledger, payment(f"p:{reason}"), status="held", **columns)
        made[identity] = str(words.of_event(columns))
    with ledger.read() as connection:
        found = {told: newest_events(connection, Filters(error=told.upper()), 99).rows for told in made.values()}
    names = {told: {row["id"] for row in rows} for told, rows in found.items()}
    assert names == {told: {one for one, each in made.items() if told in each} for told in made.values()}


def test_a_pause_is_told_with_its_details() -> None:
    told = [
        words.of_pause("by_hand", {"who": "ana"}),
        words.of_pause("by_hand", {"who": "ana", "why": "a sale"}),
        words.of_pause("token_refused", {"status": 403}),
        words.of_pause("of_a_newer_version", {}),
    ]
    assert told == [
        "paused by ana",
        "paused by ana: a sale",
        "Lumail answered 403: it refuses the API token",
        "of_a_newer_version",
    ]
