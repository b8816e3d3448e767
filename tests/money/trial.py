"""Histories put to the test: played, judged, and where one is told wrongly, what is least needed for that."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from gateway.config import Source
from tests.money.deliveries import Delivery
from tests.money.office import Office, Post
from tests.money.playing import Played, judge, play, smallest

Opens = Callable[[], AbstractContextManager[Office]]


def put_to_the_test(
    histories: Sequence[Played],
    opens: Opens,
    sources: Sequence[Source],
    post_of: Callable[[Delivery], Post],
) -> None:
    """Raises AssertionError with the smallest history that is told wrongly."""

    def came_of(*some: Played) -> list[tuple[Played, list[str]]]:
        with opens() as office:
            office.serve(sources)
            play(office, some, post_of)
            assert not (odd := office.unsettled()), odd
            found = office.found()
        return [(one, wrong) for one in some if (wrong := judge(one, found))]

    wrong = came_of(*histories)
    if wrong:
        history, faults = wrong[0]
        least = smallest(history, lambda one: bool(came_of(one)))
        alone = came_of(least)
        told = alone[0][1] if alone else ["(only beside other histories)", *faults]
        raise AssertionError("\n".join([f"{len(wrong)} of {len(histories)} are wrong; one is", least.told(), *told]))
