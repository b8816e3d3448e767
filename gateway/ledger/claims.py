"""What a drain does next at a destination, and what became of what it did: one transaction a turn.

All of it happens under the destination's writer lock and by the database's clock.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, insert, or_, select, text, update
from sqlalchemy import func as sql

from gateway.events import EventType, Lane
from gateway.ledger import budget, expiry, leases, lines, pauses, strangers
from gateway.ledger.budget import LONGEST_REQUEST, WINDOW, Learned, Places
from gateway.ledger.identity import new_id
from gateway.ledger.pauses import OpenPause, Pause
from gateway.ledger.schema import Instant, attempts, destinations, events
from gateway.ledger.schema import lines as line_rows

SEND_WITHIN = timedelta(seconds=5)
ENDS_WITHIN = LONGEST_REQUEST

MOST_BODY = 4_000
"""Characters of Lumail's answer that are kept with an attempt."""

SUPERSEDED = "superseded"
"""Why an event was dropped whose fact another event tells."""

ANSWER_LOST = "answer lost"
"""Why an event is held that Lumail may or may not have recorded."""

FIRST_READ_AFTER = timedelta(seconds=2)
"""How long after doubt arose Lumail is asked for the first time what it recorded."""

FIRST_ANSWER_WITHIN = timedelta(milliseconds=500)
"""How long further events wait while the first one of a subscriber finds out whether Lumail has it."""

AND_MORE = 8
"""Events that are looked at besides those wanted, since some may have to wait."""

PROBES_AMONG = 20
"""Events of a lane that are looked through for one that can be posted as a probe."""

PROBED = "gateway-probe@example.com"
"""Whom a probe asks for when it needs no event; whether Lumail has such a subscriber does not matter."""


class Kind(StrEnum):
    """What a request to Lumail is for."""

    POST = "event"  # Track Event
    READ = "read"  # has a doubtful event been recorded?
    ASK = "ask"  # is there such a subscriber?
    CREATE = "create"  # make the subscriber
    PROBE = "probe"  # does Lumail answer again?


@dataclass(frozen=True)
class Claimed:
    """A request that this drain, and nobody else, makes now; its attempt row stands already.

    `event` is None where no single event is concerned: a probe, or a question for a subscriber. `sent` is what goes
    out, for a POST its body. `pause` names the pause that the request probes.
    `waited` is how long it was due. `doubted_at`, `reads`, `read_cursor`, `candidates` say how far the search for a
    doubtful event has come, `clock_offset_ms` how
    far Lumail's clock was ahead when the event was first sent, None where that was not known.
    """

    attempt: str
    kind: Kind
    subscriber: str
    claimed_at: datetime
    lane: Lane = Lane.BULK
    event: str | None = None
    webhook: str = ""
    source: str = ""
    type: EventType = EventType.EMAIL_OPENED
    data: str = "{}"
    occurred_at: datetime | None = None
    tries: int = 0
    first_attempt_at: datetime | None = None
    clock_offset_ms: int | None = None
    last_error: str | None = None
    doubted_at: datetime | None = None
    reads: int = 0
    read_cursor: str | None = None
    candidates: tuple[str, ...] = ()
    waited: timedelta = timedelta(0)
    pause: OpenPause | None = None
    sent: str = ""


class Stranger(StrEnum):
    """What an answer tells about a subscriber whom Lumail may not know."""

    MET = "met"
    KNOWN = "known"
    UNKNOWN = "unknown"
    UNANSWERED = "unanswered"


@dataclass(frozen=True)
class Settlement:
    """What became of an attempt, and what follows.

    `changes` are the event's columns to set, None leaves the event as it is. `lumail_event_id` says that Lumail
    recorded it, `by_read` that this was found by reading back.
    `organization` is Lumail's id of it, to be kept; `trusted` says that the token was seen to be that organization's.
    `failed`: True counts into the run of failures that pauses a destination, False ends the run.
    """

    claimed: Claimed
    outcome: str
    http_status: int | None = None
    body: str | None = None
    error: str | None = None
    duration_ms: int | None = None
    changes: Mapping[str, Any] | None = None
    lumail_event_id: str | None = None
    recorded: bool = False
    organization: str | None = None
    trusted: bool = False
    by_read: bool = False
    failed: bool | None = None
    pause: Pause | None = None
    stranger: Stranger | None = None
    learned: Learned | None = None
    clock_offset_ms: int | None = None
    echo: bool | None = None
    read_lag_ms: int | None = None


