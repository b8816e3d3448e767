"""Many again: paced, in steps that each are done once whoever dies, and cancelled."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Connection, update

from gateway.errors import CommandError
from gateway.events import Lane
from gateway.intake.accept import submission as submitted
from gateway.intake.route import Route
from gateway.ledger.database import Ledger
from gateway.ledger.jobs import jobs
from gateway.ledger.jobs.jobs import EVENTS, WEBHOOKS, Job
from gateway.ledger.schema import audit, destinations, events, job_items, webhooks
from gateway.ledger.schema import jobs as job_rows
from gateway.ledger.views.search import Filters
from gateway.replay import bulk, pace, selection
from gateway.replay.bulk import Replays
from gateway.replay.selection import Selection
from gateway.translation.registry import samples
from gateway.translation.webhook import VerifiedWebhook
from tests.making import NOON, complained, opened, payment, record, record_facts, rows
from tests.replay.standing import ME, recorded
from tests.replay.test_again import route

PLANS = {"main": 600, "other": 600}
FAILED = Selection(EVENTS, Filters(status="failed"))


class Calm(Ledger):
    """Its clock moves by a microsecond a look: nothing becomes a backlog, however long a busy machine takes."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.at = datetime.now(UTC)

    def now(self, connection: Connection) -> datetime:
        del connection
        self.at += timedelta(microseconds=1)
        return self.at


@pytest.fixture
def ledger(ledger: Ledger) -> Iterator[Ledger]:
    calm = Calm(ledger.url)
    yield calm
    calm.close()


def replays(ledger: Ledger, routes: Mapping[str, Route] | None = None) -> Replays:
    return Replays(ledger, PLANS, lambda: routes or {})


def begin(ledger: Ledger, wanted: Selection = FAILED) -> Job:
    [job] = bulk.begin(ledger, PLANS, wanted, ME)
    return job


def look(ledger: Ledger, job: Job) -> Job:
    with ledger.read() as connection:
        found = jobs.find(connection, job.id)
    assert found is not None
    return found


def settle(ledger: Ledger, status: str = "delivered") -> int:
    """What waits is through; how many events that are."""
    with ledger.write(["main"]) as connection:
        return connection.execute(update(events).where(events.c.status == "waiting").values(status=status)).rowcount


def let_time_pass(ledger: Ledger) -> None:
    """The slots that were given out are over."""
    with ledger.write(["main"]) as connection:
        connection.execute(update(job_rows).values(slots_until=None))


def work(made: Replays, job: Job) -> None:
    while made.step(job.id):
        continue


def test_events_are_released_within_their_share_and_each_has_a_slot(ledger: Ledger) -> None:
    failed = recorded(ledger, *(payment(f"p:{n}", subscriber=f"a{n}@example.com") for n in range(200)), status="failed")
    job = begin(ledger)
    assert (job.kind, job.destination, job.total, job.made_by) == (EVENTS, "main", 200, ME)
    work(replays(ledger), job)
    waiting = sorted(due for due, status in rows(ledger, events, "due_at", "status") if status == "waiting")
    step = timedelta(seconds=60 / (pace.ALONE * 600))
    with ledger.read() as connection:
        assert waiting[-1] <= ledger.now(connection) + pace.AHEAD
    assert len(waiting) >= int(pace.AHEAD / step)
    assert {round((later - earlier) / step) for earlier, later in pairwise(waiting)} == {1}
    found = look(ledger, job)
    assert (found.done, found.status, found.counts) == (len(waiting), "running", {})
    assert sorted(row[0] for row in rows(ledger, job_items, "subject")) == sorted(failed)[: len(waiting)]


def test_a_job_goes_on_as_what_it_released_leaves_and_ends_with_what_became_of_each(ledger: Ledger) -> None:
    recorded(ledger, *(payment(f"p:{n}", subscriber=f"a{n}@example.com") for n in range(120)), status="failed")
    job, made = begin(ledger), replays(ledger)
    work(made, job)
    first = settle(ledger)
    let_time_pass(ledger)
    work(made, job)
    then = settle(ledger, "failed")
    work(made, job)
    found = look(ledger, job)
    assert (found.status, found.done, found.counts) == ("done", 120, {"delivered": first, "failed": then})
    assert Counter(rows(ledger, job_items, "outcome")) == {("delivered",): first, ("failed",): then}


