"""What of the ledger may need a person, beyond what the overview counts: since when, and for which cause."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, select, text
from sqlalchemy import func as sql

from gateway.events import Lane
from gateway.ledger import words
from gateway.ledger.facts.dismissals import Kind, is_dismissed
from gateway.ledger.schema import (
    Instant,
    destinations,
    events,
    groups,
    pauses,
    reason_is,
    rejections,
    status_is,
    webhooks,
)
from gateway.ledger.status import Reason, Status
from gateway.ledger.views import counters
from gateway.ledger.views.counters import Measure

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class OpenPause:
    """A pause in force, of a destination, or of a lane or source of one. `until` None: until somebody resumes it."""

    scope: str
    destination: str
    name: str
    kind: str
    why: str
    since: datetime
    until: datetime | None
    probed: bool


@dataclass(frozen=True)
class Refused:
    """Requests to a source that were turned away since its last proven webhook; `causes` the most frequent first."""

    source: str
    count: int
    causes: tuple[str, ...]
    since: datetime


def open_pauses(connection: Connection, now: datetime) -> tuple[OpenPause, ...]:
    query = select(pauses).where(text("pauses.ended_at IS NULL")).order_by(pauses.c.destination, pauses.c.made_at)
    return tuple(
        OpenPause(
            row.scope,
            row.destination,
            row.name,
            row.kind,
            words.of_pause(row.kind, row.details),
            row.made_at,
            row.until,
            row.probe is not None,
        )
        for row in connection.execute(query)
        if row.until is None or row.until > now or (row.probe is not None and row.scope == "destination")
    )


def refused(connection: Connection, last_proven: Mapping[str, datetime | None]) -> tuple[Refused, ...]:
    """Of each source what came since its last webhook that was proven; of the newest that are kept."""
    found = []
    for source, proven in last_proven.items():
        query = (
            select(rejections.c.cause, sql.sum(rejections.c.count), sql.min(rejections.c.at, type_=Instant))
            .where(rejections.c.source == source, rejections.c.proven_at.is_(None))
            .group_by(rejections.c.cause)
        )
        if proven is not None:
            query = query.where(rejections.c.at > proven)
        rows = sorted(connection.execute(query), key=lambda row: (-row[1], row[0]))
        if rows:
            causes = tuple(cause for cause, _, _ in rows)
            found.append(Refused(source, sum(int(n) for _, n, _ in rows), causes, min(at for _, _, at in rows)))
    return tuple(found)


def unavailable(connection: Connection, now: datetime) -> dict[str, dict[str, int]]:
    """How often each source was answered 503 within the last hour, by cause."""
    return counters.totals(connection, Measure.UNAVAILABLE, now, HOUR)


def oldest_of(connection: Connection, names: Iterable[str], status: Status) -> dict[str, datetime]:
    """When the oldest event of this status was made, by destination."""
    found = {}
    for name in names:
        made = connection.execute(_OLDEST, {"destination_name": name, "of_status": status.value}).one()
        at = min((one for one in made if one is not None), default=None)
        if at is not None:
            found[name] = at
    return found


def oldest_quarantined(connection: Connection, sources: Iterable[str]) -> dict[str, datetime]:
    """When the oldest webhook in quarantine came that nobody set aside, by source."""
    found = {name: connection.execute(_QUARANTINED, {"of_source": name}).scalar_one_or_none() for name in sources}
    return {name: at for name, at in found.items() if at is not None}


def oldest_undecided(connection: Connection) -> datetime | None:
    at: datetime | None = connection.execute(_UNDECIDED).scalar_one()
    return at


def oldest_heard(connection: Connection) -> datetime | None:
    at: datetime | None = connection.execute(_HEARD).scalar_one()
    return at


def lumail_clocks(connection: Connection) -> dict[str, timedelta]:
    """How far Lumail's clock is ahead of the ledger's, by destination, where an answer told."""
    query = select(destinations.c.name, destinations.c.clock_offset_ms).where(
        destinations.c.clock_offset_ms.is_not(None)
    )
    return {name: timedelta(milliseconds=offset) for name, offset in connection.execute(query)}


_OLDEST: Any = select(
    *(
        select(sql.min(events.c.created_at, type_=Instant))
        .where(
            events.c.destination == bindparam("destination_name"),
            events.c.status == bindparam("of_status"),
            events.c.lane == int(lane),
        )
        .scalar_subquery()
        for lane in Lane
    )
)
_QUARANTINED: Any = (
    select(webhooks.c.received_at)
    .where(
        text("webhooks.quarantined > 0"),
        webhooks.c.source == bindparam("of_source"),
        ~is_dismissed(Kind.WEBHOOK, webhooks.c.id),
    )
    .order_by(webhooks.c.received_at)
    .limit(1)
)
_UNDECIDED: Any = select(sql.min(events.c.held_at, type_=Instant)).where(
    status_is(Status.HELD), reason_is(Reason.ANSWER_LOST)
)
_HEARD: Any = select(sql.min(groups.c.heard_at, type_=Instant)).where(text("groups.heard_at IS NOT NULL"))
