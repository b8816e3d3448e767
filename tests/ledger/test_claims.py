"""Who may send what, and when; what becomes of attempts."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from gateway.ledger.database import Ledger
from gateway.ledger.event import EventChange
from gateway.ledger.outbox import cycle, uncertain
from gateway.ledger.outbox.cycle import DrainCycle
from gateway.ledger.outbox.unknown_subscribers import UnknownSubscriberPolicy
from gateway.ledger.scheduling import leases
from gateway.ledger.scheduling.attempt import Claimed, Kind, Settlement
from gateway.ledger.scheduling.budget import WINDOW
from gateway.ledger.scheduling.pauses import Pause
from gateway.ledger.schema import attempts, destinations, events, lines
from gateway.ledger.status import PauseKind, Reason
from tests.making import NOON, complained, opened, payment, record_facts, rows


class Drain:
    """A drain's half of the conversation with the ledger, at times of its own choosing."""

    def __init__(self, ledger: Ledger, owner: str = "drain-1") -> None:
        self.ledger = ledger
        self.owner = owner

    def lease(self, now: datetime) -> bool:
        with self.ledger.write(["main"]) as connection:
            return leases.take(connection, "main", self.owner, now)

    def turn(
        self, now: datetime, *, wanted: int = 10, limit: int = 100, settlements: Sequence[Settlement] = ()
    ) -> DrainCycle:
        with self.ledger.write(["main"]) as connection:
            return cycle.run(
                connection,
                "main",
                self.owner,
                now,
                settlements=settlements,
                wanted=wanted,
                limit=limit,
                compose=lambda request: request.event.data,
                unknown_policy=lambda _: UnknownSubscriberPolicy.HELD,
            )

    def claimed(self, now: datetime, *, wanted: int = 10, limit: int = 100) -> list[Claimed]:
        self.lease(now)
        return list(self.turn(now, wanted=wanted, limit=limit).claimed)

    def release(self, now: datetime, limit: int = 100) -> datetime | None:
        with self.ledger.write(["main"]) as connection:
            return cycle.release(connection, "main", self.owner, now, limit)


def delivered(one: Claimed, lumail_id: str | None = "lum_1") -> Settlement:
    return Settlement(one, "recorded", recorded=True, failed=False, lumail_event_id=lumail_id, http_status=200)


@pytest.fixture
def drain(ledger: Ledger) -> Drain:
    return Drain(ledger)


@pytest.fixture
def soon(ledger: Ledger) -> datetime:
    """A moment after everything that the test records, and in any case before it is due again."""
    with ledger.read() as connection:
        return ledger.now(connection) + timedelta(seconds=5)


def test_only_one_drain_holds_the_lease_until_it_ends(ledger: Ledger, drain: Drain) -> None:
    second = Drain(ledger, "drain-2")
    assert (drain.lease(NOON), second.lease(NOON)) == (True, False)
    assert second.lease(NOON + leases.LEASE) is True
    assert drain.turn(NOON + leases.LEASE) == DrainCycle(leased=False)


