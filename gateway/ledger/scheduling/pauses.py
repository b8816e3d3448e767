"""Pauses: why a destination sends nothing for a while, and the one request that finds out whether it may again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, insert, select, update

from gateway.ledger import words
from gateway.ledger.identity import new_id
from gateway.ledger.schema import pauses
from gateway.ledger.status import PauseKind

PROBE_WITHIN = timedelta(seconds=25)
"""How long a probe may take before another is sent."""

FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=5)


@dataclass(frozen=True)
class Pause:
    """A pause to begin. `probe`: ``get`` or ``post`` is the request that ends it by its success, None: its end does.

    `until` None: until somebody resumes. `details` are what the words of this kind of pause name.
    """

    until: datetime | None
    kind: PauseKind
    details: Mapping[str, Any] = field(default_factory=dict)
    probe: str | None = None


@dataclass(frozen=True)
class OpenPause:
    """A pause that is in force. `until` None: until somebody resumes; with a probe: when the next is due."""

    id: str
    kind: str
    details: Mapping[str, Any]
    probe: str | None
    until: datetime | None
    tries: int

    @property
    def ends_by_success_only(self) -> bool:
        """Whether only an event that is recorded ends it, and not each answer that Lumail is well."""
        return self.probe == "post"

    @property
    def reason(self) -> str:
        return words.of_pause(self.kind, self.details)


_OPEN = (
    select(
        *(pauses.c[name] for name in ("id", "kind", "details", "probe", "until", "tries", "scope", "name", "made_at"))
    )
    .where(pauses.c.destination == bindparam("destination_name"), pauses.c.ended_at.is_(None))
    .order_by(pauses.c.made_at)
)


def open_pauses(connection: Connection, destination: str, now: datetime) -> list[OpenPause]:
    """What keeps the whole destination from sending."""
    found = [row for row in connection.execute(_OPEN, {"destination_name": destination}) if row.scope == "destination"]
    return [_open_pause(row) for row in found if row.probe is not None or row.until is None or row.until > now]


def _open_pause(row: Any) -> OpenPause:
    return OpenPause(row.id, row.kind, row.details, row.probe, row.until, row.tries)


def paused_names(connection: Connection, destination: str, scope: str) -> frozenset[str]:
    """The lanes or sources of a destination that rest until somebody resumes them."""
    found = connection.execute(_OPEN, {"destination_name": destination})
    return frozenset(row.name for row in found if row.scope == scope and row.until is None)


@dataclass(frozen=True)
class SourceAtRest:
    """The pause of a source. `ends`: somebody resumed it, and what was set aside meanwhile has to be brought back."""

    id: str
    name: str
    made_at: datetime
    ends: bool


def sources_at_rest(connection: Connection, destination: str) -> list[SourceAtRest]:
    found = [row for row in connection.execute(_OPEN, {"destination_name": destination}) if row.scope == "source"]
    return [SourceAtRest(row.id, row.name, row.made_at, row.until is not None) for row in found]


def begin(connection: Connection, destination: str, pause: Pause, now: datetime) -> bool:
    """Pause the destination; one with the same probe goes on instead. Whether it is a new one."""
    over = and_(
        pauses.c.destination == destination,
        pauses.c.scope == "destination",
        pauses.c.probe.is_(None),
        pauses.c.until <= now,
    )
    connection.execute(update(pauses).where(over, pauses.c.ended_at.is_(None)).values(ended_at=pauses.c.until))
    for one in open_pauses(connection, destination, now):
        if one.until is None and (one.kind, one.details) == (pause.kind, pause.details):
            return False
        if one.probe == pause.probe and one.until is not None and pause.until is not None:
            until = max(one.until, pause.until) if pause.probe is None else one.until
            connection.execute(update(pauses).where(pauses.c.id == one.id).values(until=until))
            return False
    connection.execute(
        insert(pauses).values(
            id=new_id("pa"),
            scope="destination",
            destination=destination,
            name=destination,
            kind=pause.kind,
            details=pause.details,
            probe=pause.probe,
            made_at=now,
            until=pause.until,
        )
    )
    return True


@dataclass(frozen=True)
class Scope:
    """What rests: a destination, or one lane or source of it. `name` is that of the destination, lane or source."""

    kind: str
    destination: str
    name: str


def rest(connection: Connection, scope: Scope, details: Mapping[str, Any], now: datetime) -> bool:
    """Pause it until somebody resumes it, by hand; whether it was not paused so already.

    No two of a destination are made at the same instant, by which events are set aside.
    """
    if any(row.until is None for row in _open_of(connection, scope)):
        return False
    others = [row.made_at for row in connection.execute(_OPEN, {"destination_name": scope.destination})]
    made_at = max([now, *(at + timedelta(microseconds=1) for at in others)])
    connection.execute(
        insert(pauses).values(
            id=new_id("pa"),
            scope=scope.kind,
            destination=scope.destination,
            name=scope.name,
            kind=PauseKind.BY_HAND,
            details=details,
            made_at=made_at,
        )
    )
    return True


def end_all(connection: Connection, scope: Scope, now: datetime, *, kind: PauseKind | None = None) -> list[OpenPause]:
    """End its pauses, or only those of this kind; those that ended.

    That of a source stays open until drains have brought back what was set aside.
    """
    ended = [row for row in _open_of(connection, scope) if kind is None or row.kind == kind]
    if scope.kind == "source":
        ended = [row for row in ended if row.until is None]
    over: dict[str, Any] = {"until": now} if scope.kind == "source" else {"ended_at": now}
    connection.execute(update(pauses).where(pauses.c.id.in_([row.id for row in ended])).values(over))
    return [_open_pause(row) for row in ended]


def end(connection: Connection, pause: str) -> None:
    """All that the pause of a source had set aside is back."""
    connection.execute(update(pauses).where(pauses.c.id == pause).values(ended_at=pauses.c.until))


def _open_of(connection: Connection, scope: Scope) -> list[Any]:
    return [
        row
        for row in connection.execute(_OPEN, {"destination_name": scope.destination})
        if (row.scope, row.name) == (scope.kind, scope.name)
    ]


def take_probe(connection: Connection, pause: OpenPause, now: datetime) -> None:
    """Nobody else sends this pause's probe for a while."""
    connection.execute(update(pauses).where(pauses.c.id == pause.id).values(until=now + PROBE_WITHIN))


def conclude_probe(connection: Connection, pause: str, now: datetime, *, succeeded: bool, tries: int) -> None:
    """A probe's success ends the pause, its failure makes the next wait longer."""
    if succeeded:
        connection.execute(update(pauses).where(pauses.c.id == pause).values(ended_at=now))
        return
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(tries, 10))
    connection.execute(
        update(pauses)
        .where(pauses.c.id == pause, pauses.c.ended_at.is_(None))
        .values(until=now + wait, tries=pauses.c.tries + 1)
    )
