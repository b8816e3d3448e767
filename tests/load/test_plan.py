"""A plan is never overdrawn, and what is urgent passes a backlog; `python -m benchmarks.plan` has the seconds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ledger.database import Ledger
from gateway.ledger.schema import events
from tests.crash.installation import Installation, installation
from tests.load import traffic
from tests.making import rows
from tests.waiting import eventually

PLAN = 300
BULK = 350
"""More than a minute may have, so that there are windows in which too many could be."""


@pytest.fixture
def running(tmp_path: Path, sqlite_url: str) -> Iterator[Installation]:
    with installation(tmp_path, sqlite_url, traffic.setup(PLAN)) as started:
        yield started


@pytest.fixture
def waiting(running: Installation, sqlite_url: str) -> Iterator[Ledger]:
    """The ledger of what runs, in which a backlog of bulk waits."""
    ledger = Ledger(sqlite_url)
    traffic.add_bulk(ledger, BULK)
    yield ledger
    ledger.close()


@pytest.mark.timeout(280)
def test_a_backlog_keeps_to_the_plan_and_leaves_nothing_urgent_behind_it(
    running: Installation, waiting: Ledger
) -> None:
    found = traffic.delays(running.url, running.sandbox, 25, 50, patience=100)
    eventually(lambda: all_delivered(waiting), within=200)
    use = traffic.use(running.sandbox.requests())
    print(found.told(), use)
    assert use.refused == 0
    assert use.sliding <= PLAN
    assert traffic.overtaken(waiting) == []
    assert len(rows(waiting, events, "id")) == BULK + 25 + 25


@pytest.mark.timeout(280)
def test_with_another_client_of_the_organization_no_event_is_given_up(running: Installation, waiting: Ledger) -> None:
    with traffic.other_client(running.base_url, 0.3 * PLAN):
        eventually(lambda: all_delivered(waiting), within=200)
    print(traffic.use(running.sandbox.requests()))
    assert set(rows(waiting, events, "status", "tries")) == {("delivered", 1)}


def all_delivered(ledger: Ledger) -> bool:
    return {status for (status,) in rows(ledger, events, "status")} == {"delivered"}
