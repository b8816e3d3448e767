"""Incidents: facts of which Lumail heard twice, which only a person can put right; shown until somebody did."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select, text, update
from sqlalchemy import func as sql

from gateway.ledger.facts.dismissals import Kind, is_dismissed
from gateway.ledger.schema import events, groups


@dataclass(frozen=True)
class Incident:
    """What happened to a fact, and the events that told it, the oldest first."""

    destination: str
    group: str
    text: str
    events: tuple[str, ...]


_OF_GROUP = select(groups.c.incident).where(groups.c.id == bindparam("its_group"))


def of_group(connection: Connection, group: str) -> str | None:
    found: str | None = connection.execute(_OF_GROUP, {"its_group": group}).scalar_one_or_none()
    return found


def record(connection: Connection, destination: str, group: str, what: str) -> None:
    """Show this until somebody decides; what was noted before stays."""
    known = connection.execute(select(groups.c.id, groups.c.incident).where(groups.c.id == group)).first()
    if known is None:
        connection.execute(insert(groups).values(id=group, destination=destination, incident=what))
        return
    told = both(known.incident, what)
    connection.execute(update(groups).where(groups.c.id == group).values(incident=told))


def both(former: str | None, what: str) -> str:
    """What is shown of a fact of which this was noted before, if anything."""
    return what if former is None or former == what else f"{former}; {what}"


def end(connection: Connection, group: str) -> None:
    connection.execute(update(groups).where(groups.c.id == group).values(incident=None))


_SHOWN = (text("groups.incident IS NOT NULL"), ~is_dismissed(Kind.INCIDENT, groups.c.id, groups.c.incident))
"""Those that nobody set aside."""


def count(connection: Connection, most: int) -> int:
    """How many are shown, up to so many."""
    some = select(groups.c.id).where(*_SHOWN).limit(most).subquery()
    return int(connection.execute(select(sql.count()).select_from(some)).scalar_one())


def newest(connection: Connection, most: int) -> Sequence[Incident]:
    """The newest incidents of all destinations."""
    query = (
        select(groups.c.id, groups.c.destination, groups.c.incident)
        .where(*_SHOWN)
        .order_by(groups.c.id.desc())
        .limit(most)
    )
    found = connection.execute(query).all()
    told: dict[str, list[str]] = {row.id: [] for row in found}
    of_these = select(events.c.id, events.c.group).where(events.c.group.in_(list(told))).order_by(events.c.id)
    for row in connection.execute(of_these):
        told[row.group].append(row.id)
    return [Incident(row.destination, row.id, row.incident, tuple(told[row.id])) for row in found]
