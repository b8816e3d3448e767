"""What Lumail's headers tell of other clients of the organization, and what is left to them."""

from datetime import timedelta

from sqlalchemy import insert

from gateway.events import Lane
from gateway.ledger.database import Ledger
from gateway.ledger.scheduling import budget
from gateway.ledger.scheduling.standing import WINDOW, Learned
from gateway.ledger.schema import attempts
from tests.making import NOON

SECOND = timedelta(seconds=1)


def ask(ledger: Ledger, number: int, *, remaining: int, ago: float) -> None:
    """We made so many requests, the last of them answered so many seconds before noon with this header."""
    at = NOON - ago * SECOND
    times = {"taken_at": at, "send_before": at, "ends_by": at, "answered_at": at, "place_until": at + WINDOW}
    with ledger.write(["main"]) as connection:
        connection.execute(
            insert(attempts),
            [
                {"id": f"at{ago}-{one}", "destination": "main", "kind": "event", "outcome": "recorded", **times}
                for one in range(number)
            ],
        )
        budget.learn(connection, "main", Learned(700, remaining, at + SECOND), at)


def free(ledger: Ledger, plan: int = 700, later: float = 0) -> int:
    with ledger.write(["main"]) as connection:
        return budget.places(connection, "main", plan, NOON + later * SECOND).free


def test_what_others_used_is_not_tried_once_the_header_is_over(ledger: Ledger) -> None:
    ask(ledger, 400, remaining=90, ago=6)  # others made 210, a tenth of it has grown old
    assert free(ledger) == 111


def test_our_own_places_that_come_free_are_ours_to_use(ledger: Ledger) -> None:
    ask(ledger, 400, remaining=300, ago=50)
    ask(ledger, 90, remaining=60, ago=5)  # others made 150
    assert (free(ledger), free(ledger, later=11)) == (72, 499)


def test_who_is_alone_has_the_whole_plan(ledger: Ledger) -> None:
    ask(ledger, 400, remaining=300, ago=5)
    assert free(ledger) == 300


def test_others_of_whom_nothing_was_heard_for_a_minute_are_forgotten(ledger: Ledger) -> None:
    ask(ledger, 1, remaining=0, ago=61)
    assert free(ledger) == 700


def test_a_plan_below_lumails_limit_leaves_others_what_is_above_it(ledger: Ledger) -> None:
    ask(ledger, 100, remaining=400, ago=6)  # others made 200
    assert free(ledger, plan=300) == 200


def test_where_others_hold_all_places_one_asks_some_seconds_after_lumails_window_has_ended(ledger: Ledger) -> None:
    ask(ledger, 100, remaining=0, ago=1)
    with ledger.write(["main"]) as connection:
        assert budget.next_place(connection, "main", 700, NOON, Lane.BULK) == NOON + 4 * SECOND
