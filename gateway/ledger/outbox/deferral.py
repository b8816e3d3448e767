"""Events of a source that rests: set aside, so that no claim passes over them, and brought back once it goes on.

Bulk is set aside event by event, other lanes line by line: `due_at` becomes an instant in a far age that belongs to
the one pause. So neither costs a claim anything, however many there are, and each pause finds its own again.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, and_, bindparam, select, text, update
from sqlalchemy import func as sql

from gateway.events import Lane
from gateway.ledger.outbox import transitions
from gateway.ledger.scheduling import pauses
from gateway.ledger.scheduling.pauses import SourceAtRest
from gateway.ledger.schema import Instant, events, lines, status_is
from gateway.ledger.status import Status

STEP = 500
"""Events that are set aside or brought back in one turn at the most, so that nobody waits long for the writer lock."""

LOOK = 50
"""Due events among which one of a source at rest is looked for: at least as many as a claim looks at."""

AGES = datetime(3000, 1, 1, tzinfo=UTC)
"""What is due from here on is due when its source goes on."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_WAITING_BULK = and_(  # written as the partial index has it, so that it is used
    events.c.destination == bindparam("destination_name"), status_is(Status.WAITING), text("events.lane = 3")
)
_DUE_BULK = (
    select(events.c.id, events.c.source)
    .where(_WAITING_BULK, events.c.due_at <= bindparam("now"))
    .order_by(events.c.due_at, events.c.id)
    .limit(bindparam("most"))
)
_DUE_LINES = (
    select(lines.c.lane, lines.c.subscriber, lines.c.head, events.c.source)
    .join_from(lines, events, events.c.id == lines.c.head)
    .where(
        lines.c.destination == bindparam("destination_name"),
        lines.c.lane == bindparam("its_lane"),
        lines.c.due_at <= bindparam("now"),
    )
    .order_by(lines.c.due_at)
    .limit(bindparam("most"))
)
_SET_LINE = (
    update(lines)
    .where(
        lines.c.destination == bindparam("destination_name"),
        lines.c.lane == bindparam("its_lane"),
        lines.c.subscriber == bindparam("its_subscriber"),
    )
    .values(due_at=bindparam("until", type_=Instant))
)
_BULK_ASIDE = (
    select(events.c.id)
    .where(_WAITING_BULK, events.c.due_at == bindparam("aside", type_=Instant))
    .order_by(events.c.id)
    .limit(STEP)
)
_DEFERRED_LINES = (
    select(lines.c.subscriber, events.c.due_at)
    .join_from(lines, events, events.c.id == lines.c.head)
    .where(
        lines.c.destination == bindparam("destination_name"),
        lines.c.lane == bindparam("its_lane"),
        lines.c.due_at == bindparam("aside", type_=Instant),
    )
    .limit(STEP)
)


def is_deferred(due_at: datetime) -> bool:
    return due_at >= AGES


def instant_of(rest: SourceAtRest) -> datetime:
    """The one at which the events of this pause are due."""
    return AGES + (rest.made_at - _EPOCH)


def defer_and_restore(connection: Connection, destination: str, now: datetime) -> bool:
    """A step of setting aside and bringing back; whether there may be more. Nothing to look at if no source rests."""
    at_rest = pauses.sources_at_rest(connection, destination)
    if not at_rest:
        return False
    more = False
    for ended in [one for one in at_rest if one.ends]:
        more = _bring_back(connection, destination, ended, now) or more
    until = {one.name: instant_of(one) for one in at_rest if not one.ends}
    for lane in Lane if until else ():
        move = _defer_bulk if lane is Lane.BULK else _defer_lines
        asked = {"destination_name": destination, "its_lane": int(lane), "now": now}
        more = move(connection, asked, until) or more
    return more


def _defer_bulk(connection: Connection, asked: dict[str, object], until: dict[str, datetime]) -> bool:
    asked = {name: value for name, value in asked.items() if name != "its_lane"}
    if not any(row.source in until for row in connection.execute(_DUE_BULK, {**asked, "most": LOOK})):
        return False
    due = connection.execute(_DUE_BULK, {**asked, "most": STEP}).all()
    transitions.postpone(connection, [(row.id, until[row.source]) for row in due if row.source in until])
    return True


def _defer_lines(connection: Connection, asked: dict[str, object], until: dict[str, datetime]) -> bool:
    if not any(row.source in until for row in connection.execute(_DUE_LINES, {**asked, "most": LOOK})):
        return False
    due = connection.execute(_DUE_LINES, {**asked, "most": STEP}).all()
    mine = [(row.subscriber, until[row.source]) for row in due if row.source in until]
    _set_lines(connection, asked, mine)
    return True


def _set_lines(connection: Connection, asked: dict[str, object], due: Sequence[tuple[str, datetime]]) -> None:
    place = {name: asked[name] for name in ("destination_name", "its_lane")}
    connection.execute(
        _SET_LINE, [{**place, "its_subscriber": subscriber, "until": instant} for subscriber, instant in due]
    )


def _bring_back(connection: Connection, destination: str, rest: SourceAtRest, now: datetime) -> bool:
    """A step of it; the pause is over with the last."""
    asked: dict[str, object] = {"destination_name": destination, "aside": instant_of(rest)}
    most = transitions.postpone_all(connection, _BULK_ASIDE, now, **asked)
    for lane in (Lane.URGENT, Lane.REVENUE, Lane.STANDARD):
        mine = {**asked, "its_lane": int(lane)}
        found = connection.execute(_DEFERRED_LINES, mine).all()
        if found:
            _set_lines(connection, mine, [(row.subscriber, row.due_at) for row in found])
        most = max(most, len(found))
    if most < STEP:
        pauses.end(connection, rest.id)
    return most == STEP


_NEXT_BULK = select(sql.min(events.c.due_at)).where(_WAITING_BULK, events.c.due_at < AGES)
_NEXT_IN_LINES = select(sql.min(lines.c.due_at)).where(
    lines.c.destination == bindparam("destination_name"), lines.c.lane == bindparam("its_lane"), lines.c.due_at < AGES
)


def next_due(connection: Connection, destination: str, lane: Lane) -> datetime | None:
    """When the next event of a lane is due that is not set aside."""
    asked = {"destination_name": destination}
    found: datetime | None = (
        connection.execute(_NEXT_BULK, asked).scalar_one()
        if lane is Lane.BULK
        else connection.execute(_NEXT_IN_LINES, {**asked, "its_lane": int(lane)}).scalar_one()
    )
    return found