@dataclass(frozen=True)
class Turn:
    """What a drain may do next. `leased` False: somebody else holds the destination now, send nothing new.

    `again`: something changed without a request, so another turn may claim more.
    """

    leased: bool
    claimed: tuple[Claimed, ...] = ()
    again: bool = False
    paused_anew: tuple[str, ...] = field(default=(), compare=False)


def turn(
    connection: Connection,
    destination: str,
    owner: str,
    now: datetime,
    *,
    settlements: Sequence[Settlement],
    wanted: int,
    limit: int,
    compose: Callable[[Claimed], str],
) -> Turn:
    """Write down what became of attempts, renew the lease and claim up to `wanted` requests within `limit` a minute.

    `compose` gives the text that is going to be sent for an event; it is kept with the attempt.
    """
    begun = settle(connection, destination, settlements, now)
    if not leases.renew(connection, destination, owner, now):
        if settlements:  # what follows from them is for the next drain to do, which did not know of it
            leases.wake(connection, destination, now)
        return Turn(leased=False, paused_anew=begun)
    doubt_lost(connection, destination, now)
    if wanted <= 0:
        return Turn(leased=True, paused_anew=begun)
    more_expired = expiry.drop_expired(connection, destination, now)
    found = budget.places(connection, destination, limit, now)
    closed = pauses.open_pauses(connection, destination, now)
    picker = _Picker(connection, destination, now, found, compose)
    if closed:
        return Turn(leased=True, claimed=tuple(picker.probes(closed)), paused_anew=begun)
    on_trial = habits(connection, destination).on_trial
    claimed = tuple(picker.pick_alone() if on_trial else picker.pick(wanted))
    return Turn(leased=True, claimed=claimed, again=picker.held_back or more_expired, paused_anew=begun)


def release(connection: Connection, destination: str, owner: str, now: datetime, limit: int) -> datetime | None:
    """Give the lease back, and note when the next drain is of use; returned, None where nothing waits."""
    wake_at = _next_use(connection, destination, now, limit)
    looks_at = None if wake_at is None else min(wake_at, now + leases.LONGEST_SLEEP)
    leases.give_back(connection, destination, owner, looks_at)
    return wake_at


# Claiming

_COLUMNS = tuple(
    events.c[name]
    for name in (
        *("id", "webhook", "source", "type", "subscriber", "data", "occurred_at", "lane", "tries", "first_attempt_at"),
        *("clock_offset_ms", "last_error", "step", "doubted_at", "reads", "read_cursor", "candidates", "due_at"),
        "expires_at",
    )
)


def _heads() -> Select[Any]:
    return (
        select(*_COLUMNS)
        .join_from(line_rows, events, events.c.id == line_rows.c.head)
        .where(
            line_rows.c.destination == bindparam("its_name"),
            line_rows.c.lane == bindparam("its_lane"),
            line_rows.c.due_at <= bindparam("now"),
            events.c.status == "waiting",
            events.c.source.not_in(bindparam("resting", expanding=True)),
        )
        .order_by(line_rows.c.due_at)
        .limit(bindparam("most"))
    )


def _is_waiting_bulk() -> ColumnElement[bool]:
    """Written as the partial index has it, so that it is used."""
    return and_(text("events.status = 'waiting'"), text("events.lane = 3"))


_HEADS = _heads()
_BULK = (
    select(*_COLUMNS)
    .where(
        events.c.destination == bindparam("its_name"),
        _is_waiting_bulk(),
        events.c.due_at <= bindparam("now"),
        events.c.source.not_in(bindparam("resting", expanding=True)),
    )
    .order_by(events.c.due_at, events.c.id)
    .limit(bindparam("most"))
)
_DOUBTFUL = (
    select(*_COLUMNS)
    .where(
        events.c.destination == bindparam("its_name"),
        text("events.status = 'unknown'"),
        events.c.due_at <= bindparam("now"),
    )
    .order_by(events.c.due_at)
    .limit(bindparam("most"))
)
_SENDING = (
    update(events)
    .where(events.c.id == bindparam("its_id"), events.c.status == "waiting")
    .values(
        status="delivering",
        attempt=bindparam("its_attempt"),
        first_attempt_at=sql.coalesce(events.c.first_attempt_at, bindparam("now", type_=Instant)),
        clock_offset_ms=sql.coalesce(
            events.c.clock_offset_ms,
            select(destinations.c.clock_offset_ms).where(destinations.c.name == events.c.destination).scalar_subquery(),
        ),
    )
)
_CLOSE_LINE = (
    update(line_rows)
    .where(
        line_rows.c.destination == bindparam("its_name"),
        line_rows.c.lane == bindparam("its_lane"),
        line_rows.c.subscriber == bindparam("its_subscriber"),
    )
    .values(due_at=bindparam("until", type_=Instant))
)
_ASKING = update(events).where(events.c.id == bindparam("its_id")).values(due_at=bindparam("until", type_=Instant))
_ADD_ATTEMPTS = insert(attempts)