def test_what_must_not_be_sent_is_refused_one_by_one_and_counted(ledger: Ledger) -> None:
    sent, doubtful, cancelled = (
        recorded(ledger, payment(f"p:{n}"), **state)[0]
        for n, state in enumerate(
            (
                {"status": "delivered", "lumail_event_id": "evt_1"},
                {"status": "held", "reason": "answer_lost"},
                {"status": "dropped", "reason": "cancelled"},
            )
        )
    )
    held = recorded(ledger, payment("p:9", subscriber="bo@example.com"), status="held", reason="not_in_lumail")[0]
    job = begin(ledger, Selection(EVENTS, Filters()))
    work(replays(ledger), job)
    assert dict(rows(ledger, events, "id", "status")) == {
        sent: "delivered",
        doubtful: "held",
        cancelled: "dropped",
        held: "waiting",
    }
    assert sorted(rows(ledger, job_items, "subject", "outcome", "explanation")) == sorted(
        [
            (sent, "refused", "delivered already"),
            (doubtful, "refused", "Lumail may have it"),
            (cancelled, "refused", "dropped for good"),
            (held, None, None),
        ]
    )
    assert look(ledger, job).counts == {"refused": 3}


def test_force_sends_what_lumail_has_but_nothing_that_was_dropped_for_good(ledger: Ledger) -> None:
    recorded(ledger, payment("p:1"), status="delivered", lumail_event_id="evt_1")
    recorded(ledger, payment("p:2"), status="dropped", reason="cancelled")
    work(replays(ledger), begin(ledger, Selection(EVENTS, Filters(), force=True)))
    assert rows(ledger, events, "status", "lumail_event_id") == [("waiting", None), ("dropped", None)]


def test_of_two_events_for_one_fact_one_is_sent(ledger: Ledger) -> None:
    recorded(ledger, payment("p:1"), payment("p:2"), status="failed", group="gr_one")
    work(replays(ledger), begin(ledger))
    assert sorted(rows(ledger, events, "status")) == [("failed",), ("waiting",)]


def test_what_failed_after_the_job_was_made_is_none_of_it(ledger: Ledger) -> None:
    recorded(ledger, payment("p:1"), status="failed")
    job = begin(ledger)
    [later] = recorded(ledger, payment("p:2"), status="failed")
    work(replays(ledger), job)
    assert dict(rows(ledger, events, "id", "status"))[later] == "failed"


def test_two_workers_at_one_job_do_each_step_once(ledger: Ledger) -> None:
    recorded(ledger, *(opened(f"o:{n}") for n in range(80)), status="failed")
    job, first = begin(ledger), replays(ledger)
    taken = []

    class Late(Replays):
        """A worker that another overtakes between its look and its lock."""

        def _in_one(self, *given: Any) -> bool:
            taken.append(first.step(job.id))
            return super()._in_one(*given)

    assert Late(ledger, PLANS, dict).step(job.id) is False
    assert (taken, look(ledger, job).done, len(rows(ledger, job_items, "subject"))) == ([True], 50, 50)


def test_a_worker_that_dies_in_a_step_leaves_nothing_of_it(ledger: Ledger) -> None:
    recorded(ledger, *(opened(f"o:{n}") for n in range(80)), status="failed")
    job = begin(ledger)

    class Dying(Replays):
        def _release(self, *given: Any) -> Any:
            super()._release(*given)
            raise SystemExit

    with pytest.raises(SystemExit):
        Dying(ledger, PLANS, dict).step(job.id)
    assert (set(rows(ledger, events, "status")), rows(ledger, job_items, "subject")) == ({("failed",)}, [])
    work(replays(ledger), job)
    assert look(ledger, job).done == 80


def test_no_more_is_added_while_nothing_leaves(ledger: Ledger) -> None:
    recorded(ledger, *(opened(f"o:{n}") for n in range(400)), status="failed")
    job, made = begin(ledger), replays(ledger)
    for _ in range(9):
        work(made, job)
        let_time_pass(ledger)
    step = timedelta(seconds=60 / (pace.ALONE * 600))
    assert look(ledger, job).done == pace.most_under_way(step)


def test_a_job_waits_for_the_one_before_it(ledger: Ledger) -> None:
    recorded(ledger, payment("p:1"), status="failed")
    first = begin(ledger)
    second = begin(ledger)
    assert replays(ledger).step(second.id) is False
    with ledger.read() as connection:
        assert jobs.to_do(connection, ledger.now(connection)) == [first.id]
        assert jobs.before(connection, second) == [first.id]
    bulk.cancel(ledger, first.id, ME)
    assert replays(ledger).step(second.id) is True


