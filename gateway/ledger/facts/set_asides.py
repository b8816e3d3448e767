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
from gateway.ledger.schema import events, groups, rejections, set_asides, webhooks


class Kind(StrEnum):
    """What can be set aside: a webhook in quarantine, an unknown path, an incident by one of its events."""

    WEBHOOK = "webhook"
    PATH = "path"
    INCIDENT = "incident"


@dataclass(frozen=True)
class SetAside:
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


def is_aside(kind: Kind, subject: ColumnElement[str], what: ColumnElement[str] | None = None) -> ColumnElement[bool]:
    """The condition that something is set aside, for queries of others."""
    same = (set_asides.c.kind == kind.value, set_asides.c.subject == subject)
    return exists().where(*same, *(() if what is None else (set_asides.c.what == what,)))


def put(connection: Connection, matter: Matter, reason: str, who: str, now: datetime) -> SetAside | None:
    """Set it aside; a new reason takes the place of the former. None where there is no such thing to set aside."""
    found = _found(connection, matter)
    if found is None:
        return None
    subject, what = found
    former = _remove(connection, Matter(matter.kind, subject))
    one = SetAside(matter.kind, subject, what, reason, who[:200], now)
    connection.execute(
        insert(set_asides).values(kind=one.kind, subject=subject, what=what, reason=reason, who=one.who, at=now)
    )
    before = None if former is None else {"reason": former.reason}
    audit.record(connection, now, Deed(who, f"set aside {matter.kind}", subject), before, {"reason": reason})
    return one


def undo(connection: Connection, matter: Matter, who: str, now: datetime) -> SetAside | None:
    """It needs somebody again. None where it was not set aside."""
    found = _found(connection, matter)
    removed = _remove(connection, Matter(matter.kind, matter.subject if found is None else found[0]))
    if removed is not None:
        deed = Deed(who, f"take back {matter.kind}", removed.subject)
        audit.record(connection, now, deed, {"reason": removed.reason}, None)
    return removed


def newest(connection: Connection, most: int) -> Sequence[SetAside]:
    """What is set aside, the newest first."""
    query = select(set_asides).order_by(set_asides.c.at.desc(), set_asides.c.subject).limit(most)
    return [_set_aside(row) for row in connection.execute(query).mappings()]


def of(connection: Connection, matter: Matter) -> SetAside | None:
    """Whether, and why, this is set aside; an incident by its group."""
    same = (set_asides.c.kind == matter.kind.value, set_asides.c.subject == matter.subject)
    row = connection.execute(select(set_asides).where(*same)).mappings().first()
    return None if row is None else _set_aside(row)


def forget_gone(connection: Connection, most: int) -> int:
    """Remove those whose subject is gone, at most so many; how many were."""
    gone = and_(set_asides.c.kind == Kind.WEBHOOK.value, ~exists().where(webhooks.c.id == set_asides.c.subject))
    gone |= and_(set_asides.c.kind == Kind.INCIDENT.value, ~exists().where(groups.c.id == set_asides.c.subject))
    found = connection.execute(select(set_asides.c.kind, set_asides.c.subject).where(gone).limit(most)).all()
    for kind, subject in found:
        connection.execute(delete(set_asides).where(set_asides.c.kind == kind, set_asides.c.subject == subject))
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


def _remove(connection: Connection, matter: Matter) -> SetAside | None:
    former = of(connection, matter)
    if former is not None:
        same = (set_asides.c.kind == matter.kind.value, set_asides.c.subject == matter.subject)
        connection.execute(delete(set_asides).where(*same))
    return former


def _set_aside(row: object) -> SetAside:
    told = dict(row)  # type: ignore[call-overload]  # a mapping of a row
    return SetAside(Kind(told["kind"]), told["subject"], told["what"], told["reason"], told["who"], told["at"])
