"""What follows from every kind of answer to every kind of request."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.config import Destination
from gateway.delivery.outcome import ConcludeContext, conclude, conclude_all
from gateway.events import EventType
from gateway.ledger.event import Event
from gateway.ledger.outbox.observed import Observed
from gateway.ledger.scheduling.attempt import (
    AskForEvent,
    AskForSubscriber,
    Claimed,
    CreateSubscriber,
    PostEvent,
    Probe,
    ReadBack,
    Request,
    Settlement,
    SubscriberAnswer,
)
from gateway.ledger.scheduling.pauses import OpenPause
from gateway.ledger.status import PauseKind, Reason
from gateway.lumail.answer import Answer, RateLimit, TrackedEvent
from tests.making import NOON, event

SECOND = timedelta(seconds=1)
EVENT = event(
    EventType.SUBSCRIBER_PAYMENT,
    data='{"amount": 49.99, "product": "Course"}',
    first_attempt_at=NOON - SECOND,
)
POSTED = '{"data": {"amount": 49.99, "product": "Course", "gatewayEventId": "ev_1"}}'


def claimed(request: Request) -> Claimed:
    return Claimed("at_1", NOON - SECOND, request, POSTED)


def read_of(one: Event, at: datetime = NOON - SECOND) -> Claimed:
    """An event in doubt is looked for, half a minute after that began unless it says when."""
    assert one.first_attempt_at is not None
    unconfirmed_at = one.unconfirmed_at or NOON - 30 * SECOND
    return replace(claimed(ReadBack(one, one.first_attempt_at, unconfirmed_at)), claimed_at=at)


POST = claimed(PostEvent(EVENT))
READ = read_of(EVENT)
ASK = claimed(AskForEvent(replace(EVENT, reason_detail="400")))
ASK_FOR_MANY = claimed(AskForSubscriber("ana@example.com"))
PROBE = claimed(Probe("probe@example.com", OpenPause("pa_1", PauseKind.TOKEN_REFUSED, {}, "get", NOON, 0)))
CREATE = claimed(CreateSubscriber(EVENT))

NOT_SENT = Answer(None, sent=False, duration=0.1, error="refused")
TOO_LATE = Answer(None, sent=False, duration=5, too_late=True)
LOST = Answer(None, sent=True, duration=20, error="timed out")


def answered(status: int, document: Any = None, **more: Any) -> Answer:
    return Answer(status, sent=True, duration=0.1, body=json.dumps(document or {}), **more)


RECORDED = answered(200, event=TrackedEvent("lum_1"))


def view(
    policy: str = "wait", *, known: bool = False, owners: Mapping[str, str] | None = None, **seen: Any
) -> ConcludeContext:
    return ConcludeContext(
        destination=Destination("main", "http://127.0.0.1:9", "lum", 100, unknown_subscriber=policy),
        now=NOON,
        observed=lambda: Observed(**{"echo": None, "clock_offset": timedelta(0), "read_lag": timedelta(0), **seen}),
        is_known=lambda _: known,
        sent=lambda _: [POSTED],
        owners=lambda _: owners or {},
    )


def gist(told: Settlement) -> tuple[Any, ...]:
    """Status and next step of the event, whether it is recorded, what it means for destination and subscriber."""
    changes = told.changes or {}
    pause = told.pause and (told.pause.probe, round((told.pause.until - NOON) / SECOND) if told.pause.until else None)
    return changes.get("status"), changes.get("step"), told.recorded, told.failed, pause, told.subscriber_answer


IN_DOUBT = ("unknown", None, False)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (RECORDED, (None, None, True, False, None, None)),
        (answered(200), (*IN_DOUBT, False, None, None)),
        (answered(202), (*IN_DOUBT, False, None, None)),
        (answered(302), (*IN_DOUBT, False, None, None)),
        (answered(408), (*IN_DOUBT, True, None, None)),
        (answered(500), (*IN_DOUBT, True, None, None)),
        (answered(503), (*IN_DOUBT, True, None, None)),
        (LOST, (*IN_DOUBT, True, None, None)),
        (NOT_SENT, ("waiting", None, False, True, None, None)),
        (TOO_LATE, ("waiting", None, False, None, None, None)),
        (answered(429), ("waiting", None, False, None, (None, 5), None)),
        (answered(429, rate_limit=RateLimit(retry_after=30)), ("waiting", None, False, None, (None, 30), None)),
        (answered(429, rate_limit=RateLimit(retry_after=1e9)), ("waiting", None, False, None, (None, 3600), None)),
        (answered(401), ("waiting", None, False, None, ("get", 5), None)),
        (answered(403), ("waiting", None, False, None, ("post", 5), None)),
        (answered(402), ("failed", None, False, False, None, None)),
        (answered(409), ("failed", None, False, False, None, None)),
        (answered(422), ("failed", None, False, False, None, None)),
        (answered(400), ("held", None, False, False, None, SubscriberAnswer.MET)),
        (answered(404), ("held", None, False, False, None, SubscriberAnswer.MET)),
    ],
)
def test_what_an_answer_to_a_post_means(answer: Answer, expected: tuple[Any, ...]) -> None:
    assert gist(conclude(POST, answer, view())) == expected


def test_a_doubt_counts_from_when_the_request_must_be_over() -> None:
    changes = conclude(POST, LOST, view()).changes
    assert changes is not None
    assert changes["unconfirmed_at"] == POST.claimed_at + 20 * SECOND


@pytest.mark.parametrize(
    ("policy", "known", "status", "expected"),
    [
        ("wait", True, 400, ("failed", None, None)),
        ("wait", True, 404, ("held", None, SubscriberAnswer.MET)),
        ("create", False, 400, ("waiting", "ask", None)),
        ("create", True, 400, ("failed", None, None)),
        ("drop", False, 404, ("waiting", "ask", None)),
        ("fail", False, 400, ("waiting", "ask", None)),
    ],
)
def test_a_refused_subscriber_is_asked_for_or_waited_for(
    policy: str, known: bool, status: int, expected: tuple[Any, ...]
) -> None:
    found = gist(conclude(POST, answered(status), view(policy, known=known)))
    assert (found[0], found[1], found[5]) == expected


def test_create_waits_for_subscribers_of_events_that_make_none() -> None:
    opened = claimed(PostEvent(event(EventType.EMAIL_OPENED)))
    assert gist(conclude(opened, answered(400), view("create")))[0] == "held"


@pytest.mark.parametrize(
    ("policy", "answer", "expected"),
    [
        ("create", answered(200), ("failed", None, None, SubscriberAnswer.KNOWN)),
        ("create", answered(404), ("waiting", "create", None, None)),
        ("drop", answered(404), ("dropped", None, None, SubscriberAnswer.LEFT_OUT)),
        ("fail", answered(404), ("failed", None, None, SubscriberAnswer.LEFT_OUT)),
        ("wait", answered(404), ("held", None, None, SubscriberAnswer.MET)),
        ("drop", answered(500), ("waiting", None, None, None)),
        ("drop", answered(401), ("waiting", None, None, None)),
        ("drop", answered(403), ("waiting", None, None, None)),
        ("drop", answered(429), ("waiting", None, (None, 5), None)),
        ("drop", LOST, ("waiting", None, None, None)),
        ("drop", NOT_SENT, ("waiting", None, None, None)),
    ],
)
def test_what_an_answer_about_an_events_subscriber_means(
    policy: str, answer: Answer, expected: tuple[Any, ...]
) -> None:
    status, step, _, _, pause, subscriber_answer = gist(conclude(ASK, answer, view(policy)))
    assert (status, step, pause, subscriber_answer) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (answered(200), (None, SubscriberAnswer.KNOWN)),
        (answered(404), (None, SubscriberAnswer.UNKNOWN)),
        (answered(500), (None, SubscriberAnswer.UNANSWERED)),
        (answered(403), (None, SubscriberAnswer.UNANSWERED)),
        (answered(429), ((None, 5), SubscriberAnswer.UNANSWERED)),
        (LOST, (None, SubscriberAnswer.UNANSWERED)),
        (NOT_SENT, (None, SubscriberAnswer.UNANSWERED)),
        (TOO_LATE, (None, SubscriberAnswer.UNANSWERED)),
    ],
)
def test_what_an_answer_about_a_stranger_means(answer: Answer, expected: tuple[Any, ...]) -> None:
    assert gist(conclude(ASK_FOR_MANY, answer, view()))[4:] == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (answered(200), ("waiting", "post", None, SubscriberAnswer.KNOWN)),
        (answered(400), ("failed", None, None, None)),
        (answered(402), ("failed", None, None, None)),
        (answered(403), ("failed", None, None, None)),
        (answered(429), ("waiting", None, (None, 5), None)),
        (answered(408), ("waiting", None, None, None)),
        (answered(500), ("waiting", None, None, None)),
        (LOST, ("waiting", None, None, None)),
        (NOT_SENT, ("waiting", None, None, None)),
    ],
)
def test_what_an_answer_to_the_making_of_a_subscriber_means(answer: Answer, expected: tuple[Any, ...]) -> None:
    status, step, _, _, pause, subscriber_answer = gist(conclude(CREATE, answer, view("create")))
    assert (status, step, pause, subscriber_answer) == expected


@pytest.mark.parametrize("question", [AskForEvent, CreateSubscriber])
def test_questions_that_find_no_answer_are_asked_later_and_later_and_not_for_ever(
    question: Callable[[Event], Request],
) -> None:
    tried = claimed(question(replace(EVENT, tries=3)))
    later = conclude(tried, answered(500), view("create")).changes or {}
    assert (later["status"], later["tries"], later["due_at"] > NOON) == ("waiting", 4, True)
    old = claimed(question(replace(EVENT, tries=9, first_attempt_at=NOON - timedelta(days=4))))
    given_up = conclude(old, answered(500), view("create")).changes or {}
    assert (given_up["status"], given_up["reason"], given_up["reason_detail"]) == ("failed", "retries_ended", "3")


@pytest.mark.parametrize(
    ("answer", "failed", "pause"),
    [
        (answered(200), False, None),
        (answered(404), False, None),
        (answered(403), False, None),
        (answered(401), True, None),
        (answered(500), True, None),
        (answered(429), None, (None, 5)),
        (LOST, True, None),
        (NOT_SENT, True, None),
        (TOO_LATE, None, None),
    ],
)
def test_a_probe_succeeds_by_any_answer_that_lets_the_token_pass(
    answer: Answer, failed: bool | None, pause: Any
) -> None:
    assert gist(conclude(PROBE, answer, view())) == (None, None, False, failed, pause, None)


# Reading back


def record(identity: str, amount: Any = 49.99, product: str = "Course", **data: Any) -> dict[str, Any]:
    return {
        "id": identity,
        "eventType": "SUBSCRIBER_PAYMENT",
        "createdAt": NOON.isoformat(),
        "data": {"amount": amount, "product": product, **data},
    }


def page(*records: Mapping[str, Any], cursor: str | None = None) -> Answer:
    return answered(200, {"events": list(records), "nextCursor": cursor})


def changes(one: Claimed, answer: Answer, seen: ConcludeContext) -> Mapping[str, Any]:
    told = conclude(one, answer, seen)
    assert not told.recorded
    return told.changes or {}


def test_a_record_with_our_id_is_the_event() -> None:
    told = conclude(READ, page(record("lum_1", gatewayEventId="ev_1")), view())
    assert (told.recorded, told.by_read, told.lumail_event_id, told.echo) == (True, True, "lum_1", True)


@pytest.mark.parametrize("answer", [answered(500), answered(403), answered(200, {"events": 1}), LOST, NOT_SENT])
def test_an_answer_that_can_not_be_read_proves_nothing(answer: Answer) -> None:
    found = changes(read_of(replace(EVENT, reads=5, unconfirmed_at=NOON - 3600 * SECOND)), answer, view())
    assert (found["status"], found.get("reads")) == ("unknown", None)


def test_what_can_not_be_read_for_a_day_is_a_persons_to_decide() -> None:
    old = read_of(replace(EVENT, unconfirmed_at=NOON - timedelta(hours=25)))
    assert changes(old, answered(500), view()) == {"status": "held", "reason": Reason.ANSWER_LOST}


def test_a_404_for_a_subscriber_says_nothing_was_recorded_unless_lumail_knew_it() -> None:
    old = read_of(replace(EVENT, reads=1, unconfirmed_at=NOON - 3600 * SECOND))
    assert changes(old, answered(404), view())["status"] == "waiting"
    assert changes(old, answered(404), view(known=True))["status"] == "unknown"


@pytest.mark.parametrize(
    ("reads", "ago", "expected"),
    [
        (0, 599, ("unknown", 1)),
        (0, 3600, ("unknown", 1)),
        (0, 90_000, ("unknown", 1)),
        (1, 599, ("unknown", 2)),
        (1, 600, ("unknown", 2)),  # the request that found nothing left a second before
        (1, 601, ("waiting", 0)),
        (7, 601, ("waiting", 0)),
    ],
)
def test_money_is_sent_again_after_two_reads_the_last_of_them_late_enough(
    reads: int, ago: int, expected: tuple[str, int]
) -> None:
    found = changes(read_of(replace(EVENT, reads=reads, unconfirmed_at=NOON - ago * SECOND)), page(), view())
    assert (found["status"], found["reads"]) == expected


def test_reads_wait_for_as_long_as_lumail_was_seen_to_lag() -> None:
    old = read_of(replace(EVENT, reads=3, unconfirmed_at=NOON - 700 * SECOND))
    found = changes(old, page(), view(read_lag=timedelta(seconds=1000)))
    assert (found["status"], found["due_at"]) == ("unknown", NOON + 300 * SECOND)


@pytest.mark.parametrize(("leap", "expected"), [(2, ("waiting", NOON)), (300, ("unknown", NOON + 200 * SECOND))])
def test_time_that_the_ledgers_clock_only_leapt_over_is_waited_for(leap: int, expected: tuple[str, datetime]) -> None:
    """Lumail's clock, seen at the first attempt and now, tells a leap from time that passed."""
    old = read_of(replace(EVENT, reads=3, unconfirmed_at=NOON - 700 * SECOND, clock_offset_ms=0))
    found = changes(old, replace(page(), date=NOON - leap * SECOND), view())
    assert (found["status"], found["due_at"]) == expected


