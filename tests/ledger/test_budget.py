"""How many requests may be made now: for whom places are kept, schedules, headers, and clocks that are set."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from gateway.events import Lane
from gateway.ledger.database import Ledger
from gateway.ledger.scheduling import budget, places
from gateway.ledger.scheduling.budget import Learned, Places
from gateway.ledger.schema import attempts, destinations
from tests.making import NOON, rows

SECOND = timedelta(seconds=1)


def found(ledger: Ledger, now: datetime = NOON, plan: int = 700) -> Places:
    with ledger.write(["main"]) as connection:
        return budget.places(connection, "main", plan, now)


def take(ledger: Ledger, count: int, now: datetime = NOON, plan: int = 700) -> list[str]:
    """Requests of the desk, which count like all others; those that found a place."""
    with ledger.write(["main"]) as connection:
        taken = [places.take(connection, "main", "search", plan, now) for _ in range(count)]
    return [one for one in taken if one is not None]


def answered(ledger: Ledger, taken: list[str], now: datetime) -> None:
    with ledger.write(["main"]) as connection:
        for one in taken:
            places.settle(connection, one, 200, None, now)


def learn(ledger: Ledger, learned: Learned, now: datetime = NOON) -> None:
    with ledger.write(["main"]) as connection:
        budget.learn(connection, "main", learned, now)


def advance(ledger: Ledger, now: datetime, plan: int = 700, *, urgent: int = 0, revenue: int = 0, low: int = 0) -> None:
    with ledger.write(["main"]) as connection:
        taken = budget.Taken(urgent + revenue + low, revenue, low)
        budget.advance(connection, "main", now, plan, taken)


def next_place(ledger: Ledger, lane: Lane, now: datetime = NOON, plan: int = 700) -> datetime:
    with ledger.write(["main"]) as connection:
        return budget.next_place(connection, "main", plan, now, lane)


@pytest.mark.parametrize(
    ("plan", "kept"), [(5, (0, 0, 0)), (19, (0, 0, 0)), (20, (0, 1, 2)), (100, (0, 1, 2)), (700, (0, 7, 14))]
)
def test_places_are_kept_for_the_more_urgent_unless_the_plan_is_tiny(plan: int, kept: tuple[int, int, int]) -> None:
    lanes = (Lane.URGENT, Lane.REVENUE, Lane.BULK)
    assert tuple(budget.kept_from(lane, plan) for lane in lanes) == kept


def test_what_was_just_given_out_is_no_longer_free() -> None:
    free = Places(free=30, revenue=10, low=5, limit=100)
    assert [free.for_lane(lane, taken=20, of_schedule=1) for lane in Lane] == [10, 9, 4, 4]
    assert free.for_lane(Lane.REVENUE, taken=30) == 0


def test_a_place_is_held_until_a_minute_after_its_answer(ledger: Ledger) -> None:
    taken = take(ledger, 5, plan=5)
    assert (len(taken), take(ledger, 1, plan=5)) == (5, [])
    answered(ledger, taken[:2], NOON + SECOND)
    free = [found(ledger, NOON + seconds * SECOND, plan=5).free for seconds in (60, 61, 79, 80)]
    assert free == [0, 2, 2, 5]


def test_bulk_keeps_an_even_schedule_and_catches_up_five_seconds(ledger: Ledger) -> None:
    advance(ledger, NOON, low=found(ledger).low)
    assert [found(ledger, NOON + seconds * SECOND).low for seconds in (0, 1, 2, 4.9)] == [0, 11, 22, 54]


def test_after_a_rest_bulk_begins_with_a_second_of_its_schedule(ledger: Ledger) -> None:
    assert found(ledger).low == 12
    advance(ledger, NOON, low=12)
    assert found(ledger, NOON + 60 * SECOND).low == 12


def test_bulk_leaves_room_for_what_is_more_urgent_so_that_places_come_free_evenly(ledger: Ledger) -> None:
    advance(ledger, NOON, low=12)
    for second in range(1, 31):
        advance(ledger, NOON + second * SECOND, urgent=4, low=found(ledger, NOON + second * SECOND).low)
    low = [found(ledger, NOON + 31 * SECOND).low]
    advance(ledger, NOON + 31 * SECOND, urgent=30)
    low += [found(ledger, NOON + second * SECOND).low for second in (31, 32, 33, 34)]
    assert low == [7, 0, 0, 0, 12]


def test_revenue_may_run_ahead_by_a_burst_and_is_spaced_then(ledger: Ledger) -> None:
    burst = found(ledger).revenue
    assert burst == 67
    advance(ledger, NOON, revenue=burst)
    assert [found(ledger, NOON + seconds * SECOND).revenue for seconds in (0, 1, 3600)] == [0, 11, 67]


def test_headers_lower_what_is_free_and_never_raise_it(ledger: Ledger) -> None:
    learn(ledger, Learned(limit=1000, remaining=900, reset=NOON + 30 * SECOND))
    assert (found(ledger).limit, found(ledger).free) == (700, 700)
    learn(ledger, Learned(limit=100, remaining=7, reset=NOON + 30 * SECOND))
    assert (found(ledger).limit, found(ledger).free) == (100, 7)
    taken = take(ledger, 3, NOON + SECOND)
    assert found(ledger, NOON + SECOND).free == 4
    answered(ledger, taken, NOON + 2 * SECOND)
    assert [found(ledger, NOON + seconds * SECOND).free for seconds in (29, 30)] == [
        4,
        50,
    ]  # half of what others took is old


def test_requests_in_flight_are_not_in_what_lumail_says_is_left(ledger: Ledger) -> None:
    """They were taken before it spoke, and it had not counted them."""
    taken = take(ledger, 5)
    learn(ledger, Learned(limit=100, remaining=20, reset=NOON + 30 * SECOND), NOON + SECOND)
    assert found(ledger, NOON + SECOND).free == 15
    answered(ledger, taken[:2], NOON + SECOND)
    assert found(ledger, NOON + SECOND).free == 17


def test_a_request_of_the_desk_takes_a_place_until_a_minute_after_its_longest_end(ledger: Ledger) -> None:
    take(ledger, 1, plan=5)
    assert [found(ledger, NOON + seconds * SECOND, plan=5).free for seconds in (0, 79, 80)] == [4, 4, 5]


@pytest.mark.parametrize("reset", [None, NOON + timedelta(hours=1)])
def test_a_reset_that_is_missing_or_far_away_lowers_nothing(ledger: Ledger, reset: datetime | None) -> None:
    learn(ledger, Learned(limit=700, remaining=0, reset=reset))
    assert found(ledger).free == 700


def test_without_a_place_the_next_one_is_the_first_to_end(ledger: Ledger) -> None:
    answered(ledger, take(ledger, 5, plan=5), NOON + SECOND)
    assert next_place(ledger, Lane.URGENT, NOON + 2 * SECOND, plan=5) == NOON + 61 * SECOND


def test_with_places_but_none_left_by_the_header_the_next_one_is_at_its_reset(ledger: Ledger) -> None:
    answered(ledger, take(ledger, 5), NOON)
    learn(ledger, Learned(limit=700, remaining=0, reset=NOON + 10 * SECOND))
    assert next_place(ledger, Lane.URGENT) == NOON + 10 * SECOND


def test_a_clock_that_is_set_back_holds_no_place_longer_than_a_request_can(ledger: Ledger) -> None:
    taken = take(ledger, 5, plan=5)
    answered(ledger, taken[:2], NOON)
    earlier = NOON - timedelta(hours=1)
    free = [found(ledger, earlier + seconds * SECOND, plan=5).free for seconds in (0, 79, 80)]
    assert free == [0, 0, 5]
    assert {until for (until,) in rows(ledger, attempts, "place_until")} == {earlier + 80 * SECOND}


def test_a_clock_that_is_set_back_stops_no_schedule(ledger: Ledger) -> None:
    advance(ledger, NOON, revenue=67, low=56)
    earlier = NOON - timedelta(hours=1)
    assert (found(ledger, earlier).low, found(ledger, earlier).revenue) == (1, 1)
    assert next_place(ledger, Lane.BULK, earlier) == earlier
    advance(ledger, earlier, revenue=1, low=1)
    later = found(ledger, earlier + SECOND)
    assert (later.low, later.revenue) == (10, 11)


def test_a_clock_that_is_set_back_makes_a_header_unbelievable(ledger: Ledger) -> None:
    learn(ledger, Learned(limit=700, remaining=0, reset=NOON + 10 * SECOND))
    assert found(ledger, NOON - timedelta(hours=1)).free == 700


def test_a_clock_that_is_set_forth_is_a_rest(ledger: Ledger) -> None:
    advance(ledger, NOON, low=60)
    assert found(ledger, NOON + timedelta(hours=1)).low == 12


def test_a_limit_that_was_learned_holds_until_another_is(ledger: Ledger) -> None:
    learn(ledger, Learned(limit=100))
    learn(ledger, Learned(limit=0))
    assert found(ledger).limit == 100
    with ledger.write(["main"]) as connection:
        connection.execute(update(destinations).values(limit_learned=None))
    assert found(ledger).limit == 700
