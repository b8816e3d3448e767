"""How a destination stands within its plan: what is free by our own count, and by what Lumail's headers told.

Lumail does not say in which window it counts, and what `X-RateLimit-Reset` names differs with it: the end of a fixed
minute or of a bucket, the moment in which a sliding log forgets its oldest request, always a minute ahead. So
`Remaining` is believed as it stands for BINDS only. Older, it tells what others of the organization use: what Lumail
counted and we did not send. Where it told of nothing left, one request asks again, and its answer tells more.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.events import Lane

WINDOW = timedelta(seconds=60)
"""An attempt counts against the plan until this long after its answer, so no window of this length sees more."""

URGENT_RESERVE = 0.01
REVENUE_RESERVE = 0.01

BINDS = timedelta(seconds=2)
"""How long what Lumail had left is believed as it was told."""

ASKS_AGAIN = timedelta(seconds=10)
"""The pause after a request that asked and was told of nothing left; twice as long after each that follows."""

ASKS_AT_RESET = timedelta(seconds=5)
"""The pause where Lumail's window has ended meanwhile: a sliding one always has, and tells nothing by that.

What others use comes to a place or two in this time."""

OTHERS_TAKE_FOR = timedelta(seconds=4)
"""For how long there is room for what others use, beside what was told to be left."""

FEW = 0.05
"""So small a part of the plan may only seem to be used by others, by the way in which Lumail counts."""

MOST_MARGIN = 0.03
"""The most of a plan that is left so: who does not use it, has to look elsewhere for where the others are."""

LONGEST_RESET = timedelta(seconds=90)
"""A time of reset further away than this is not believed."""


@dataclass(frozen=True)
class Learned:
    """What an answer of Lumail tells about its limits; None where it does not. `reset` is in the ledger's clock."""

    limit: int | None = None
    remaining: int | None = None
    reset: datetime | None = None


@dataclass(frozen=True)
class Headers:
    """What the newest answers told; `remaining` was told at `at`. `in_vain`: how often it was asked so."""

    limit: int | None = None
    remaining: int | None = None
    reset: datetime | None = None
    at: datetime | None = None
    in_vain: int = 0

    def and_then(self, learned: Learned, now: datetime) -> "Headers":
        """With what another answer told."""
        limit = learned.limit if learned.limit else self.limit
        if learned.remaining is None:
            return replace(self, limit=limit)
        reset = learned.reset
        if reset is not None and not now - WINDOW < reset < now + LONGEST_RESET:
            reset = None
        asked = 0
        if learned.remaining <= 0:
            was_asked = self.remaining == 0 and self.at is not None and now - self.at >= BINDS
            asked = self.in_vain + 1 if was_asked else self.in_vain
        return Headers(limit, max(0, learned.remaining), reset, now, asked)

    def believable(self, now: datetime) -> bool:
        """False also where the clock was set back since."""
        return self.remaining is not None and self.at is not None and self.at <= now < self.at + WINDOW


@dataclass(frozen=True)
class Used:
    """Our places. `then`: those that were held when Lumail told; `unseen`: those it can't have counted then.

    `ended`: those of `then` that came free since. `open`: requests under way. `newest` was taken last; `first_ends`
    comes free first.
    """

    ours: int = 0
    then: int = 0
    unseen: int = 0
    ended: int = 0
    open: int = 0
    newest: datetime | None = None
    first_ends: datetime | None = None


