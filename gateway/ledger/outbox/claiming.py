"""Which requests a drain makes now: the most urgent first, each written down before it is sent."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, insert, select, text, update

from gateway.events import EventType, Lane
from gateway.ledger.event import EVENT_COLUMNS, Event, EventChange
from gateway.ledger.identity import new_id
from gateway.ledger.outbox import duplicates, refusals, transitions, unknown_subscribers
from gateway.ledger.outbox.unknown_subscribers import UnknownSubscriberPolicy
from gateway.ledger.scheduling import budget, lines, pauses
from gateway.ledger.scheduling.attempt import (
    ENDS_WITHIN,
    SEND_WITHIN,
    AskForEvent,
    AskForSubscriber,
    Claimed,
    CreateSubscriber,
    EventRequest,
    Kind,
    PostEvent,
    Probe,
    ReadBack,
    Request,
)
from gateway.ledger.scheduling.budget import Places
from gateway.ledger.scheduling.pauses import OpenPause
from gateway.ledger.scheduling.schedules import Taken
from gateway.ledger.scheduling.standing import WINDOW
from gateway.ledger.schema import Instant, attempts, events, status_is
from gateway.ledger.schema import lines as line_rows
from gateway.ledger.status import ENDED, Reason, Status

FIRST_ANSWER_WITHIN = timedelta(milliseconds=500)
"""How long further events wait while the first one of a subscriber finds out whether Lumail has it."""

AND_MORE = 8
"""Events that are looked at besides those wanted, since some may have to wait."""

PROBES_AMONG = 20
"""Events of a lane that are looked through for one that can be posted as a probe."""

PROBED = "gateway-probe@example.com"
"""Whom a probe asks for when it needs no event; whether Lumail has such a subscriber does not matter."""


def _heads() -> Select[Any]:
    return (
        select(*EVENT_COLUMNS)
        .join_from(line_rows, events, events.c.id == line_rows.c.head)
        .where(
            line_rows.c.destination == bindparam("destination_name"),
            line_rows.c.lane == bindparam("its_lane"),
            line_rows.c.due_at <= bindparam("now"),
            events.c.status == Status.WAITING,
        )
        .order_by(line_rows.c.due_at)
        .limit(bindparam("most"))
    )


def _is_waiting_bulk() -> ColumnElement[bool]:
    """Written as the partial index has it, so that it is used."""
    return and_(status_is(Status.WAITING), text("events.lane = 3"))


_HEADS = _heads()
_BULK = (
    select(*EVENT_COLUMNS)
    .where(
        events.c.destination == bindparam("destination_name"),
        _is_waiting_bulk(),
        events.c.due_at <= bindparam("now"),
    )
    .order_by(events.c.due_at, events.c.id)
    .limit(bindparam("most"))
)
_UNCONFIRMED = (
    select(*EVENT_COLUMNS)
    .where(
        events.c.destination == bindparam("destination_name"),
        status_is(Status.UNKNOWN),
        events.c.due_at <= bindparam("now"),
    )
    .order_by(events.c.due_at)
    .limit(bindparam("most"))
)
_CLOSE_LINE = (
    update(line_rows)
    .where(
        line_rows.c.destination == bindparam("destination_name"),
        line_rows.c.lane == bindparam("its_lane"),
        line_rows.c.subscriber == bindparam("its_subscriber"),
    )
    .values(due_at=bindparam("until", type_=Instant))
)


_STEPS: Mapping[str, Callable[[Event], EventRequest]] = {
    "post": PostEvent,
    "ask": AskForEvent,
    "create": CreateSubscriber,
}
"""What is asked of Lumail by the step that an event has come to."""


class Picker:
    """The claims of one turn, the most urgent first."""

    def __init__(
        self,
        connection: Connection,
        destination: str,
        now: datetime,
        found: Places,
        compose: Callable[[EventRequest], str],
        unknown_policy: Callable[[EventType], UnknownSubscriberPolicy],
    ) -> None:
        self._connection = connection
        self._destination = destination
        self._now = now
        self._places = found
        self._compose = compose
        self._unknown_policy = unknown_policy
        self._taken = Taken()
        self._tried: set[str] = set()
        self._at_rest = pauses.paused_names(connection, destination, "source")
        self.held_back = False

    def pick(self, wanted: int) -> list[Claimed]:
        if not self._places.any:
            return []
        lanes = pauses.paused_names(self._connection, self._destination, "lane")
        picked: list[Request] = []
        steps: tuple[tuple[Lane, Callable[[Lane, int], Sequence[Request]]], ...] = (
            (Lane.URGENT, self._from_lines),
            (Lane.REVENUE, self._from_lines),
            (Lane.REVENUE, self._reads),
            (Lane.STANDARD, self._questions),
            (Lane.STANDARD, self._from_lines),
            (Lane.BULK, self._from_bulk),
        )
        for lane, source in steps:
            scheduled = source != self._reads
            most = min(wanted - len(picked), self._left(lane, scheduled=scheduled))
            rests = lane.word in lanes and source in (self._from_lines, self._from_bulk)
            if most > 0 and not rests:
                found = source(lane, most)
                picked += found
                self._taken = self._taken.more(lane, len(found), scheduled=scheduled)
        return self._claim(picked)

    def pick_alone(self) -> list[Claimed]:
        """While a new token is on trial: one event at a time, and reads, which can only find something."""
        most = self._left(Lane.REVENUE, scheduled=False)
        picked: list[Request] = [*self._reads(Lane.REVENUE, min(most, 1))]
        self._taken = self._taken.more(Lane.REVENUE, len(picked), scheduled=False)
        if self._left(Lane.URGENT, scheduled=True) and not self._is_posting():
            for post in self._first_to_post():
                self._taken = self._taken.more(post.event.lane, 1, scheduled=True)
                picked.append(post)
        return self._claim(picked)

    def _is_posting(self) -> bool:
        query = select(attempts.c.id).where(
            attempts.c.destination == self._destination,
            text("attempts.outcome IS NULL"),
            attempts.c.kind == Kind.POST.value,
        )
        return self._connection.execute(query.limit(1)).first() is not None

    def probes(self, closed: Sequence[OpenPause]) -> list[Claimed]:
        """The one request that may end a pause, where it is due and no other pause stands against it."""
        due = [one for one in closed if one.probe is not None and one.until is not None and one.until <= self._now]
        if len(due) < len(closed) or not self._places.any:
            return []
        pause = due[0]
        pauses.take_probe(self._connection, pause, self._now)
        if pause.probe == "post":
            posts = [PostEvent(post.event, pause) for post in self._next_probe()]
            return self._claim(posts or self._next_question())
        return self._claim([Probe(PROBED, pause)])

    def _first_to_post(self) -> list[PostEvent]:
        """The most urgent event that waits to be posted."""
        return next(([posts[0]] for posts in self._to_post()), [])

    def _next_probe(self) -> list[PostEvent]:
        """The most urgent of those that were not sent yet, else the one that was sent longest ago: what is wrong with
        one event, or its subscriber, shall not keep a pause going.
        """
        posts = [post for found in self._to_post() for post in found]
        return sorted(posts, key=lambda post: post.event.attempt or "")[:1]

    def _next_question(self) -> list[Request]:
        """Where nothing waits to be posted, what has to be asked before something does: it ends no pause."""
        lines_ = (Lane.URGENT, Lane.REVENUE, Lane.STANDARD)
        asked: list[Request] = [*self._reads(Lane.REVENUE, 1)]
        asked += [one for lane in lines_ for one in self._from_lines(lane, 1)]
        return next(([one] for one in asked if not isinstance(one, PostEvent)), [])

    def _to_post(self) -> Iterator[list[PostEvent]]:
        """Of each lane some that wait to be posted; a question would tell nothing of what may be posted."""
        lanes = pauses.paused_names(self._connection, self._destination, "lane")
        for lane in Lane:
            if lane.word in lanes:
                continue
            source = self._from_bulk if lane is Lane.BULK else self._from_lines
            posts = [one for one in source(lane, PROBES_AMONG) if isinstance(one, PostEvent)]
            if posts:
                yield posts

    def _left(self, lane: Lane, *, scheduled: bool) -> int:
        if not scheduled:
            return self._places.for_lane(Lane.REVENUE, self._taken.all, unscheduled=True)
        mine = {Lane.URGENT: 0, Lane.REVENUE: self._taken.revenue}.get(lane, self._taken.low)
        return self._places.for_lane(lane, self._taken.all, mine)

    def _due(self, query: Select[Any], most: int, **lane: int) -> list[Event]:
        asked = {"destination_name": self._destination, "now": self._now, "most": most, **lane}
        return [Event.from_values(row) for row in self._connection.execute(query, asked)]

    def _from_lines(self, lane: Lane, most: int) -> list[EventRequest]:
        return self._worth_sending(self._due(_HEADS, most + AND_MORE, its_lane=int(lane)), most)

    def _from_bulk(self, lane: Lane, most: int) -> list[EventRequest]:
        del lane
        return self._worth_sending(self._due(_BULK, most + AND_MORE), most)

    def _reads(self, lane: Lane, most: int) -> list[ReadBack]:
        del lane
        return [
            ReadBack(event, event.first_attempt_at or self._now, event.unconfirmed_at or self._now)
            for event in self._due(_UNCONFIRMED, most)
        ]

    def _questions(self, lane: Lane, most: int) -> list[AskForSubscriber]:
        del lane
        again_at = self._now + ENDS_WITHIN + timedelta(seconds=1)
        refused = refusals.to_ask(self._connection, self._destination, self._now)
        of_run = [] if refused is None else [AskForSubscriber(refused, of_run=True)]
        most -= len(of_run)
        found = unknown_subscribers.to_ask(self._connection, self._destination, self._now, most, again_at)
        return of_run + [AskForSubscriber(subscriber) for subscriber in found]

    def _worth_sending(self, due: Sequence[Event], most: int) -> list[EventRequest]:
        """Requests; what is expired is left to the next turn, which drops it, and so is what has to be set aside."""
        worth = [
            event
            for event in due
            if (event.expires_at is None or event.expires_at > self._now) and event.source not in self._at_rest
        ]
        return self._without_unknown_subscribers(worth, most)

    def _without_unknown_subscribers(self, due: Sequence[Event], most: int) -> list[EventRequest]:
        """Requests; events of subscribers that Lumail does not know meet their fate instead, without asking it."""
        if not due:
            return []
        names = unknown_subscribers.among(self._connection, self._destination, (event.recipient for event in due))
        foreign = [event for event in due if event.recipient in names and event.step == "post"]
        unknown_policies = {event.id: self._unknown_policy(event.type) for event in foreign}
        ended = [event for event in foreign if unknown_policies[event.id] is not UnknownSubscriberPolicy.CREATED]
        if ended:
            self.held_back = True
            self._end(ended, unknown_policies)
        left = [
            event
            for event in due
            if unknown_policies.get(event.id, UnknownSubscriberPolicy.CREATED) is UnknownSubscriberPolicy.CREATED
        ]
        later = self._after_the_first(left)
        if later and len(due) == most + AND_MORE and len(later) == len(left):
            self._postpone(left)
        claimable = [event for event in left if event.id not in later][:most]
        self._tried |= {event.recipient for event in claimable}
        return [
            CreateSubscriber(event) if event.id in unknown_policies else _STEPS[event.step](event)
            for event in claimable
        ]

    def _end(self, foreign: Sequence[Event], unknown_policies: Mapping[str, UnknownSubscriberPolicy]) -> None:
        moves: list[tuple[Event, EventChange]] = [
            (event, {"status": Status(unknown_policies[event.id].value), "reason": Reason.NOT_IN_LUMAIL})
            for event in foreign
        ]
        for event in transitions.move(self._connection, self._destination, moves, self._now):
            if event.status in ENDED:
                duplicates.succeed(self._connection, event.id, self._now)

    def _after_the_first(self, due: Sequence[Event]) -> frozenset[str]:
        """Events of a subscriber that nobody knows yet whether Lumail knows, but for one: its answer tells."""
        asked = {event.recipient for event in due if event.step != "post"}
        tried = self._tried | asked | unknown_subscribers.being_tried(self._connection, self._destination)
        known: dict[str, bool] = {}
        later: set[str] = set()
        for event in due:
            subscriber = event.recipient
            if event.step != "post":
                continue
            if subscriber not in tried:
                tried.add(subscriber)
                continue
            if subscriber not in known:
                known[subscriber] = unknown_subscribers.is_known(self._connection, self._destination, subscriber)
            if not known[subscriber]:
                later.add(event.id)
        return frozenset(later)

    def _postpone(self, due: Sequence[Event]) -> None:
        """Nothing else is seen before these, so they step aside for a moment."""
        self.held_back = True
        transitions.postpone(self._connection, [(event.id, self._now + FIRST_ANSWER_WITHIN) for event in due])
        lines.refresh(self._connection, self._destination, {(event.lane, event.recipient) for event in due})

    def _claim(self, picked: Sequence[Request]) -> list[Claimed]:
        """Write them down: attempts, events on their way, lines that are closed meanwhile."""
        if not picked:
            return []
        claimed = [Claimed(new_id("at"), self._now, one, self._sent(one)) for one in picked]
        posts = [(one.request.event, one.attempt) for one in claimed if isinstance(one.request, PostEvent)]
        reads = [one.event for one in picked if isinstance(one, ReadBack)]
        questions = [one.event for one in picked if isinstance(one, AskForEvent | CreateSubscriber)]
        again_at = self._now + ENDS_WITHIN + timedelta(seconds=1)
        if posts:
            transitions.send(self._connection, [(event.id, attempt) for event, attempt in posts], self._now)
        if reads or questions:  # were the answer lost, the question is asked again
            transitions.postpone(self._connection, [(event.id, again_at) for event in [*reads, *questions]])
        self._close_lines([(event, None) for event, _ in posts] + [(event, again_at) for event in questions])
        self._add_attempts(claimed)
        budget.advance(self._connection, self._destination, self._now, self._places.limit, self._taken)
        return claimed

    def _sent(self, request: Request) -> str:
        return request.subscriber if isinstance(request, AskForSubscriber | Probe) else self._compose(request)

    def _close_lines(self, closed: Sequence[tuple[Event, datetime | None]]) -> None:
        rows = [
            {
                "destination_name": self._destination,
                "its_lane": int(event.lane),
                "its_subscriber": event.recipient,
                "until": until,
            }
            for event, until in closed
            if event.lane is not Lane.BULK
        ]
        if rows:
            self._connection.execute(_CLOSE_LINE, rows)

    def _add_attempts(self, claimed: Sequence[Claimed]) -> None:
        rows = [
            {
                "id": one.attempt,
                "destination": self._destination,
                "event": one.event_id,
                "kind": one.kind.value,
                "taken_at": self._now,
                "send_before": self._now + SEND_WITHIN,
                "ends_by": self._now + ENDS_WITHIN,
                "place_until": self._now + ENDS_WITHIN + WINDOW,
                "sent": one.sent or one.subscriber,
            }
            for one in claimed
        ]
        self._connection.execute(insert(attempts), rows)
