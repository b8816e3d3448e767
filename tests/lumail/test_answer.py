"""What an answer means for a second try, and what its headers and body are read as."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.lumail.answer import (
    Answer,
    RateLimit,
    TrackedEvent,
    Verdict,
    judge,
    read_date,
    read_rate_limit,
    read_tracked_event,
)

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (429, Verdict.RATE_LIMITED),
        (401, Verdict.UNAUTHORIZED),
        (403, Verdict.UNAUTHORIZED),
        (402, Verdict.DESTINATION_REFUSES),
        (400, Verdict.REFUSED),
        (410, Verdict.DESTINATION_REFUSES),
        (404, Verdict.DESTINATION_REFUSES),
        (409, Verdict.REFUSED),
        (499, Verdict.REFUSED),
        (408, Verdict.UNCONFIRMED),
        (500, Verdict.UNCONFIRMED),
        (503, Verdict.UNCONFIRMED),
        (302, Verdict.UNCONFIRMED),
        (201, Verdict.UNCONFIRMED),
        (103, Verdict.UNCONFIRMED),
        (200, Verdict.UNCONFIRMED),
        (600, Verdict.UNCONFIRMED),
        (None, Verdict.UNCONFIRMED),
    ],
)
def test_the_status_decides_whether_an_event_may_have_been_recorded(status: int | None, verdict: Verdict) -> None:
    assert judge(Answer(status, sent=True, duration=0.1)) is verdict


@pytest.mark.parametrize("body", ['{"message": "Not found"}', '{"success": false}', '{"error": "no subscriber"}'])
def test_a_404_of_lumails_own_form_refuses_the_event_alone(body: str) -> None:
    assert judge(Answer(404, sent=True, duration=0.1, body=body)) is Verdict.REFUSED


def test_only_a_200_with_an_id_is_recorded() -> None:
    event = TrackedEvent("evt_1")
    assert judge(Answer(200, sent=True, duration=0.1, event=event)) is Verdict.RECORDED
    assert judge(Answer(201, sent=True, duration=0.1, event=event)) is Verdict.UNCONFIRMED


def test_no_byte_and_no_answer_is_not_sent() -> None:
    assert judge(Answer(None, sent=False, duration=0.1)) is Verdict.NOT_SENT


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        "[]",
        "null",
        "[" * 100_000,
        '{"success": true}',
        '{"success": false, "event": {"id": "evt_1"}}',
        '{"success": true, "event": {"id": 7}}',
        '{"success": true, "event": {"id": ""}}',
        '{"success": true, "event": {"id": "a\\u0000b"}}',
        '{"success": true, "event": "evt_1"}',
    ],
)
def test_a_body_without_a_usable_id_shows_no_event(body: str) -> None:
    assert read_tracked_event(body) is None


def test_an_event_is_read_with_exact_amounts() -> None:
    body = (
        '{"success": true, "event": {"id": "evt_1", "organizationId": "org_1", "subscriberId": "sub_1",'
        ' "data": {"amount": 49.99}, "createdAt": "2026-05-01T12:00:00.000Z"}}'
    )
    assert read_tracked_event(body) == TrackedEvent("evt_1", "org_1", "sub_1", {"amount": Decimal("49.99")}, NOON)


def test_an_event_is_read_where_only_its_id_is_as_documented() -> None:
    assert read_tracked_event('{"event": {"id": "evt_1", "data": 3, "createdAt": 5}}') == TrackedEvent("evt_1")


def test_rate_headers_are_read() -> None:
    headers = {
        "X-RateLimit-Limit": "700",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "1777636860",
        "Retry-After": "12",
    }
    assert read_rate_limit(headers, NOON) == RateLimit(700, 0, 1777636860, 12.0)


@pytest.mark.parametrize("value", ["", "soon", "-3", "nan", "inf", "1e999"])
def test_rate_headers_that_make_no_sense_are_left_out(value: str) -> None:
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After")
    assert read_rate_limit(dict.fromkeys(names, value), NOON) == RateLimit()


def test_a_retry_after_that_is_a_date_counts_from_the_answers_own_clock() -> None:
    headers = {"Retry-After": "Fri, 01 May 2026 12:00:30 GMT"}
    assert read_rate_limit(headers, NOON).retry_after == 30.0
    assert read_rate_limit(headers, None).retry_after is None


def test_a_date_header_is_read_in_any_state() -> None:
    found = [read_date(text) for text in ("Fri, 01 May 2026 12:00:00 GMT", "Fri, 01 May 2026 12:00:00 -0000")]
    assert found == [NOON, NOON]
    assert [read_date(text) for text in (None, "", "yesterday", "Fri, 99 May 2026 12:00:00 GMT")] == [None] * 4