@dataclass(frozen=True)
class Standing:
    """Both together, at one moment."""

    plan: int
    headers: Headers
    used: Used
    now: datetime

    @property
    def limit(self) -> int:
        return self.plan if self.headers.limit is None else min(self.plan, self.headers.limit)

    @property
    def free(self) -> int:
        """How many requests may be made now."""
        left = self._left
        return max(0, self._unused if left is None else min(self._unused, left))

    @property
    def margin(self) -> int:
        """Places that standard and bulk leave to others, who take some between one answer and the next."""
        if self._are_few:
            return 0
        return min(math.ceil(self._told_others * (OTHERS_TAKE_FOR / WINDOW)), math.ceil(self.limit * MOST_MARGIN))

    @property
    def may_ask(self) -> bool:
        """Whether one request may be made, whatever its lane, to find out whether something is free again."""
        return self._asks_at is not None and self.now >= self._asks_at and not self.used.open and self._is_worth_asking

    def next_free(self, lane: Lane) -> datetime:
        """When a request of this lane can have a place, as far as it is known now; its schedule may say later."""
        kept, at = kept_from(lane, self.limit) + self.margin * (lane > Lane.REVENUE), self.now
        if self.limit - self.used.ours <= kept:
            at = max(at, self.used.first_ends or at)
        if self._unused <= kept and self._others:
            of_theirs = self.now + WINDOW / self._others  # when one of theirs has grown old
            ends = [one for one in (self.used.first_ends, self._reset) if one is not None and one > self.now]
            at = max(at, min([of_theirs, *ends]))
        left = self._left
        if left is not None and left <= kept:
            at = max(at, self._asks_at or at)
        return at

    @property
    def _reset(self) -> datetime | None:
        """When what Lumail counted is over, as far as it told so and that is ahead."""
        reset = self.headers.reset
        return reset if reset is not None and self.headers.believable(self.now) and reset > self.now else None

    @property
    def _unused(self) -> int:
        """Places of the last minute that neither we nor the organization's other clients have used."""
        unused = self.limit - self.used.ours
        if self.headers.limit is None:
            return unused
        return min(unused, self.headers.limit - self.used.ours - self._others)

    @property
    def _others(self) -> int:
        """Requests of other clients that Lumail still counts: all that it told of until its reset, after that less
        and less, as they grow old.

        In a sliding window places come free one by one, and what Lumail says of the next is soon over: were it then
        taken for silence, all places that we do not use ourselves would be tried, and most be refused.
        """
        if (self._reset is not None and not self._are_few) or self.headers.at is None:
            return self._told_others
        age: float = (self.now - self.headers.at) / WINDOW
        return math.ceil(self._told_others * (1 - age))

    @property
    def _told_others(self) -> int:
        """What Lumail counted besides ours when it told."""
        headers = self.headers
        if headers.limit is None or headers.remaining is None or not headers.believable(self.now):
            return 0
        return max(0, headers.limit - headers.remaining - self.used.then)

    @property
    def _left(self) -> int | None:
        """What Lumail had left, less what it can't have counted then; None where that binds no longer.

        Alone, what came free of ours since is left too: whatever window it is, Lumail counts no more than we do.
        """
        headers = self.headers
        if headers.remaining is None or headers.at is None or not headers.believable(self.now):
            return None
        left = max(0, headers.remaining - self.used.unseen + (self.used.ended if self._are_few else 0))
        stands_still = left <= kept_from(Lane.BULK, self.limit) + self.margin
        return left if self.now < headers.at + BINDS or stands_still else None

    @property
    def _are_few(self) -> bool:
        return self._told_others <= self.limit * FEW

    @property
    def _asks_at(self) -> datetime | None:
        """When a request may ask whether something is free again; None where nothing stands still."""
        if self._left is None or self.headers.at is None:
            return None
        since = max(self.headers.at, self.used.newest or self.headers.at)
        in_vain = self.headers.in_vain
        # What came free is ours, as far as it is more than others take meanwhile; else they have the rest by now.
        soon = not in_vain and self.used.ended >= self.margin
        at = since + (BINDS if soon else ASKS_AGAIN * 2 ** min(max(0, in_vain - 1), 10))
        return at if self.headers.reset is None else min(at, max(self.headers.reset, since + ASKS_AT_RESET))

    @property
    def _is_worth_asking(self) -> bool:
        """Where Lumail's window has ended, others may have used nothing of the new one."""
        is_over = self.headers.reset is not None and self.now >= self.headers.reset
        return (self.limit - self.used.ours if is_over else self._unused) > 0


def kept_from(lane: Lane, limit: int) -> int:
    """Places that a lane leaves to more urgent ones."""
    if lane is Lane.URGENT:
        return 0
    kept = _reserve(limit, URGENT_RESERVE)
    return kept if lane is Lane.REVENUE else kept + _reserve(limit, REVENUE_RESERVE)


def _reserve(limit: int, share: float) -> int:
    """At least one place, unless the plan is so small that it would be a large part of it."""
    return 0 if limit < 20 else max(1, math.floor(limit * share))
