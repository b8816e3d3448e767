"""A plan is used to the full and never beyond, and what is urgent passes a backlog."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ledger.database import Ledger
from tests.crash.installation import Installation, installation
from tests.load import traffic

PLAN = 300
BEGINS = 30


@pytest.fixture
def running(tmp_path: Path, sqlite_url: str) -> Iterator[Installation]:
    """With more waiting than the plan lets leave in the time of a test."""
    with installation(tmp_path, sqlite_url, traffic.setup(PLAN)) as started:
        ledger = Ledger(sqlite_url)
        traffic.add_bulk(ledger, PLAN * 3)
        ledger.close()
        yield started


def used(running: Installation, began: float) -> traffic.Use:
    """Of the minute that begins half a minute after the start, when the first burst is over."""
    time.sleep(max(0.0, began + BEGINS + 60 - time.time()))
    return traffic.use(running.sandbox.requests(), began + BEGINS, began + BEGINS + 60)


@pytest.mark.timeout(200)
def test_a_backlog_uses_the_plan_and_what_is_urgent_passes_it(running: Installation) -> None:
    began = time.time()
    time.sleep(BEGINS)
    found = traffic.delays(running.url, running.sandbox, 25, 50)
    use = used(running, began)
    print(found.told(), use.told(PLAN, 60))
    assert use.refused == 0
    assert use.sliding <= PLAN
    assert use.made >= 0.94 * PLAN
    assert found.urgent[-1] < 2  # the processors are shared with other tests
    assert found.payments[-1] < 5 + 2


@pytest.mark.timeout(200)
def test_another_client_of_the_organization_costs_hardly_any_429(running: Installation) -> None:
    began = time.time()
    with traffic.other_client(running.base_url, 0.3 * PLAN):
        use = used(running, began)
    print(use.told(PLAN, 60))
    assert use.refused <= 0.01 * use.made
    assert use.made >= 0.6 * PLAN