class _Picker:
    """The claims of one turn, the most urgent first."""

    def __init__(
        self,
        connection: Connection,
        destination: str,
        now: datetime,
        found: Places,
        compose: Callable[[Claimed], str],
    ) -> None:
        self._connection = connection
        self._destination = destination
        self._now = now
        self._places = found
        self._compose = compose
        self._taken = {"all": 0, "revenue": 0, "low": 0}
        self._tried: set[str] = set()
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
        resting = pauses.paused_names(self._connection, self._destination, "source")
        return {
            "its_name": self._destination,
            "its_lane": int(lane),
            "now": self._now,
            "most": most,
            "resting": sorted(resting) or [""],
        }

    def _from_lines(self, lane: Lane, most: int) -> list[Claimed]:
        return self._worth_sending(self._connection.execute(_HEADS, self._asking(most + AND_MORE, lane)).all(), most)

    def _from_bulk(self, lane: Lane, most: int) -> list[Claimed]:
        asking = self._asking(most + AND_MORE, lane)
        del asking["its_lane"]
        return self._worth_sending(self._connection.execute(_BULK, asking).all(), most)

    def _reads(self, lane: Lane, most: int) -> list[Claimed]:
        del lane
        asking = {"its_name": self._destination, "now": self._now, "most": most}
        return [self._claimed(row, Kind.READ) for row in self._connection.execute(_DOUBTFUL, asking)]

    def _questions(self, lane: Lane, most: int) -> list[Claimed]:
        again_at = self._now + ENDS_WITHIN + timedelta(seconds=1)
        found = strangers.to_ask(self._connection, self._destination, self._now, most, again_at)
        return [Claimed(new_id("at"), Kind.ASK, subscriber, self._now, lane) for subscriber in found]

    def _worth_sending(self, rows: Sequence[Row[Any]], most: int) -> list[Claimed]:
        """Claims; what is expired is left to the next turn, which drops it."""
        worth = [row for row in rows if row.expires_at is None or row.expires_at > self._now]
        return self._without_strangers(worth, most)

    def _without_strangers(self, rows: Sequence[Row[Any]], most: int) -> list[Claimed]:
        """Claims; events of subscribers that Lumail does not know are held instead, without asking it."""
        if not rows:
            return []
        names = strangers.among(self._connection, self._destination, (row.subscriber for row in rows))
        foreign = [row for row in rows if row.subscriber in names and row.step == "post"]
        if foreign:
            self.held_back = True
            self._connection.execute(
                update(events)
                .where(events.c.id.in_([row.id for row in foreign]), events.c.status == "waiting")
                .values(status="held", reason=strangers.NOT_IN_LUMAIL, held_at=self._now)
            )
            lines.refresh(self._connection, self._destination, {(row.lane, row.subscriber) for row in foreign})
        kinds = {"post": Kind.POST, "ask": Kind.ASK, "create": Kind.CREATE}
        left = [row for row in rows if row.subscriber not in names or row.step != "post"]
        later = self._after_the_first(left)
        if later and len(rows) == most + AND_MORE and len(later) == len(left):
            self._postpone(left)
        claimable = [row for row in left if row.id not in later][:most]
        self._tried |= {row.subscriber for row in claimable}
        return [self._claimed(row, kinds[row.step]) for row in claimable]

    def _after_the_first(self, rows: Sequence[Row[Any]]) -> frozenset[str]:
        """Events of a subscriber that nobody knows yet whether Lumail knows, but for one: its answer tells."""
        under_way = strangers.being_tried(self._connection, self._destination, (row.subscriber for row in rows))
        tried = self._tried | under_way
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
                known[subscriber] = strangers.is_known(self._connection, self._destination, subscriber)
            if not known[subscriber]:
                later.add(row.id)
        return frozenset(later)

    def _postpone(self, rows: Sequence[Row[Any]]) -> None:
        """Nothing else is seen before these, so they step aside for a moment."""
        self.held_back = True
        self._connection.execute(
            _ASKING, [{"its_id": row.id, "until": self._now + FIRST_ANSWER_WITHIN} for row in rows]
        )
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
            last_error=row.last_error,
            doubted_at=row.doubted_at,
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
            self._connection.execute(
                _SENDING, [{"its_id": one.event, "its_attempt": one.attempt, "now": self._now} for one in posts]
            )
        if others:  # were the answer lost, the question is asked again
            self._connection.execute(_ASKING, [{"its_id": one.event, "until": again_at} for one in others])
        self._close_lines([(one, None) for one in posts] + [(one, again_at) for one in others])
        self._connection.execute(_ADD_ATTEMPTS, [self._attempt(one) for one in claimed])
        budget.advance(self._connection, self._destination, self._now, self._places.limit, self._taken)

    def _close_lines(self, closed: Sequence[tuple[Claimed, datetime | None]]) -> None:
        rows = [
            {
                "its_name": self._destination,
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


# Settling

_ANSWERED = (
    update(attempts)
    .where(attempts.c.id == bindparam("its_id"))
    .values(
        answered_at=bindparam("now", type_=Instant),
        outcome=bindparam("its_outcome"),
        status=bindparam("its_status"),
        body=bindparam("its_body"),
        error=bindparam("its_error"),
        duration_ms=bindparam("its_duration"),
        place_until=bindparam("until", type_=Instant),
    )
)
_RECORDED = (
    update(events)
    .where(events.c.id == bindparam("its_id"), events.c.status != "delivered")
    .values(
        status="delivered",
        reason=None,
        last_error=None,
        tries=events.c.tries + 1,
        settled_at=bindparam("now", type_=Instant),
        lumail_event_id=bindparam("its_lumail_id"),
        found_by_read=bindparam("its_by_read"),
        candidates=None,
    )
)


def settle(
    connection: Connection, destination: str, settlements: Sequence[Settlement], now: datetime
) -> tuple[str, ...]:
    """Write answers down; the reasons of pauses that begin with them.

    A success counts whenever it comes, also after its event was given up.
    """
    if not settlements:
        return ()
    connection.execute(_ANSWERED, [_answer(one, now) for one in settlements])
    _learn(connection, destination, settlements, now)
    _settle_recorded(connection, destination, [one for one in settlements if one.recorded], now)
    for one in settlements:
        if one.changes is not None and one.claimed.event is not None:
            _change(connection, one, now)
        if one.stranger is not None:
            _settle_stranger(connection, destination, one, now)
    changed = {
        (int(one.claimed.lane), one.claimed.subscriber)
        for one in settlements
        if one.claimed.event is not None and (one.recorded or one.changes)
    }
    lines.refresh(connection, destination, changed)
    return _settle_pauses(connection, destination, settlements, now)


def _answer(one: Settlement, now: datetime) -> dict[str, Any]:
    return {
        "its_id": one.claimed.attempt,
        "now": now,
        "until": now + WINDOW,
        "its_outcome": one.outcome,
        "its_status": one.http_status,
        "its_body": None if one.body is None else one.body[:MOST_BODY],
        "its_error": one.error,
        "its_duration": one.duration_ms,
    }


def _learn(connection: Connection, destination: str, settlements: Sequence[Settlement], now: datetime) -> None:
    told = [one.learned for one in settlements if one.learned is not None]
    if told:
        budget.learn(connection, destination, min(told, key=_remaining), now)
    values: dict[str, Any] = {}
    for one in settlements:
        if one.clock_offset_ms is not None:
            values["clock_offset_ms"] = one.clock_offset_ms
        if one.echo is not None:
            values["echo"] = one.echo
        if one.organization is not None:
            values["organization"] = one.organization
        if one.trusted:
            values["on_trial"] = False
        if one.read_lag_ms is not None:
            lag = one.read_lag_ms
            values["read_lag_ms"] = sql.coalesce(
                select(sql.max(destinations.c.read_lag_ms))
                .where(destinations.c.name == destination, destinations.c.read_lag_ms > lag)
                .scalar_subquery(),
                lag,
            )
    if values:
        connection.execute(update(destinations).where(destinations.c.name == destination).values(**values))


def _remaining(learned: Learned) -> float:
    return math.inf if learned.remaining is None else learned.remaining


def _settle_recorded(connection: Connection, destination: str, recorded: Sequence[Settlement], now: datetime) -> None:
    if not recorded:
        return
    ids = [one.lumail_event_id for one in recorded if one.lumail_event_id is not None]
    query = select(events.c.id, events.c.lumail_event_id, events.c.found_by_read).where(
        events.c.destination == destination, events.c.lumail_event_id.in_(ids)
    )
    holders = {row.lumail_event_id: row for row in connection.execute(query)}
    given: set[str] = set()
    rows = []
    for one in sorted(recorded, key=lambda one: one.by_read):
        lumail_id = one.lumail_event_id
        holder = holders.get(lumail_id) if lumail_id is not None else None
        if holder is not None and holder.id != one.claimed.event:
            if one.by_read:
                continue  # another's after all: the event stays in doubt
            if holder.found_by_read:
                _lose(connection, destination, holder.id, now)  # an answer knows better than a reader
            else:
                lumail_id = None  # one id for two of our events: the success is believed, the id is not
        if lumail_id in given:
            if one.by_read:
                continue
            lumail_id = None
        elif lumail_id is not None:
            given.add(lumail_id)
        rows.append({"its_id": one.claimed.event, "its_lumail_id": lumail_id, "its_by_read": one.by_read, "now": now})
    if rows:
        connection.execute(_RECORDED, rows)


def _lose(connection: Connection, destination: str, event: str, now: datetime) -> None:
    """What a read took for this event was another's: it is in doubt again."""
    lost = connection.execute(select(events.c.lane, events.c.subscriber).where(events.c.id == event)).one()
    connection.execute(
        update(events)
        .where(events.c.id == event)
        .values(
            status="unknown",
            lumail_event_id=None,
            found_by_read=False,
            settled_at=None,
            reads=0,
            read_cursor=None,
            due_at=now + FIRST_READ_AFTER,
        )
    )
    leases.wake(connection, destination, now + FIRST_READ_AFTER)
    lines.close(connection, destination, lost.lane, lost.subscriber, event)


def _change(connection: Connection, one: Settlement, now: datetime) -> None:
    mine = events.c.id == one.claimed.event
    if one.claimed.kind is Kind.POST:
        mine = and_(mine, events.c.status == "delivering", events.c.attempt == one.claimed.attempt)
    elif one.claimed.kind is Kind.READ:
        # Only what the search has come to meanwhile may go on: the event may have been sent again since.
        mine = and_(
            mine,
            events.c.status == "unknown",
            events.c.doubted_at.is_not_distinct_from(one.claimed.doubted_at),
            events.c.reads == one.claimed.reads,
            events.c.read_cursor.is_not_distinct_from(one.claimed.read_cursor),
        )
    else:
        mine = and_(mine, events.c.status == "waiting")
    changes = dict(one.changes or {})
    if changes.get("status") == "held":
        changes["held_at"] = now
    changed = connection.execute(update(events).where(mine).values(**changes))
    if changed.rowcount and changes.get("status") in ("failed", "dropped"):
        _succeed(connection, one, now)


def _succeed(connection: Connection, one: Settlement, now: datetime) -> None:
    """Where a fact was told twice and the telling that went out came to nothing, the other takes its place."""
    group = select(events.c.group).where(events.c.id == one.claimed.event).scalar_subquery()
    twins = connection.execute(
        select(events.c.id, events.c.destination, events.c.lane, events.c.subscriber)
        .where(
            events.c.group == group,
            events.c.status == "dropped",
            events.c.reason == SUPERSEDED,
            events.c.first_attempt_at.is_(None),
            events.c.subscriber.is_not(None),
        )
        .order_by(events.c.richness.desc(), events.c.id)
    ).all()
    live = connection.execute(
        select(sql.count()).where(events.c.group == group, events.c.status.not_in(("failed", "dropped")))
    ).scalar_one()
    if not twins or live:
        return
    heir = twins[0]
    connection.execute(
        update(events)
        .where(events.c.id == heir.id, events.c.status == "dropped")
        .values(status="waiting", reason=None, settled_at=None, due_at=now)
    )
    lines.refresh(connection, heir.destination, [(heir.lane, heir.subscriber)])
    leases.wake(connection, heir.destination, now)


def _settle_stranger(connection: Connection, destination: str, one: Settlement, now: datetime) -> None:
    subscriber = one.claimed.subscriber
    match one.stranger:
        case Stranger.MET:
            strangers.met(connection, destination, subscriber, now)
        case Stranger.KNOWN:
            strangers.found(connection, destination, subscriber, now)
        case Stranger.UNKNOWN:
            strangers.still_unknown(connection, destination, subscriber, now)
        case Stranger.UNANSWERED:
            strangers.ask_later(connection, destination, subscriber, now + timedelta(minutes=5))


FAILURES_THAT_PAUSE = 5
"""Failures in a row after which a destination is paused instead of every event failing for itself."""


def _settle_pauses(
    connection: Connection, destination: str, settlements: Iterable[Settlement], now: datetime
) -> tuple[str, ...]:
    begun: list[str] = []
    run: int | None = None
    for one in settlements:
        probed = one.claimed.pause
        if probed is not None:
            succeeded = one.failed is False and (one.pause is None or one.pause.until is None)
            pauses.conclude_probe(connection, probed.id, now, succeeded=succeeded, tries=probed.tries)
        lasts = one.pause is not None and (probed is None or one.pause.probe is None)
        if one.pause is not None and lasts and pauses.begin(connection, destination, one.pause, now):
            begun.append(one.pause.reason)
        if one.failed is not None:
            run = _run(connection, destination) if run is None else run
            run = run + 1 if one.failed else 0
    if run is None:
        return tuple(begun)
    connection.execute(update(destinations).where(destinations.c.name == destination).values(failures_run=run))
    if run >= FAILURES_THAT_PAUSE and not pauses.open_pauses(connection, destination, now):
        reason = f"{run} requests in a row failed or were not answered"
        pauses.begin(connection, destination, Pause(now + pauses.FIRST_WAIT, reason, probe="get"), now)
        begun.append(reason)
    return tuple(begun)


def _run(connection: Connection, destination: str) -> int:
    query = select(destinations.c.failures_run).where(destinations.c.name == destination)
    return int(connection.execute(query).scalar_one())


def doubt_lost(connection: Connection, destination: str, now: datetime) -> None:
    """Attempts that ran out of time without a word: their sender died, and nobody knows whether a byte had left."""
    query = select(attempts.c.id, attempts.c.event, attempts.c.kind, attempts.c.ends_by).where(
        attempts.c.destination == destination, text("attempts.outcome IS NULL"), attempts.c.ends_by <= now
    )
    lost = connection.execute(query).all()
    if not lost:
        return
    connection.execute(
        update(attempts)
        .where(attempts.c.id.in_([row.id for row in lost]))
        .values(outcome="lost", error="no answer was seen: the sender ended before it came")
    )
    for row in lost:
        if row.kind == Kind.POST:
            connection.execute(
                update(events)
                .where(events.c.id == row.event, events.c.status == "delivering", events.c.attempt == row.id)
                .values(
                    status="unknown",
                    reason=ANSWER_LOST,
                    doubted_at=row.ends_by,
                    reads=0,
                    read_cursor=None,
                    due_at=now + FIRST_READ_AFTER,
                )
            )


RESTORED = "the ledger was copied or restored: looked up before it is sent"
"""Why an event is in doubt that Lumail may have from this ledger's original."""


def doubt_all(connection: Connection, destination: str, now: datetime) -> int:
    """Have Lumail read back before anything is sent that the ledger's original may have delivered; how many events.

    Bulk that was never attempted is left out: there is too much of it to be asked for, and it moves no money.
    """
    connection.execute(
        update(attempts)
        .where(attempts.c.destination == destination, text("attempts.outcome IS NULL"))
        .values(outcome="lost", error="the ledger was copied or restored before its answer came")
    )
    doubted = connection.execute(
        update(events)
        .where(
            events.c.destination == destination,
            or_(
                events.c.status == "delivering",
                and_(
                    events.c.status == "waiting",
                    or_(events.c.lane != int(Lane.BULK), events.c.first_attempt_at.is_not(None)),
                ),
            ),
        )
        .values(
            status="unknown",
            reason=RESTORED,
            step="post",
            first_attempt_at=sql.coalesce(events.c.first_attempt_at, events.c.created_at),
            doubted_at=now,
            reads=0,
            read_cursor=None,
            due_at=now,
        )
    )
    connection.execute(update(line_rows).where(line_rows.c.destination == destination).values(due_at=None))
    return int(doubted.rowcount)


def owners(connection: Connection, destination: str, lumail_ids: Sequence[str]) -> Mapping[str, str]:
    """Which of these records of Lumail are events of ours: Lumail's id to ours."""
    query = select(events.c.lumail_event_id, events.c.id).where(
        events.c.destination == destination, events.c.lumail_event_id.in_(lumail_ids)
    )
    return {row.lumail_event_id: row.id for row in connection.execute(query)}


@dataclass(frozen=True)
class Habits:
    """What was seen of a destination's Lumail: whether it keeps extra keys, its clock, how long a read lags behind.

    `organization` is Lumail's id of it, None where no answer named it yet. `on_trial`: the token is new, and whether
    it is the same organization's was not seen yet.
    """

    echo: bool | None
    clock_offset: timedelta
    read_lag: timedelta
    organization: str | None = None
    on_trial: bool = False


def habits(connection: Connection, destination: str) -> Habits:
    row = connection.execute(
        select(
            destinations.c.echo,
            destinations.c.clock_offset_ms,
            destinations.c.read_lag_ms,
            destinations.c.organization,
            destinations.c.on_trial,
        ).where(destinations.c.name == destination)
    ).one()
    return Habits(
        row.echo,
        timedelta(milliseconds=row.clock_offset_ms or 0),
        timedelta(milliseconds=row.read_lag_ms or 0),
        row.organization,
        row.on_trial,
    )


_SENT = (
    select(attempts.c.sent)
    .where(attempts.c.event == bindparam("its_event"), attempts.c.kind == Kind.POST.value, attempts.c.sent.is_not(None))
    .order_by(attempts.c.id)
)


def sent_for(connection: Connection, event: str) -> list[str]:
    """What each attempt to post the event sent, or was to send."""
    return list(connection.execute(_SENT, {"its_event": event}).scalars())


# When the next drain is of use

_NEXT_READ = select(sql.min(events.c.due_at)).where(
    events.c.destination == bindparam("its_name"), text("events.status = 'unknown'")
)


def _next_use(connection: Connection, destination: str, now: datetime, limit: int) -> datetime | None:
    lanes = pauses.paused_names(connection, destination, "lane")
    sources = pauses.paused_names(connection, destination, "source")
    wanted = [
        max(due, budget.next_place(connection, destination, limit, now, lane))
        for lane in Lane
        if lane.word not in lanes and (due := _next_due(connection, destination, lane, sources)) is not None
    ]
    read_at = connection.execute(_NEXT_READ, {"its_name": destination}).scalar_one()
    if read_at is not None:
        free_at = budget.next_place(connection, destination, limit, now, Lane.REVENUE, unscheduled=True)
        wanted.append(max(read_at, free_at))
    ask_at = strangers.next_question(connection, destination)
    if ask_at is not None:
        wanted.append(max(ask_at, budget.next_place(connection, destination, limit, now, Lane.STANDARD)))
    closed = pauses.open_pauses(connection, destination, now)
    if closed and wanted:
        ends = [one.until for one in closed]
        wanted = [] if None in ends else [max(min(wanted), *(end for end in ends if end is not None))]
    lost = connection.execute(
        select(sql.min(attempts.c.ends_by)).where(
            attempts.c.destination == destination, text("attempts.outcome IS NULL")
        )
    ).scalar_one()
    return min([*wanted, *([lost] if lost is not None else [])], default=None)


def _next_due(connection: Connection, destination: str, lane: Lane, resting: frozenset[str]) -> datetime | None:
    """Events of sources that rest are looked at only where there are such: that costs a look at each of them."""
    if lane is Lane.BULK:
        query = select(sql.min(events.c.due_at)).where(events.c.destination == destination, _is_waiting_bulk())
    else:
        query = select(sql.min(line_rows.c.due_at)).where(
            line_rows.c.destination == destination, line_rows.c.lane == int(lane)
        )
        if resting:
            query = query.join_from(line_rows, events, events.c.id == line_rows.c.head)
    if resting:
        query = query.where(events.c.source.not_in(sorted(resting)))
    due: datetime | None = connection.execute(query).scalar_one()
    return due
