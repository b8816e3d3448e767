"""What a person has looked at and set aside, with the reason: it is kept, and needs nobody until that is undone.

An incident is set aside with its words: once something else is told of the same fact, it is shown again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, select

from gateway.ledger.accounts import audit
from gateway.ledger.accounts.audit import Deed
from gateway.ledger.schema import dismissals, events, groups, rejections, webhooks


class Kind(StrEnum):
    """What can be set aside: a webhook in quarantine, an unknown path, an incident by one of its events."""

    WEBHOOK = "webhook"
    PATH = "path"
    INCIDENT = "incident"


@dataclass(frozen=True)
class Dismissal:
    """`subject` is the webhook, the path, or the group of the incident's fact; `what` the words of an incident."""

    kind: Kind
    subject: str
    what: str | None
    reason: str
    who: str
    at: datetime


@dataclass(frozen=True)
class Matter:
    """Something to set aside, as somebody names it: an incident by an event, or by its group."""

    kind: Kind
    subject: str


def is_dismissed(
    kind: Kind, subject: ColumnElement[str], what: ColumnElement[str] | None = None
) -> ColumnElement[bool]:
    """The condition that something is set aside, for queries of others."""
    same = (dismissals.c.kind == kind.value, dismissals.c.subject == subject)
    return exists().where(*same, *(() if what is None else (dismissals.c.what == what,)))


def put(connection: Connection, matter: Matter, reason: str, who: str, now: datetime) -> Dismissal | None:
    """Set it aside; a new reason takes the place of the former. None where there is no such thing to set aside."""
    found = _found(connection, matter)
    if found is None:
        return None
    subject, what = found
    former = _remove(connection, Matter(matter.kind, subject))
    one = Dismissal(matter.kind, subject, what, reason, who[:200], now)
    connection.execute(
        insert(dismissals).values(kind=one.kind, subject=subject, what=what, reason=reason, who=one.who, at=now)
    )
    before = None if former is None else {"reason": former.reason}
    audit.record(connection, now, Deed(who, f"set aside {matter.kind}", subject), before, {"reason": reason})
    return one


def undo(connection: Connection, matter: Matter, who: str, now: datetime) -> Dismissal | None:
    """It needs somebody again. None where it was not set aside."""
    found = _found(connection, matter)
    removed = _remove(connection, Matter(matter.kind, matter.subject if found is None else found[0]))
    if removed is not None:
        deed = Deed(who, f"take back {matter.kind}", removed.subject)
        audit.record(connection, now, deed, {"reason": removed.reason}, None)
    return removed


def newest(connection: Connection, most: int) -> Sequence[Dismissal]:
    """What is set aside, the newest first."""
    query = select(dismissals).order_by(dismissals.c.at.desc(), dismissals.c.subject).limit(most)
    return [_dismissal(row) for row in connection.execute(query).mappings()]


def of(connection: Connection, matter: Matter) -> Dismissal | None:
    """Whether, and why, this is set aside; an incident by its group."""
    same = (dismissals.c.kind == matter.kind.value, dismissals.c.subject == matter.subject)
    row = connection.execute(select(dismissals).where(*same)).mappings().first()
    return None if row is None else _dismissal(row)


def forget_gone(connection: Connection, most: int) -> int:
    """Remove those whose subject is gone, at most so many; how many were."""
    gone = and_(dismissals.c.kind == Kind.WEBHOOK.value, ~exists().where(webhooks.c.id == dismissals.c.subject))
    gone |= and_(dismissals.c.kind == Kind.INCIDENT.value, ~exists().where(groups.c.id == dismissals.c.subject))
    found = connection.execute(select(dismissals.c.kind, dismissals.c.subject).where(gone).limit(most)).all()
    for kind, subject in found:
        connection.execute(delete(dismissals).where(dismissals.c.kind == kind, dismissals.c.subject == subject))
    return len(found)


def _found(connection: Connection, matter: Matter) -> tuple[str, str | None] | None:
    """The subject as it is stored, and the words of an incident."""
    if matter.kind is Kind.WEBHOOK:
        query = select(webhooks.c.id).where(webhooks.c.id == matter.subject, webhooks.c.quarantined > 0)
        return None if connection.execute(query).first() is None else (matter.subject, None)
    if matter.kind is Kind.PATH:
        query = select(rejections.c.path).where(rejections.c.source.is_(None), rejections.c.path == matter.subject)
        return None if connection.execute(query.limit(1)).first() is None else (matter.subject, None)
    group = connection.execute(select(events.c.group).where(events.c.id == matter.subject)).scalar_one_or_none()
    incident = select(groups.c.id, groups.c.incident).where(groups.c.id == (group or matter.subject))
    row = connection.execute(incident).first()
    return None if row is None or row.incident is None else (row.id, row.incident)


def _remove(connection: Connection, matter: Matter) -> Dismissal | None:
    former = of(connection, matter)
    if former is not None:
        same = (dismissals.c.kind == matter.kind.value, dismissals.c.subject == matter.subject)
        connection.execute(delete(dismissals).where(*same))
    return former


def _dismissal(row: object) -> Dismissal:
    told = dict(row)  # type: ignore[call-overload]  # a mapping of a row
    return Dismissal(Kind(told["kind"]), told["subject"], told["what"], told["reason"], told["who"], told["at"])