def test_a_cancelled_job_takes_back_what_has_not_left(ledger: Ledger) -> None:
    facts = [payment(f"p:{n}", subscriber=f"a{n}@example.com") for n in range(3)]
    gone, *stay = sorted(recorded(ledger, *facts, status="held", reason="person must decide", tries=4))
    job = begin(ledger, Selection(EVENTS, Filters(status="held")))
    work(replays(ledger), job)
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).where(events.c.id == gone).values(status="delivering", attempt="at_1"))
    done = bulk.cancel(ledger, job.id, ME)
    assert (done.status, done.counts) == ("cancelled", {"taken back": 2, "sent before the end": 1})
    assert sorted(rows(ledger, events, "id", "status", "reason", "tries")) == sorted(
        [(gone, "delivering", None, 0), *((one, "held", "person must decide", 4) for one in stay)]
    )
    assert rows(ledger, audit, "who", "action", "subject", "before") == [
        (ME, EVENTS, job.id, None),
        (ME, "cancel replay", job.id, {"status": "running", "done": 3, "total": 3}),
    ]
    assert replays(ledger).step(job.id) is False
    with pytest.raises(CommandError, match="is cancelled already"):
        bulk.cancel(ledger, job.id, ME)


def test_what_was_forced_and_taken_back_is_delivered_as_before(ledger: Ledger) -> None:
    recorded(ledger, payment("p:1"), status="delivered", lumail_event_id="evt_1")
    job = begin(ledger, Selection(EVENTS, Filters(), force=True))
    before = rows(ledger, events, *(column.name for column in events.c))
    work(replays(ledger), job)
    bulk.cancel(ledger, job.id, ME)
    assert rows(ledger, events, *(column.name for column in events.c)) == before


def test_with_a_backlog_the_share_is_smaller(ledger: Ledger) -> None:
    record_facts(ledger, complained("c:1"))
    with ledger.read() as connection:
        now = ledger.now(connection)
        assert pace.slot(connection, "main", 600, now) == timedelta(seconds=60 / (pace.ALONE * 600))
        later = now + pace.OVERDUE
        assert pace.slot(connection, "main", 600, later) == timedelta(seconds=60 / (pace.SHARE * 600))


def test_a_fault_is_shown_with_the_job_and_tried_again_later(ledger: Ledger) -> None:
    recorded(ledger, payment("p:1"), status="failed")
    job = begin(ledger)
    Replays(ledger, {"other": 600}, dict).work_on(job.id)
    found = look(ledger, job)
    assert (found.status, found.error) == ("running", "CommandError: main is not configured any more")
    assert found.next_at - job.next_at > timedelta(seconds=20)


def test_nothing_to_do_is_told(ledger: Ledger) -> None:
    with pytest.raises(CommandError, match="nothing of that kind"):
        begin(ledger)
    with pytest.raises(CommandError, match="no destination nowhere"):
        begin(ledger, Selection(EVENTS, Filters(destination="nowhere")))


def test_what_was_asked_for_is_read_as_it_was_written() -> None:
    at = datetime.fromisoformat("2026-11-20T12:00:00+00:00")
    wanted = Selection(EVENTS, Filters("failed", lane=Lane.REVENUE, since=at, until=at, error="400"), force=True)
    assert Selection.from_request(EVENTS, wanted.as_request()) == wanted


# Webhooks


def unaware() -> Route:
    """The source with an adapter that understands nothing yet."""
    return replace(route(), adapter=replace(route().adapter, handlers={}))


def came_unknown(ledger: Ledger, number: int, case: str = "session_paid") -> str:
    """A webhook that nobody understood when it came, with ids of its own."""
    sample = samples("stripe")[case].webhook("stripe", "https://hooks.example.com/webhooks/stripe", NOON)
    body = re.sub(rb'"(evt|cs|pi|in)_\w+"', rb'"\1_%d"' % number, sample.body)
    webhook = replace(sample, body=body, received_at=NOON + timedelta(minutes=number))
    aware = route()
    unaware = replace(aware, adapter=replace(aware.adapter, handlers={}))
    (done,) = record(ledger, submitted(unaware, VerifiedWebhook(webhook, 0, None), lambda key: None))
    return done.webhook


