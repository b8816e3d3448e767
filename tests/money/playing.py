"""Several histories played to one gateway side by side, and each judged by what came of it."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tests.money.deliveries import Delivery
from tests.money.office import Office, Post
from tests.money.spans import Expected, Found, faults
from tests.money.stripe_life import DAY
from tests.money.telling import moment

SIDE_BY_SIDE = 1800
"""Seconds within which what is told of different histories goes into one transaction; it spares commits."""

REST = 12 * DAY
"""How long after its last delivery nothing may be left to do: link_wait is three days."""


class Played(Protocol):
    """What a history has to be able to tell."""

    @property
    def number(self) -> str: ...

    @property
    def groups(self) -> Sequence[Sequence[Delivery]]: ...

    def expected(self) -> Expected: ...

    def told(self) -> str: ...

    def without(self, left_out: Delivery) -> Any: ...


def play(office: Office, histories: Sequence[Played], post_of: Callable[[Delivery], Post]) -> None:
    """Post all, in order of time and each history in its own order; then wait until nothing is left to do."""
    left = [list(history.groups) for history in histories]
    while any(left):
        begins = min(groups[0][-1].at for groups in left if groups)
        turn = [groups.pop(0) for groups in left if groups and groups[0][-1].at <= begins + SIDE_BY_SIDE]
        office.until(moment(max(one.at for group in turn for one in group)))
        office.post(*(post_of(one) for group in turn for one in group))
    office.later(seconds=REST)


def judge(history: Played, found: Sequence[Found]) -> list[str]:
    """What is wrong with what came of one history among several."""
    own = [one for one in found if one[0].startswith(f"{history.number}.")]
    return faults(history.expected(), own)


def smallest(history: Any, is_wrong: Callable[[Any], bool], patience: int = 200) -> Any:
    """The same with as few deliveries as are needed for the fault."""
    again = True
    while again:
        again = False
        for one in [delivery for group in history.groups for delivery in group]:
            patience -= 1
            smaller = history.without(one)
            if patience > 0 and is_wrong(smaller):
                history, again = smaller, True
    return history
