"""A replay of many while workers and Redis are killed: each event is recorded once, and the replay comes to its end."""

import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import update

from gateway.ledger.database import Ledger
from gateway.ledger.jobs import jobs
from gateway.ledger.jobs.jobs import EVENTS, Job
from gateway.ledger.scheduling.pauses import Scope
from gateway.ledger.schema import events, job_items
from gateway.ledger.views.search import Filters
from gateway.replay import bulk, resting
from gateway.replay.selection import Selection
from tests.crash.installation import installation, killing
from tests.load import traffic
from tests.making import rows
from tests.waiting import eventually

PLAN = 6_000
FAILED = 600


def add_failed(ledger: Ledger) -> None:
    """Events of all kinds that Lumail has refused; none leaves before it is so."""
    main = Scope("destination", "main", "main")
    resting.pause(ledger, main, "ana")
    traffic.add_bulk(ledger, FAILED // 3, "failed")
    traffic.add_mixed(ledger, FAILED // 3, "failed")
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).values(status="failed", reason="refused"))
    resting.resume(ledger, main, "ana")


def done(ledger: Ledger, job: Job) -> Job | None:
    with ledger.read() as connection:
        found = jobs.find(connection, job.id)
    return found if found is not None and found.status == "done" else None


@pytest.mark.timeout(400)
def test_a_replay_survives_the_death_of_those_who_work_on_it(tmp_path: Path, sqlite_url: str) -> None:
    with installation(tmp_path, sqlite_url, traffic.setup(PLAN)) as running:
        ledger = Ledger(sqlite_url)
        running.sandbox.change(latency_ms=50)
        add_failed(ledger)
        [job] = bulk.begin(ledger, {"main": PLAN}, Selection(EVENTS, Filters(status="failed")), "ana")
        began = time.monotonic()
        with killing(running, ("worker", "worker", "redis"), every=(0.3, 1.0)) as killed:
            eventually(lambda: killed.total() >= 5, within=120)
        found = eventually(lambda: done(ledger, job), within=240, what=f"the replay ends; see {running.log}")
        eventually(lambda: set(rows(ledger, events, "status")) == {("delivered",)}, within=120)
        recorded = Counter(one["data"]["gatewayEventId"] for one in running.sandbox.events())
        items = rows(ledger, job_items, "subject")
        all_events = rows(ledger, events, "id")
        ledger.close()

    print(f"killed {dict(killed)} in {time.monotonic() - began:.0f} s, {dict(found.counts)}")
    assert (found.done, found.total, found.error) == (FAILED, FAILED, None)
    assert sum(found.counts.values()) == FAILED
    assert sorted(items) == sorted(all_events)
    assert set(recorded.values()) == {1}
    assert len(recorded) == FAILED
