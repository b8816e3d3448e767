"""When the tick looks, and whom it calls for."""

from datetime import timedelta

from gateway.delivery.tick import EVERY, SOONEST, Tick
from gateway.ledger import jobs, leases
from gateway.ledger.database import Ledger


def wake(ledger: Ledger, destination: str, seconds: float) -> None:
    with ledger.write([destination]) as connection:
        leases.wake(connection, destination, ledger.now(connection) + timedelta(seconds=seconds))


def test_a_tick_calls_for_what_is_due_and_comes_back_for_what_soon_will_be(ledger: Ledger) -> None:
    called: list[str] = []
    tick = Tick(ledger, called.append, called.append)
    assert (tick.look(), called) == (EVERY, [])
    wake(ledger, "main", -1)
    assert (tick.look(), called) == (EVERY, ["main"])
    wake(ledger, "other", 0.6)
    assert SOONEST < tick.look() < 0.6
    wake(ledger, "other", 0.1)
    assert (tick.look(), called) == (SOONEST, ["main"] * 3)


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