def test_webhooks_are_translated_again_and_what_is_new_has_its_slot(ledger: Ledger) -> None:
    session, other = (came_unknown(ledger, number) for number in (1, 2))
    strange = came_unknown(ledger, 3, "unknown_type")
    job = begin(ledger, Selection(WEBHOOKS, Filters(status="quarantined")))
    made = replays(ledger, {"stripe": route()})
    work(made, job)
    found = look(ledger, job)
    assert (found.status, found.done, found.counts["quarantined"], found.counts["new events"]) == ("done", 3, 1, 2)
    outcomes = dict(rows(ledger, webhooks, "id", "outcome"))
    assert (outcomes[session], outcomes[other], outcomes[strange]) == ("translated", "translated", "quarantined")
    notes = dict(rows(ledger, job_items, "subject", "explanation"))
    assert (notes[session], notes[strange]) == (
        None,
        "unknown type 'hologram.projected': adapter stripe neither translates nor ignores it",
    )


def test_a_webhook_that_can_not_be_translated_is_refused_and_the_others_go_on(ledger: Ledger) -> None:
    bodiless, session = (came_unknown(ledger, number) for number in (1, 2))
    with ledger.write(["main"]) as connection:
        connection.execute(update(webhooks).where(webhooks.c.id == bodiless).values(body=None))
    job = begin(ledger, Selection(WEBHOOKS, Filters(status="quarantined")))
    work(replays(ledger, {"stripe": route()}), job)
    assert look(ledger, job).counts == {"refused": 1, "translated": 1, "new events": 1}
    assert dict(rows(ledger, job_items, "subject", "outcome")) == {bodiless: "refused", session: "translated"}


# Previews


def test_a_preview_counts_what_would_be_sent_and_what_not_and_writes_nothing(ledger: Ledger) -> None:
    recorded(ledger, payment("p:1"), status="failed")
    recorded(ledger, opened("o:1", "bo@example.com"), status="failed")
    recorded(ledger, payment("p:2"), status="delivered", lumail_event_id="evt_1")
    before = [rows(ledger, table, "status") for table in (events, job_rows)]
    [made] = selection.preview(ledger, PLANS, {}, Selection(EVENTS, Filters()))
    assert (made.destination, made.total.number, made.looked_at) == ("main", 3, 3)
    assert (made.does, made.refused, made.forced) == (
        {"revenue": 1, "bulk": 1},
        {"delivered already": 1},
        {},
    )
    assert selection.can_be_forced(made.refused) == {"delivered already": 1}
    assert made.through_at is not None
    [forced] = selection.preview(ledger, PLANS, {}, Selection(EVENTS, Filters(), force=True))
    assert (forced.does, forced.forced) == ({"revenue": 2, "bulk": 1}, {"delivered already": 1})
    assert [rows(ledger, table, "status") for table in (events, job_rows)] == before
    assert rows(ledger, audit, "id") == []


def test_a_preview_says_how_long_it_takes_at_the_plans_rate(ledger: Ledger) -> None:
    recorded(ledger, *(opened(f"o:{n}") for n in range(60)), status="failed")
    [made] = selection.preview(ledger, {"main": 60}, {}, FAILED)
    took = selection.span_of(made)
    assert took is not None
    assert round(took.total_seconds()) == round(60 * 60 / (pace.ALONE * 60))
    with ledger.write(["main"]) as connection:
        connection.execute(update(destinations).values(limit_learned=30))
    [made] = selection.preview(ledger, {"main": 60}, {}, FAILED)
    took = selection.span_of(made)
    assert took is not None
    assert round(took.total_seconds()) == round(60 * 60 / (pace.ALONE * 30))


def test_webhooks_are_previewed_by_what_each_source_event_gives(ledger: Ledger) -> None:
    for number, case in enumerate(("session_paid", "session_paid", "unknown_type")):
        came_unknown(ledger, number, case)
    wanted = Selection(WEBHOOKS, Filters(status="quarantined"))
    [made] = selection.preview(ledger, PLANS, {"stripe": route()}, wanted)
    assert (made.does, made.refused) == ({"new": 2, "still not understood": 1}, {})
    assert rows(ledger, events, "id") == []
    assert set(rows(ledger, webhooks, "outcome")) == {("quarantined",)}
