"""Why a destination rests, what ends it, and what rests beside it."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, text

from gateway.ledger.database import Ledger
from gateway.ledger.event import EventChange
from gateway.ledger.scheduling import pauses
from gateway.ledger.scheduling.attempt import Claimed, Kind, Settlement
from gateway.ledger.scheduling.pauses import Pause
from gateway.ledger.schema import events
from gateway.ledger.schema import pauses as pause_rows
from gateway.ledger.status import PauseKind
from tests.ledger.test_claims import Drain, delivered
from tests.making import complained, opened, payment, record_facts, rows

SECOND = timedelta(seconds=1)
PEOPLE = tuple(f"s{number}@example.com" for number in range(12))


@pytest.fixture
def drain(ledger: Ledger) -> Drain:
    return Drain(ledger)


@pytest.fixture
def soon(ledger: Ledger) -> datetime:
    with ledger.read() as connection:
        return ledger.now(connection) + 5 * SECOND


def back(one: Claimed, now: datetime, pause: Pause | None = None, failed: bool | None = None) -> Settlement:
    changes: EventChange | None = {"status": "waiting", "due_at": now} if one.event is not None else None
    return Settlement(one, "failed", changes=changes, pause=pause, failed=failed)


def well(one: Claimed) -> Settlement:
    return Settlement(one, "answered", http_status=200, failed=False)


def paused_by(ledger: Ledger, drain: Drain, now: datetime, probe: str | None) -> None:
    """A payment is refused in a way that pauses the destination for five seconds."""
    record_facts(ledger, payment("p:1"))
    [one] = drain.claimed(now)
    drain.turn(
        now,
        wanted=0,
        settlements=[back(one, now, Pause(now + 5 * SECOND, PauseKind.TOKEN_REFUSED, {"status": 401}, probe))],
    )


def test_a_pause_without_a_probe_ends_by_itself(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    paused_by(ledger, drain, soon, None)
    claimed = [len(drain.claimed(soon + seconds * SECOND)) for seconds in (0, 4.9, 5)]
    assert claimed == [0, 0, 1]


def test_pauses_that_are_over_are_ended_when_the_next_begins(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    paused_by(ledger, drain, soon, None)
    later = soon + 60 * SECOND
    [one] = drain.claimed(later)
    drain.turn(later, wanted=0, settlements=[back(one, later, Pause(later + SECOND, PauseKind.RATE_LIMITED))])
    assert rows(ledger, pause_rows, "kind", "ended_at") == [
        ("token_refused", soon + 5 * SECOND),
        ("rate_limited", None),
    ]


def test_two_answers_that_ask_for_a_rest_make_one_pause_that_lasts_for_both(
    ledger: Ledger, drain: Drain, soon: datetime
) -> None:
    record_facts(ledger, *(complained(f"c:{who}", who) for who in PEOPLE[:2]))
    one, two = drain.claimed(soon)
    first, second = (Pause(soon + seconds * SECOND, PauseKind.RATE_LIMITED) for seconds in (9, 4))
    turned = drain.turn(soon, settlements=[back(one, soon, first), back(two, soon, second)])
    assert turned.paused_anew == ("Lumail answered 429: too many requests",)
    assert rows(ledger, pause_rows, "until") == [(soon + 9 * SECOND,)]


def test_the_probe_of_a_refused_token_needs_no_event_and_its_success_ends_the_pause(
    ledger: Ledger, drain: Drain, soon: datetime
) -> None:
    paused_by(ledger, drain, soon, "get")
    assert drain.claimed(soon + 4 * SECOND) == []
    due = soon + 5 * SECOND
    [probe] = drain.claimed(due)
    assert (probe.kind, probe.event) == (Kind.PROBE, None)
    assert drain.claimed(due + SECOND) == []
    [event] = drain.turn(due + SECOND, settlements=[well(probe)]).claimed
    assert (event.kind, event.event and event.event.tries) == (Kind.POST, 0)


def test_probes_that_fail_come_later_and_later(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    paused_by(ledger, drain, soon, "get")
    waits = []
    at = soon
    for _ in range(9):
        due = drain.release(at)
        assert due is not None
        waits.append(round((due - at).total_seconds()))
        at = due
        [probe] = drain.claimed(at)
        drain.turn(at, wanted=0, settlements=[back(probe, at, failed=True)])
    assert waits == [5, 5, 10, 20, 40, 80, 160, 300, 300]


def test_a_probe_whose_answer_is_lost_is_sent_again(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    paused_by(ledger, drain, soon, "get")
    drain.claimed(soon + 5 * SECOND)
    again = soon + 5 * SECOND + pauses.PROBE_WITHIN
    assert drain.claimed(again - SECOND) == []
    assert [one.kind for one in drain.claimed(again)] == [Kind.PROBE]


def test_the_probe_of_a_missing_permission_is_one_events_post(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    paused_by(ledger, drain, soon, "post")
    record_facts(ledger, *(opened(f"o:{who}", who) for who in PEOPLE))
    due = soon + 5 * SECOND
    [probe] = drain.claimed(due)
    assert (probe.kind, probe.event and probe.event.type) == (Kind.POST, "SUBSCRIBER_PAYMENT")
    assert len(drain.turn(due, settlements=[delivered(probe)]).claimed) > 1


def test_a_question_about_a_subscriber_is_no_probe_for_what_may_be_posted(
    ledger: Ledger, drain: Drain, soon: datetime
) -> None:
    paused_by(ledger, drain, soon, "post")
    record_facts(ledger, opened("o:1", "bo@example.com"))
    with ledger.write(["main"]) as connection:
        connection.execute(text("UPDATE events SET step = 'ask' WHERE type = 'SUBSCRIBER_PAYMENT'"))
    [probe] = drain.claimed(soon + 5 * SECOND)
    assert (probe.kind, probe.event and probe.event.type) == (Kind.POST, "EMAIL_OPENED")


def test_a_rest_that_a_probe_is_told_to_keep_is_kept(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    paused_by(ledger, drain, soon, "get")
    due = soon + 5 * SECOND
    [probe] = drain.claimed(due)
    told = Settlement(probe, "rate_limited", http_status=429, pause=Pause(due + 60 * SECOND, PauseKind.RATE_LIMITED))
    drain.turn(due, wanted=0, settlements=[told])
    claimed = [len(drain.claimed(due + seconds * SECOND)) for seconds in (59, 60)]
    assert claimed == [0, 1]


@pytest.mark.parametrize(("answers", "paused"), [("FFFFF", True), ("FFFF", False), ("FFFF.F", False), ("FF-FFF", True)])
def test_five_failures_in_a_row_pause_the_destination(
    ledger: Ledger, drain: Drain, soon: datetime, answers: str, paused: bool
) -> None:
    """F is a failure, a point a success, a dash says nothing about it."""
    failed = {"F": True, ".": False, "-": None}
    record_facts(ledger, *(complained(f"c:{who}", who) for who in PEOPLE[: len(answers)]))
    claimed = drain.claimed(soon)
    later = soon + 3600 * SECOND
    settled = [back(one, later, failed=failed[word]) for one, word in zip(claimed, answers, strict=True)]
    drain.turn(soon, wanted=0, settlements=settled)
    begun = rows(ledger, pause_rows, "kind", "details")
    assert begun == ([("repeated_failures", {"run": 5})] if paused else [])


def test_a_pause_without_an_end_lasts_until_somebody_ends_it(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    record_facts(ledger, payment("p:1"))
    rest(ledger, soon, "destination", "main")
    month = timedelta(days=30)
    assert (drain.claimed(soon), drain.claimed(soon + month)) == ([], [])
    with ledger.write(["main"]) as connection:
        pauses.end_all(connection, pauses.Scope("destination", "main", "main"), soon + month)
    assert len(drain.claimed(soon + month)) == 1


def rest(ledger: Ledger, now: datetime, scope: str, name: str) -> None:
    with ledger.write(["main"]) as connection:
        connection.execute(
            insert(pause_rows).values(
                id="pa_1",
                scope=scope,
                destination="main",
                name=name,
                kind="by_hand",
                details={"who": "ana"},
                made_at=now,
            )
        )


def test_a_lane_at_rest_keeps_its_events_and_no_others(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    record_facts(ledger, payment("p:1"), opened("o:1", "bo@example.com"))
    rest(ledger, soon, "lane", "revenue")
    assert [one.event.type for one in drain.claimed(soon) if one.event] == ["EMAIL_OPENED"]
    assert [status for (status,) in rows(ledger, events, "status")] == ["waiting", "delivering"]


def test_a_lane_at_rest_calls_no_drain(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    record_facts(ledger, payment("p:1"))
    rest(ledger, soon, "lane", "revenue")
    drain.lease(soon)
    assert drain.release(soon) is None


def test_what_is_in_doubt_is_read_also_while_its_lane_rests(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    record_facts(ledger, payment("p:1"))
    drain.claimed(soon)
    rest(ledger, soon, "lane", "revenue")
    later = soon + 30 * SECOND
    assert drain.claimed(later) == []
    due = drain.release(later)
    assert due == later + 2 * SECOND
    assert [one.kind for one in drain.claimed(due)] == [Kind.READ]


def test_a_source_at_rest_keeps_its_events(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    record_facts(ledger, payment("p:1"), opened("o:1", "bo@example.com"))
    rest(ledger, soon, "source", "stripe")
    assert drain.claimed(soon) == []
