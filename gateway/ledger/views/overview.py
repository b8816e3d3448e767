"""How things stand: what waits at each destination, what each source brought, and what only a person can put right."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy import func as sql

from gateway.events import Lane
from gateway.ledger import heartbeats, words
from gateway.ledger.facts import currencies, incidents
from gateway.ledger.facts.dismissals import Kind, is_dismissed
from gateway.ledger.facts.incidents import Incident
from gateway.ledger.jobs import privacy_requests
from gateway.ledger.scheduling import pauses as pauses_of
from gateway.ledger.scheduling.budget import places_taken
from gateway.ledger.scheduling.schedules import LOW_SHARE
from gateway.ledger.scheduling.standing import WINDOW
from gateway.ledger.schema import (
    Instant,
    attempts,
    destinations,
    events,
    groups,
    lines,
    pauses,
    reason_is,
    rejections,
    status_is,
    webhooks,
)
from gateway.ledger.status import UNSETTLED, Reason, Status
from gateway.ledger.views import counters
from gateway.ledger.views.counters import Measure
from gateway.ledger.views.forecast import through

DAY = timedelta(hours=24)

PATIENCE = timedelta(hours=1)
"""An erasure takes minutes; one that takes longer is told."""

SHOWN = 5
"""Incidents that are shown by name."""

MOST_COUNTED = 10_000
"""Webhooks in quarantine, held events and payments that are counted; more are told as so many."""

SETTLES_IN = timedelta(seconds=15)
"""How long the oldest event may be due until what leaves tells more than the plan does."""

LOOKED_AT = timedelta(minutes=2)
"""Over which it is counted what leaves."""


@dataclass(frozen=True)
class Halt:
    """Why a destination or source rests, in words and by its code; `until` None: until somebody resumes it."""

    reason: str
    reason_code: str
    until: datetime | None
    since: datetime


@dataclass(frozen=True)
class DestinationState:
    """`state` is running, paced (the plan is used up for the moment) or paused.

    `backlog` counts waiting events by the lane's word, `through` says when the last of them will leave, None where
    nothing waits or nobody knows: it is paused. `resting` are lanes and sources that somebody paused.
    `oldest_due_at` is the due time of the one that is longest
    overdue, None where none is. Numbers of thousands are up to two minutes old.
    """

    name: str
    state: str
    halt: Halt | None
    requests_per_minute: int | None
    requests_last_minute: int
    backlog: Mapping[str, int]
    through: Mapping[str, datetime | None]
    oldest_due_at: datetime | None
    resting: tuple[str, ...]
    delivering: int
    unknown: int
    held: int
    failed: int


@dataclass(frozen=True)
class SourceState:
    """`outcomes` counts the webhooks of the last 24 hours by their word, as it was when they were counted.

    `rejected` counts requests of that time that the door turned away, `quarantined` all webhooks that still are and
    that nobody set aside, up to MOST_COUNTED.
    """

    name: str
    last_webhook_at: datetime | None
    outcomes: Mapping[str, int]
    rejected: int
    quarantined: int


@dataclass(frozen=True)
class Unknown:
    """Requests of the last 24 hours to a path that no source has, and that nobody set aside; `at` is the newest's time,
    `since` the oldest's.
    """

    path: str
    count: int
    at: datetime
    since: datetime


@dataclass(frozen=True)
class Overview:
    """`undecided` are held events that Lumail may have, up to MOST_COUNTED; `incidents` the newest facts that Lumail
    heard twice. `heard_only` are payments that for a day no telling made which makes payments, up to MOST_COUNTED,
    `requests` the demands for a copy of somebody's data that nobody has met, `late_erasures` those to erase somebody
    that are older than PATIENCE, `mixed` destinations that are told of money in several currencies.
    """

    at: datetime
    destinations: tuple[DestinationState, ...]
    sources: tuple[SourceState, ...]
    unknown_paths: tuple[Unknown, ...] = field(default=())
    incidents: tuple[Incident, ...] = field(default=())
    incident_count: int = 0
    requests: tuple[privacy_requests.OpenRequest, ...] = ()
    late_erasures: int = 0
    undecided: int = 0
    heard_only: int = 0
    mixed: tuple[currencies.Mixed, ...] = ()


_LAST = select(sql.max(webhooks.c.received_at)).where(webhooks.c.source == bindparam("destination_name"))
_QUARANTINED = select(sql.count()).select_from(
    select(literal_column("1"))
    .where(
        text("webhooks.quarantined > 0"),
        webhooks.c.source == bindparam("destination_name"),
        ~is_dismissed(Kind.WEBHOOK, webhooks.c.id),
    )
    .limit(bindparam("most"))
    .subquery()
)
_HEARD_ONLY = select(sql.count()).select_from(
    select(literal_column("1"))
    .where(text("groups.heard_at IS NOT NULL"), groups.c.heard_at <= bindparam("since", type_=Instant))
    .limit(bindparam("most"))
    .subquery()
)
_UNDECIDED = select(sql.count()).select_from(
    select(literal_column("1"))
    .select_from(events)
    .where(status_is(Status.HELD), reason_is(Reason.ANSWER_LOST))
    .limit(bindparam("most"))
    .subquery()
)


def overview(
    connection: Connection,
    now: datetime,
    plans: Mapping[str, int],
    sources: Iterable[str],
    mixing: Mapping[str, str | None] | None = None,
) -> Overview:
    """How things stand. `plans` are the configured destinations with their requests a minute, `mixing` those that may
    not mix currencies before somebody decided it, with their own.

    What the ledger holds of destinations and sources that are no longer configured is shown besides.
    """
    return Overview(
        at=now,
        destinations=destinations_now(connection, now, plans),
        sources=_sources(connection, now, sources),
        unknown_paths=_unknown_paths(connection, now),
        incidents=tuple(incidents.newest(connection, SHOWN)),
        incident_count=incidents.count(connection, MOST_COUNTED),
        requests=tuple(privacy_requests.open_requests(connection)),
        late_erasures=privacy_requests.count_late_erasures(connection, now - PATIENCE),
        undecided=connection.execute(_UNDECIDED, {"most": MOST_COUNTED}).scalar_one(),
        heard_only=connection.execute(_HEARD_ONLY, {"most": MOST_COUNTED, "since": now - DAY}).scalar_one(),
        mixed=currencies.undecided(connection, mixing or {}),
    )


def destinations_now(connection: Connection, now: datetime, plans: Mapping[str, int]) -> tuple[DestinationState, ...]:
    """Each destination as it stands; those no longer configured only while they have unsettled events."""
    held = [name for name in _names(connection, events.c.destination) if name not in plans]
    counts = {name: counters.by_state(connection, name, UNSETTLED) for name in [*plans, *held]}
    gone = [name for name in held if any(counts[name].values())]
    return tuple(_destination(connection, now, name, plans.get(name), counts[name]) for name in [*plans, *gone])


def _names(connection: Connection, column: ColumnElement[str]) -> list[str]:
    """The different values of a column that an index begins with, each found by one look."""
    found: list[str] = []
    name = connection.execute(select(sql.min(column))).scalar_one()
    while name is not None:
        found.append(name)
        name = connection.execute(select(sql.min(column)).where(column > name)).scalar_one()
    return found


def _destination(
    connection: Connection,
    now: datetime,
    name: str,
    plan: int | None,
    counts: Mapping[tuple[str, int], int],
) -> DestinationState:
    backlog = {lane.word: counts[Status.WAITING, int(lane)] for lane in Lane}

    def total(status: str) -> int:
        return sum(counts[status, int(lane)] for lane in Lane)

    taken = and_(attempts.c.destination == name, attempts.c.place_until > now)
    halt = halted(connection, now, name, "destination")
    oldest = _oldest_due(connection, now, name)
    used_up = plan is not None and oldest is not None and _count(connection, attempts, taken) >= plan
    lanes, sources = (pauses_of.paused_names(connection, name, scope) for scope in ("lane", "source"))
    return DestinationState(
        name=name,
        state="paused" if halt is not None else "paced" if used_up else "running",
        halt=halt,
        requests_per_minute=plan,
        requests_last_minute=_count(connection, attempts, and_(taken, attempts.c.taken_at > now - WINDOW)),
        backlog=backlog,
        through=dict.fromkeys(backlog)
        if plan is None or halt is not None
        else _through(connection, DestinationsPlan(name, plan, oldest), backlog, lanes, now),
        oldest_due_at=oldest,
        resting=(*(f"lane {lane}" for lane in sorted(lanes)), *(f"source {source}" for source in sorted(sources))),
        delivering=total(Status.DELIVERING),
        unknown=total(Status.UNKNOWN),
        held=total(Status.HELD),
        failed=total(Status.FAILED),
    )


@dataclass(frozen=True)
class DestinationsPlan:
    """A destination, its requests a minute, and since when something has been due there all the time."""

    name: str
    plan: int
    busy_since: datetime | None


def _through(
    connection: Connection, of: DestinationsPlan, backlog: Mapping[str, int], resting: frozenset[str], now: datetime
) -> dict[str, datetime | None]:
    """By what has really left since there was something to send; None where nothing does."""
    learned = connection.execute(
        select(destinations.c.limit_learned).where(destinations.c.name == of.name)
    ).scalar_one_or_none()
    limit = min(of.plan, learned or of.plan)
    pace = _pace(connection, of, limit, now)
    if pace is None:
        return dict.fromkeys(backlog)
    free = max(0, limit - places_taken(connection, of.name, now)) if pace == limit else 0
    return through(backlog, pace, free, now, resting)


def _pace(connection: Connection, of: DestinationsPlan, limit: int, now: datetime) -> float | None:
    """Requests a minute of which events really leave so many; None where nobody sends, or nothing leaves."""
    if not any(one.identity.role == heartbeats.WORKER for one in heartbeats.alive(connection, now)):
        return None
    busy = timedelta(0) if of.busy_since is None else now - of.busy_since
    if busy < SETTLES_IN:
        return limit
    since = now - min(busy, LOOKED_AT)
    recorded = and_(
        attempts.c.destination == of.name,
        attempts.c.place_until > since,
        attempts.c.answered_at > since,
        attempts.c.outcome == "recorded",
        attempts.c.kind == "event",
    )
    left = _count(connection, attempts, recorded)
    a_minute = left * timedelta(minutes=1) / (now - since)
    return None if left == 0 else min(limit, a_minute / LOW_SHARE)


def halted(connection: Connection, now: datetime, destination: str, scope: str) -> Halt | None:
    """The pause of this scope that lasts longest, None where there is none."""
    query = select(pauses.c.kind, pauses.c.details, pauses.c.until, pauses.c.made_at).where(
        pauses.c.destination == destination,
        pauses.c.scope == scope,
        pauses.c.ended_at.is_(None),
        or_(pauses.c.until.is_(None), pauses.c.until > now),
    )
    found = [
        Halt(words.of_pause(row.kind, row.details), row.kind, row.until, row.made_at)
        for row in connection.execute(query)
    ]
    return max(found, key=lambda halt: (halt.until is None, halt.until), default=None)


def _oldest_due(connection: Connection, now: datetime, destination: str) -> datetime | None:
    """Through the heads of lines and the index of the bulk lane, so that a long backlog costs nothing."""
    heads = select(sql.min(lines.c.due_at)).where(lines.c.destination == destination, lines.c.due_at <= now)
    bulk = select(sql.min(events.c.due_at)).where(
        events.c.destination == destination,
        status_is(Status.WAITING),
        text("events.lane = 3"),
        events.c.due_at <= now,
    )
    found = [connection.execute(query).scalar_one() for query in (heads, bulk)]
    return min((instant for instant in found if instant is not None), default=None)


def _sources(connection: Connection, now: datetime, configured: Iterable[str]) -> tuple[SourceState, ...]:
    outcomes = counters.totals(connection, Measure.RECEIVED, now)
    rejected = counters.totals(connection, Measure.REJECTED, now)
    return tuple(
        SourceState(
            name=name,
            last_webhook_at=connection.execute(_LAST, {"destination_name": name}).scalar_one(),
            outcomes=outcomes.get(name, {}),
            rejected=sum(rejected.get(name, {}).values()),
            quarantined=connection.execute(_QUARANTINED, {"destination_name": name, "most": MOST_COUNTED}).scalar_one(),
        )
        for name in dict.fromkeys([*configured, *_names(connection, webhooks.c.source)])
    )


def _unknown_paths(connection: Connection, now: datetime) -> tuple[Unknown, ...]:
    query = (
        select(rejections.c.path, sql.sum(rejections.c.count), sql.max(rejections.c.at), sql.min(rejections.c.at))
        .where(rejections.c.source.is_(None), rejections.c.at > now - DAY, ~is_dismissed(Kind.PATH, rejections.c.path))
        .group_by(rejections.c.path)
        .order_by(sql.sum(rejections.c.count).desc(), rejections.c.path)
        .limit(5)
    )
    return tuple(Unknown(path or "", int(count), *times) for path, count, *times in connection.execute(query))


def _count(connection: Connection, table: Table, condition: ColumnElement[bool]) -> int:
    return int(connection.execute(select(sql.count()).select_from(table).where(condition)).scalar_one())
