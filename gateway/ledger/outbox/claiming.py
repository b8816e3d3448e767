"""Which requests a drain makes now: the most urgent first, each written down before it is sent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, insert, select, text, update

from gateway.events import EventType, Lane
from gateway.ledger.event import Event, EventChange
from gateway.ledger.facts.known_events import events_of
from gateway.ledger.identity import new_id
from gateway.ledger.outbox import duplicates, transitions, unknown_subscribers
from gateway.ledger.outbox.unknown_subscribers import UnknownSubscriberPolicy
from gateway.ledger.scheduling import budget, lines, pauses
from gateway.ledger.scheduling.attempt import ENDS_WITHIN, SEND_WITHIN, Claimed, Kind
from gateway.ledger.scheduling.budget import WINDOW, Places
from gateway.ledger.scheduling.pauses import OpenPause
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

_COLUMNS = tuple(
    events.c[name]
    for name in (
        *("id", "webhook", "source", "type", "subscriber", "data", "occurred_at", "lane", "tries", "first_attempt_at"),
        *("clock_offset_ms", "reason_detail", "step", "unconfirmed_at", "reads", "read_cursor", "candidates", "due_at"),
        "expires_at",
    )
)


def _heads() -> Select[Any]:
    return (
        select(*_COLUMNS)
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
    select(*_COLUMNS)
    .where(
        events.c.destination == bindparam("destination_name"),
        _is_waiting_bulk(),
        events.c.due_at <= bindparam("now"),
    )
    .order_by(events.c.due_at, events.c.id)
    .limit(bindparam("most"))
)
_UNCONFIRMED = (
    select(*_COLUMNS)
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
_ADD_ATTEMPTS = insert(attempts)


_KINDS = {"post": Kind.POST, "ask": Kind.ASK, "create": Kind.CREATE}
"""What is asked of Lumail by the step that an event has come to."""


class Picker:
    """The claims of one turn, the most urgent first."""

    def __init__(
        self,
        connection: Connection,
        destination: str,
        now: datetime,
        found: Places,
        compose: Callable[[Claimed], str],
        unknown_policy: Callable[[EventType], UnknownSubscriberPolicy],
    ) -> None:
        self._connection = connection
        self._destination = destination
        self._now = now
        self._places = found
        self._compose = compose
        self._unknown_policy = unknown_policy
        self._taken = {"all": 0, "revenue": 0, "low": 0}
        self._tried: set[str] = set()
        self._at_rest = pauses.paused_names(connection, destination, "source")
        self.held_back = False

    def pick(self, wanted: int) -> list[Claimed]:
        if not self._places.free:
            return []
        lanes = pauses.paused_names(self._connection, self._destination, "lane")
        claimed: list[Claimed] = []
        steps: tuple[tuple[Lane, Callable[[Lane, int], list[Claimed]]], ...] = (
            (Lane.URGENT, self._from_lines),
            (Lane.REVENUE, self._from_lines),
            (Lane.REVENUE, self._reads),
            (Lane.STANDARD, self._questions),
            (Lane.STANDARD, self._from_lines),
            (Lane.BULK, self._from_bulk),
        )
        for lane, source in steps:
            most = min(wanted - len(claimed), self._left(lane, scheduled=source != self._reads))
            rests = lane.word in lanes and source in (self._from_lines, self._from_bulk)
            if most > 0 and not rests:
                picked = source(lane, most)
                claimed += picked
                self._count(lane, len(picked), scheduled=source != self._reads)
        self._note(claimed)
        return claimed

    def pick_alone(self) -> list[Claimed]:
        """While a new token is on trial: one event at a time, and reads, which can only find something."""
        most = self._left(Lane.REVENUE, scheduled=False)
        claimed = self._reads(Lane.REVENUE, min(most, 1))
        self._count(Lane.REVENUE, len(claimed), scheduled=False)
        if self._left(Lane.URGENT, scheduled=True) and not self._is_posting():
            resting = pauses.paused_names(self._connection, self._destination, "lane")
            claimed += self._first_to_post([lane for lane in Lane if lane.word not in resting])
        self._note(claimed)
        return claimed

    def _is_posting(self) -> bool:
        query = select(attempts.c.id).where(
            attempts.c.destination == self._destination,
            text("attempts.outcome IS NULL"),
            attempts.c.kind == Kind.POST.value,
        )
        return self._connection.execute(query.limit(1)).first() is not None

    def _first_to_post(self, lanes: Sequence[Lane]) -> list[Claimed]:
        for lane in lanes:
            found = (self._from_bulk if lane is Lane.BULK else self._from_lines)(lane, 20)
            posts = [one for one in found if one.kind is Kind.POST][:1]
            if posts:
                self._count(lane, 1, scheduled=True)
                return posts
        return []

    def probes(self, closed: Sequence[OpenPause]) -> list[Claimed]:
        """The one request that may end a pause, where it is due and no other pause stands against it."""
        due = [one for one in closed if one.probe is not None and one.until is not None and one.until <= self._now]
        if len(due) < len(closed) or not self._places.free:
            return []
        pause = due[0]
        pauses.take_probe(self._connection, pause, self._now)
        if pause.probe == "post":
            claimed = [replace(one, pause=pause) for one in self._one_to_post()]
        else:
            claimed = [Claimed(new_id("at"), Kind.PROBE, PROBED, self._now, pause=pause)]
        self._note(claimed)
        return claimed

    def _one_to_post(self) -> list[Claimed]:
        """The most urgent event that waits to be posted; a question would tell nothing of what may be posted."""
        lanes = pauses.paused_names(self._connection, self._destination, "lane")
        for lane in Lane:
            if lane.word in lanes:
                continue
            source = self._from_bulk if lane is Lane.BULK else self._from_lines
            posts = [one for one in source(lane, PROBES_AMONG) if one.kind is Kind.POST]
            if posts:
                return posts[:1]
        return []

    def _left(self, lane: Lane, *, scheduled: bool) -> int:
        if not scheduled:
            return self._places.for_lane(Lane.REVENUE, self._taken["all"], unscheduled=True)
        mine = {Lane.URGENT: 0, Lane.REVENUE: self._taken["revenue"]}.get(lane, self._taken["low"])
        return self._places.for_lane(lane, self._taken["all"], mine)

    def _count(self, lane: Lane, number: int, *, scheduled: bool) -> None:
        self._taken["all"] += number
        if scheduled and lane is not Lane.URGENT:
            self._taken["revenue" if lane is Lane.REVENUE else "low"] += number

    def _asking(self, most: int, lane: Lane) -> dict[str, Any]:
        return {"destination_name": self._destination, "its_lane": int(lane), "now": self._now, "most": most}

    def _from_lines(self, lane: Lane, most: int) -> list[Claimed]:
        return self._worth_sending(self._connection.execute(_HEADS, self._asking(most + AND_MORE, lane)).all(), most)

    def _from_bulk(self, lane: Lane, most: int) -> list[Claimed]:
        asking = self._asking(most + AND_MORE, lane)
        del asking["its_lane"]
        return self._worth_sending(self._connection.execute(_BULK, asking).all(), most)

    def _reads(self, lane: Lane, most: int) -> list[Claimed]:
        del lane
        asking = {"destination_name": self._destination, "now": self._now, "most": most}
        return [self._claimed(row, Kind.READ) for row in self._connection.execute(_UNCONFIRMED, asking)]

    def _questions(self, lane: Lane, most: int) -> list[Claimed]:
        again_at = self._now + ENDS_WITHIN + timedelta(seconds=1)
        found = unknown_subscribers.to_ask(self._connection, self._destination, self._now, most, again_at)
        return [Claimed(new_id("at"), Kind.ASK, subscriber, self._now, lane) for subscriber in found]

    def _worth_sending(self, rows: Sequence[Row[Any]], most: int) -> list[Claimed]:
        """Claims; what is expired is left to the next turn, which drops it, and so is what has to be set aside."""
        worth = [
            row
            for row in rows
            if (row.expires_at is None or row.expires_at > self._now) and row.source not in self._at_rest
        ]
        return self._without_unknown_subscribers(worth, most)

    def _without_unknown_subscribers(self, rows: Sequence[Row[Any]], most: int) -> list[Claimed]:
        """Claims; events of subscribers that Lumail does not know meet their fate instead, without asking it."""
        if not rows:
            return []
        names = unknown_subscribers.among(self._connection, self._destination, (row.subscriber for row in rows))
        foreign = [row for row in rows if row.subscriber in names and row.step == "post"]
        unknown_policies = {row.id: self._unknown_policy(EventType(row.type)) for row in foreign}
        ended = [row for row in foreign if unknown_policies[row.id] is not UnknownSubscriberPolicy.CREATED]
        if ended:
            self.held_back = True
            self._end(ended, unknown_policies)
        left = [
            row
            for row in rows
            if unknown_policies.get(row.id, UnknownSubscriberPolicy.CREATED) is UnknownSubscriberPolicy.CREATED
        ]
        later = self._after_the_first(left)
        if later and len(rows) == most + AND_MORE and len(later) == len(left):
            self._postpone(left)
        claimable = [row for row in left if row.id not in later][:most]
        self._tried |= {row.subscriber for row in claimable}
        return [
            self._claimed(row, Kind.CREATE if row.id in unknown_policies else _KINDS[row.step]) for row in claimable
        ]

    def _end(self, foreign: Sequence[Row[Any]], unknown_policies: Mapping[str, UnknownSubscriberPolicy]) -> None:
        known = events_of(self._connection, [row.id for row in foreign])
        moves: list[tuple[Event, EventChange]] = [
            (event, {"status": Status(unknown_policies[event.id].value), "reason": Reason.NOT_IN_LUMAIL})
            for event in known.values()
            if event.status == Status.WAITING
        ]
        for event in transitions.move(self._connection, self._destination, moves, self._now):
            if event.status in ENDED:
                duplicates.succeed(self._connection, event.id, self._now)

    def _after_the_first(self, rows: Sequence[Row[Any]]) -> frozenset[str]:
        """Events of a subscriber that nobody knows yet whether Lumail knows, but for one: its answer tells."""
        asked = {row.subscriber for row in rows if row.step != "post"}
        tried = self._tried | asked | unknown_subscribers.being_tried(self._connection, self._destination)
        known: dict[str, bool] = {}
        later: set[str] = set()
        for row in rows:
            subscriber = row.subscriber
            if row.step != "post":
                continue
            if subscriber not in tried:
                tried.add(subscriber)
                continue
            if subscriber not in known:
                known[subscriber] = unknown_subscribers.is_known(self._connection, self._destination, subscriber)
            if not known[subscriber]:
                later.add(row.id)
        return frozenset(later)

    def _postpone(self, rows: Sequence[Row[Any]]) -> None:
        """Nothing else is seen before these, so they step aside for a moment."""
        self.held_back = True
        transitions.postpone(self._connection, [(row.id, self._now + FIRST_ANSWER_WITHIN) for row in rows])
        lines.refresh(self._connection, self._destination, {(row.lane, row.subscriber) for row in rows})

    def _claimed(self, row: Row[Any], kind: Kind) -> Claimed:
        one = Claimed(
            attempt=new_id("at"),
            kind=kind,
            subscriber=row.subscriber,
            claimed_at=self._now,
            lane=Lane(row.lane),
            event=row.id,
            webhook=row.webhook,
            source=row.source,
            type=EventType(row.type),
            data=row.data,
            occurred_at=row.occurred_at,
            tries=row.tries,
            first_attempt_at=row.first_attempt_at or self._now,
            clock_offset_ms=row.clock_offset_ms,
            reason_detail=row.reason_detail,
            unconfirmed_at=row.unconfirmed_at,
            reads=row.reads,
            read_cursor=row.read_cursor,
            candidates=tuple(row.candidates or ()),
            waited=self._now - row.due_at,
        )
        return replace(one, sent=self._compose(one))

    def _note(self, claimed: Sequence[Claimed]) -> None:
        """Write the claims down: attempts, events on their way, lines that are closed meanwhile."""
        if not claimed:
            return
        posts = [one for one in claimed if one.kind is Kind.POST]
        others = [one for one in claimed if one.kind is not Kind.POST and one.event is not None]
        again_at = self._now + ENDS_WITHIN + timedelta(seconds=1)
        if posts:
            sent = [(one.event, one.attempt) for one in posts if one.event is not None]
            transitions.send(self._connection, sent, self._now)
        if others:  # were the answer lost, the question is asked again
            transitions.postpone(self._connection, [(one.event, again_at) for one in others if one.event is not None])
        self._close_lines([(one, None) for one in posts] + [(one, again_at) for one in others])
        self._connection.execute(_ADD_ATTEMPTS, [self._attempt(one) for one in claimed])
        budget.advance(self._connection, self._destination, self._now, self._places.limit, self._taken)

    def _close_lines(self, closed: Sequence[tuple[Claimed, datetime | None]]) -> None:
        rows = [
            {
                "destination_name": self._destination,
                "its_lane": int(one.lane),
                "its_subscriber": one.subscriber,
                "until": until,
            }
            for one, until in closed
            if one.lane is not Lane.BULK and one.kind is not Kind.READ
        ]
        if rows:
            self._connection.execute(_CLOSE_LINE, rows)

    def _attempt(self, one: Claimed) -> dict[str, Any]:
        return {
            "id": one.attempt,
            "destination": self._destination,
            "event": one.event,
            "kind": one.kind.value,
            "taken_at": self._now,
            "send_before": self._now + SEND_WITHIN,
            "ends_by": self._now + ENDS_WITHIN,
            "place_until": self._now + ENDS_WITHIN + WINDOW,
            "sent": one.sent or one.subscriber,
        }