def test_a_read_of_several_pages_ends_with_the_last_and_remembers_what_was_near() -> None:
    near = replace(EVENT, reads=1, unconfirmed_at=NOON - 3600 * SECOND)
    first = changes(read_of(near), page(record("lum_7", product="Other"), cursor="2"), view(echo=False))
    assert (first["status"], first["read_cursor"], first["candidates"]) == ("unknown", "2", ["lum_7"])
    second = read_of(replace(near, read_cursor="2", candidates=["lum_7"]))
    assert changes(second, page(), view(echo=False)) == {
        "status": "held",
        "reason": Reason.ANSWER_LOST,
        "candidates": ["lum_7"],
    }
    assert conclude(second, page(record("lum_8")), view(echo=False)).lumail_event_id == "lum_8"


def test_a_read_whose_next_page_waited_long_begins_anew() -> None:
    long_ago = NOON - timedelta(minutes=5)
    late = read_of(replace(EVENT, reads=1, read_cursor="2", due_at=long_ago, unconfirmed_at=NOON - 3600 * SECOND))
    found = changes(late, page(), view())
    assert (found["status"], found["read_cursor"], found["due_at"]) == ("unknown", None, NOON)


def test_that_a_read_had_to_wait_is_not_taken_for_lag() -> None:
    late = read_of(replace(EVENT, reads=1, due_at=NOON), at=NOON + timedelta(hours=5))
    told = conclude(late, page(record("lum_1", gatewayEventId="ev_1")), view())
    assert told.read_lag_ms == 0


def test_of_equal_events_in_doubt_each_finds_a_record_of_its_own() -> None:
    other = read_of(replace(EVENT, id="ev_9"))
    answers = [(READ, page(record("lum_1"))), (other, page(record("lum_1")))]
    found, not_found = conclude_all(answers, view(echo=False))
    assert (found.lumail_event_id, not_found.lumail_event_id) == ("lum_1", None)


def test_an_answer_that_names_a_record_is_heard_before_a_read_that_finds_it() -> None:
    posted = claimed(PostEvent(replace(EVENT, id="ev_9")))
    named, not_found = conclude_all([(READ, page(record("lum_1"))), (posted, RECORDED)], view(echo=False))
    assert (named.claimed.event_id, named.lumail_event_id, not_found.lumail_event_id) == ("ev_9", "lum_1", None)