def test_a_claim_leaves_an_attempt_row_before_anything_is_sent(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    [event] = record_facts(ledger, payment("p:1"))
    [one] = drain.claimed(soon)
    assert rows(ledger, attempts, "id", "event", "send_before", "ends_by", "outcome", "sent") == [
        (one.attempt, event, soon + timedelta(seconds=5), soon + timedelta(seconds=20), None, one.sent)
    ]
    assert rows(ledger, events, "status", "attempt") == [("delivering", one.attempt)]


def test_an_event_is_claimed_once(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    record_facts(ledger, payment("p:1"), opened("o:1", "bo@example.com"))
    assert len(drain.claimed(soon)) == 2
    assert drain.claimed(soon) == []


def test_the_most_urgent_leaves_first(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    bulk, money, urgent = record_facts(
        ledger, opened("o:1", "cy@example.com"), payment("p:1"), complained("c:1", subscriber="bo@example.com")
    )
    assert [one.event_id for one in drain.claimed(soon)] == [urgent, money, bulk]


def test_the_events_of_a_line_leave_one_after_the_other_by_their_time(
    ledger: Ledger, drain: Drain, soon: datetime
) -> None:
    third, first, second = record_facts(
        ledger,
        *(complained(f"c:{minute}", occurred_at=NOON + timedelta(minutes=minute)) for minute in (3, 1, 2)),
    )
    order = []
    for number in range(3):
        [one] = drain.claimed(soon)
        order.append(one.event_id)
        drain.turn(soon, wanted=0, settlements=[delivered(one, f"lum_{number}")])
    assert order == [first, second, third]
    assert rows(ledger, lines, "subscriber") == []


def test_an_event_that_joins_while_the_line_is_closed_waits(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    record_facts(ledger, complained("c:1"))
    [one] = drain.claimed(soon)
    [earlier] = record_facts(ledger, complained("c:0", occurred_at=NOON - timedelta(days=1)))
    assert drain.claimed(soon) == []
    [next_one] = drain.turn(soon, settlements=[delivered(one)]).claimed
    assert next_one.event_id == earlier


def test_no_more_is_claimed_than_the_plan_allows_in_any_minute(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    record_facts(ledger, *(complained(f"c:{number}", f"s{number}@example.com") for number in range(8)))
    first = drain.claimed(soon, limit=3)
    assert len(first) == 3
    answered = soon + timedelta(seconds=1)
    drain.turn(answered, wanted=0, settlements=[delivered(one, one.event_id) for one in first])
    assert drain.claimed(answered + timedelta(seconds=59), limit=3) == []
    assert len(drain.claimed(answered + timedelta(seconds=60), limit=3)) == 3


def test_what_one_lane_takes_in_a_cycle_is_gone_for_the_others(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    people = [f"s{number}@example.com" for number in range(40)]
    record_facts(
        ledger,
        *(complained(f"c:{who}", who) for who in people),
        *(payment(f"p:{who}", subscriber=f"p{who}") for who in people[:5]),
    )
    assert len(drain.claimed(soon, wanted=100, limit=30)) == 30
    assert drain.claimed(soon, wanted=100, limit=30) == []


def test_an_unanswered_attempt_holds_its_place_until_a_minute_after_its_end(
    ledger: Ledger, drain: Drain, soon: datetime
) -> None:
    record_facts(ledger, complained("c:1"), complained("c:2", "bo@example.com"))
    drain.claimed(soon, limit=1)
    assert drain.claimed(soon + timedelta(seconds=79), limit=1) == []
    assert len(drain.claimed(soon + timedelta(seconds=80), limit=1)) == 1


def test_an_event_whose_sender_died_is_in_doubt_and_keeps_its_line_closed(
    ledger: Ledger, drain: Drain, soon: datetime
) -> None:
    lost, following = record_facts(ledger, complained("c:1"), complained("c:2", occurred_at=NOON + timedelta(hours=1)))
    drain.claimed(soon)
    ended = soon + timedelta(seconds=20)
    assert Drain(ledger, "drain-2").claimed(ended) == []
    assert rows(ledger, events, "id", "status", "reason", "unconfirmed_at") == [
        (lost, "unknown", Reason.ANSWER_LOST, ended),
        (following, "waiting", None, None),
    ]
    [read] = Drain(ledger, "drain-2").turn(ended + timedelta(seconds=2)).claimed
    assert (read.kind, read.event_id) == (Kind.READ, lost)


def test_a_late_success_settles_an_event_that_was_given_up(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    record_facts(ledger, payment("p:1"))
    [one] = drain.claimed(soon)
    later = soon + timedelta(seconds=30)
    other = Drain(ledger, "drain-2")
    other.claimed(later)
    assert drain.turn(later, settlements=[delivered(one)]) == DrainCycle(leased=False)
    assert rows(ledger, events, "status", "lumail_event_id") == [("delivered", "lum_1")]


def test_a_request_that_may_still_be_answered_is_not_lost(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    record_facts(ledger, payment("p:1"))
    [one] = drain.claimed(soon)
    assert Drain(ledger, "drain-2").claimed(soon + timedelta(seconds=19.9)) == []
    assert rows(ledger, attempts, "id", "outcome") == [(one.attempt, None)]
    assert rows(ledger, events, "status") == [("delivering",)]


def test_an_attempt_that_is_noticed_late_puts_nothing_in_doubt_that_was_settled_since(
    ledger: Ledger, drain: Drain, soon: datetime
) -> None:
    record_facts(ledger, payment("p:1"))
    drain.claimed(soon)
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).values(status="delivered"))
        uncertain.mark_lost_unconfirmed(connection, "main", soon + timedelta(minutes=1))
    assert (rows(ledger, events, "status"), rows(ledger, attempts, "outcome")) == ([("delivered",)], [("lost",)])


def test_the_late_answer_to_an_earlier_request_moves_nothing_that_is_sent_again(
    ledger: Ledger, drain: Drain, soon: datetime
) -> None:
    record_facts(ledger, payment("p:1"))
    [first] = drain.claimed(soon)
    back: EventChange = {"status": "waiting", "due_at": soon}
    drain.turn(soon, wanted=0, settlements=[Settlement(first, "not_sent", changes=back)])
    [second] = drain.claimed(soon)
    drain.turn(soon, wanted=0, settlements=[Settlement(first, "refused", changes={"status": "failed"})])
    assert rows(ledger, events, "status", "attempt") == [("delivering", second.attempt)]


def test_an_answer_that_names_the_record_which_a_read_took_for_another_event_has_it(
    ledger: Ledger, drain: Drain, soon: datetime
) -> None:
    _, heard = record_facts(ledger, opened("o:1"), opened("o:2", "bo@example.com"))
    first, second = sorted(drain.claimed(soon), key=lambda one: one.event_id == heard)
    drain.turn(soon, wanted=0, settlements=[replace(delivered(first), by_read=True)])
    drain.turn(soon, wanted=0, settlements=[delivered(second)])
    assert rows(ledger, events, "status", "lumail_event_id") == [("unknown", None), ("delivered", "lum_1")]


def test_while_a_token_is_on_trial_one_event_is_under_way_until_it_is_answered(
    ledger: Ledger, drain: Drain, soon: datetime
) -> None:
    record_facts(ledger, *(complained(f"c:{number}", f"s{number}@example.com") for number in range(5)))
    with ledger.write(["main"]) as connection:
        connection.execute(update(destinations).values(on_trial=True))
    [one] = drain.claimed(soon)
    assert drain.claimed(soon) == []
    assert len(drain.turn(soon, settlements=[delivered(one)]).claimed) == 1


def test_a_retry_waits_until_it_is_due(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    record_facts(ledger, payment("p:1"))
    [one] = drain.claimed(soon)
    due = soon + timedelta(seconds=30)
    drain.turn(
        soon,
        wanted=0,
        settlements=[Settlement(one, "not_sent", error="refused", changes={"status": "waiting", "due_at": due})],
    )
    assert drain.claimed(due - timedelta(seconds=1)) == []
    [again] = drain.claimed(due)
    assert again.event is not None
    assert (again.event_id, again.event.tries, again.event.first_attempt_at) == (one.event_id, 0, soon)


def test_a_paused_destination_sends_nothing_until_the_pause_ends(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    record_facts(ledger, payment("p:1"), opened("o:1", "bo@example.com"))
    [one] = drain.claimed(soon, wanted=1)
    until = soon + timedelta(seconds=8)
    pause = Pause(until, PauseKind.RATE_LIMITED)
    settled = Settlement(one, "rate_limited", changes={"status": "waiting", "due_at": soon}, pause=pause)
    assert drain.turn(soon, settlements=[settled]).claimed == ()
    assert drain.release(soon) == until
    assert [again.event.tries for again in drain.claimed(until) if again.event] == [0, 0]


def test_an_event_id_that_lumail_gave_before_is_not_believed_but_the_success_is(
    ledger: Ledger, drain: Drain, soon: datetime
) -> None:
    record_facts(ledger, opened("o:1"), opened("o:2", "bo@example.com"))
    first, second = drain.claimed(soon)
    drain.turn(soon, wanted=0, settlements=[delivered(first, "same"), delivered(second, "same")])
    assert rows(ledger, events, "status", "lumail_event_id") == [("delivered", "same"), ("delivered", None)]


def test_a_drain_notes_when_the_next_is_of_use(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    record_facts(ledger, payment("p:1", settle=timedelta(minutes=5)))
    with ledger.read() as connection:
        assert leases.due(connection, soon) == []
        assert leases.due(connection, soon + timedelta(minutes=6)) == ["main"]
    drain.lease(soon)
    assert drain.turn(soon).claimed == ()
    settles = rows(ledger, events, "due_at")[0][0]
    assert drain.release(soon) == settles
    assert rows(ledger, destinations, "name", "wake_at", "lease_until") == [
        ("main", settles, None),
        ("other", None, None),
    ]


def test_a_drain_without_a_free_place_is_called_when_one_gets_free(
    ledger: Ledger, drain: Drain, soon: datetime
) -> None:
    record_facts(ledger, complained("c:1"), complained("c:2", "bo@example.com"))
    [one] = drain.claimed(soon, limit=1)
    drain.turn(soon, limit=1, settlements=[delivered(one)])
    assert drain.release(soon, limit=1) == soon + WINDOW


def test_racing_claims_never_share_an_event(ledger: Ledger, soon: datetime) -> None:
    record_facts(ledger, *(complained(f"c:{number}", f"s{number}@example.com") for number in range(60)))
    got: list[str | None] = []

    def race() -> None:
        drain = Drain(ledger, "shared")
        for _ in range(10):
            got.extend(one.event_id for one in drain.turn(soon, wanted=3).claimed)

    Drain(ledger, "shared").lease(soon)
    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 60
    assert len(set(got)) == 60


def test_what_a_drain_that_lost_its_lease_settles_calls_the_next(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    record_facts(ledger, complained("c:1"), complained("c:2", occurred_at=NOON + timedelta(hours=1)))
    [one] = drain.claimed(soon)
    after = soon + leases.LEASE
    second = Drain(ledger, "drain-2")
    assert second.claimed(after) == []
    assert second.release(after) == soon + timedelta(seconds=20)
    assert drain.turn(after, settlements=[delivered(one)]) == DrainCycle(leased=False)
    assert rows(ledger, destinations, "wake_at")[0] == (after,)


def test_a_lease_from_before_the_clock_was_set_back_has_ended(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    record_facts(ledger, payment("p:1"))
    drain.lease(soon + timedelta(hours=1))
    with ledger.read() as connection:
        assert leases.due(connection, soon) == ["main"]
    second = Drain(ledger, "drain-2")
    assert len(second.claimed(soon)) == 1
    assert drain.turn(soon) == DrainCycle(leased=False)


def in_doubt(drain: Drain, soon: datetime) -> datetime:
    """The only event is sent, no answer comes; when it is first read."""
    drain.claimed(soon)
    ended = soon + timedelta(seconds=20)
    drain.lease(ended)
    drain.turn(ended)
    return ended + uncertain.FIRST_READ_AFTER


def test_a_read_of_an_earlier_doubt_decides_nothing_about_a_later_one(
    ledger: Ledger, drain: Drain, soon: datetime
) -> None:
    record_facts(ledger, payment("p:1"))
    first = in_doubt(drain, soon)
    [stopped] = drain.claimed(first)
    again_at = first + timedelta(seconds=30)
    [read] = drain.claimed(again_at)
    sent_again: EventChange = {"status": "waiting", "due_at": again_at, "reads": 0}
    drain.turn(again_at, wanted=0, settlements=[Settlement(read, "answered", changes=sent_again)])
    second = in_doubt(drain, again_at)
    drain.turn(second, wanted=0, settlements=[Settlement(stopped, "answered", changes=sent_again)])
    assert rows(ledger, events, "status") == [("unknown",)]


def test_what_a_read_takes_for_an_event_is_not_if_an_answer_names_it_in_the_same_moment(
    ledger: Ledger, drain: Drain, soon: datetime
) -> None:
    lost, heard = record_facts(ledger, opened("o:1"), opened("o:2", "bo@example.com"))
    drain.claimed(soon, wanted=1)
    ended = soon + timedelta(seconds=22)
    read, post = sorted(
        [*drain.claimed(ended - timedelta(seconds=2)), *drain.claimed(ended)], key=lambda one: one.kind
    )[::-1]
    assert (read.kind, read.event_id, post.event_id) == (Kind.READ, lost, heard)
    found = Settlement(read, "answered", recorded=True, by_read=True, lumail_event_id="lum_1")
    drain.turn(ended, wanted=0, settlements=[found, delivered(post)])
    assert rows(ledger, events, "status", "lumail_event_id") == [("unknown", None), ("delivered", "lum_1")]


def test_only_one_event_finds_out_whether_lumail_knows_a_subscriber(
    ledger: Ledger, drain: Drain, soon: datetime
) -> None:
    made = record_facts(ledger, *(opened(f"o:{number}") for number in range(3)), opened("o:9", "bo@example.com"))
    claimed = drain.claimed(soon, limit=1000)
    assert {one.event_id for one in claimed} == {made[0], made[3]}
    known = next(one for one in claimed if one.event_id == made[0])
    turn = drain.turn(soon, limit=1000, settlements=[delivered(known)])
    assert {one.event_id for one in turn.claimed} == {made[1], made[2]}


def test_many_events_of_one_subscriber_who_is_tried_hide_nobody(ledger: Ledger, drain: Drain, soon: datetime) -> None:
    made = record_facts(ledger, *(opened(f"o:{number}") for number in range(40)), opened("o:99", "bo@example.com"))
    drain.lease(soon)
    turns = [drain.turn(soon, wanted=5, limit=1000) for _ in range(5)]
    assert [one.event_id for turned in turns for one in turned.claimed] == [made[0], made[40]]


def test_a_destination_that_waits_for_long_is_looked_at_all_the_same(
    ledger: Ledger, drain: Drain, soon: datetime
) -> None:
    record_facts(ledger, payment("p:1", settle=timedelta(days=2)))
    drain.lease(soon)
    assert drain.release(soon) == rows(ledger, events, "due_at")[0][0]
    assert rows(ledger, destinations, "wake_at")[0] == (soon + leases.LONGEST_SLEEP,)
    with ledger.read() as connection:
        found = [leases.due(connection, soon + timedelta(hours=hours)) for hours in (0, -1)]
    assert found == [[], ["main"]]  # the second: the clock was set back by an hour
