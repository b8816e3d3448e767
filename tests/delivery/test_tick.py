"""When the tick looks, and whom it calls for."""

from datetime import timedelta

import pytest

from gateway.delivery.tick import EVERY, SOONEST, Tick, wait_for
from gateway.ledger.database import Ledger
from gateway.ledger.jobs import jobs
from gateway.ledger.scheduling import leases
from tests.making import NOON


def wake(ledger: Ledger, destination: str, seconds: float) -> None:
    with ledger.write([destination]) as connection:
        leases.wake(connection, destination, ledger.now(connection) + timedelta(seconds=seconds))


def test_a_tick_calls_for_what_is_due(ledger: Ledger) -> None:
    called: list[str] = []
    tick = Tick(ledger, called.append, called.append)
    assert (tick.look(), called) == (EVERY, [])
    wake(ledger, "main", -1)
    assert (tick.look(), called) == (EVERY, ["main"])


@pytest.mark.parametrize(
    ("due_in", "expected"), [(None, EVERY), (3600, EVERY), (0.6, 0.6), (0.1, SOONEST), (-5, SOONEST)]
)
def test_a_tick_comes_back_for_what_soon_will_be_due(due_in: float | None, expected: float) -> None:
    assert wait_for(None if due_in is None else NOON + timedelta(seconds=due_in), NOON) == expected


def test_a_tick_calls_for_bulk_work_of_which_a_step_is_of_use(ledger: Ledger) -> None:
    with ledger.write(["main"]) as connection:
        now = ledger.now(connection)
        first, _, other = (
            jobs.begin(connection, jobs.Order(jobs.EVENTS, name, {}, 1, "ana"), now + timedelta(seconds=late))
            for name, late in (("main", -2), ("main", -1), ("other", -1))
        )
        jobs.change(connection, other, {"next_at": now + timedelta(hours=1)})
    called: list[str] = []
    Tick(ledger, called.append, called.append).look()
    assert called == [first]
