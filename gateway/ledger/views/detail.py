"""Everything that the ledger knows of one event, one webhook or one source, for the page that tells its story."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy import func as sql

from gateway.ledger.facts import incidents, repeats
from gateway.ledger.schema import audit, events, rejections, webhooks
from gateway.ledger.views import search
from gateway.ledger.views.search import Row

LOOKED_THROUGH = 5_000
"""The newest webhooks of a source, among which its secrets' last use is looked for."""

MOST_SHOWN = 100

_WITHOUT_BODY = [column for column in webhooks.c if column.name not in ("body", "headers")]


@dataclass(frozen=True)
class EventDetail:
    """`webhook` is None once retention removed it. `others` are the other events of the fact, `repeated_by` the
    webhooks that told of it without making one, `deeds` what people did to the event, the oldest first.
    """

    event: Row
    webhook: Row | None
    attempts: Sequence[Row]
    keys: Sequence[str]
    others: Sequence[Row]
    repeated_by: Sequence[Row]
    incident: str | None
    deeds: Sequence[Row]


@dataclass(frozen=True)
class WebhookDetail:
    """`made` are the events of which it was the first to tell, `repeated` those that were known, `deeds` as above."""

    webhook: Row
    made: Sequence[Row]
    repeated: Sequence[Row]
    deeds: Sequence[Row]


@dataclass(frozen=True)
class Refusals:
    """Requests that were turned away for one cause, as far as they are kept; `details` are the newest ones' words."""

    cause: str
    count: int
    at: datetime
    details: tuple[str, ...]


@dataclass(frozen=True)
class Use:
    """How often a secret fitted among the webhooks that were looked through, and when it did last."""

    count: int
    at: datetime


@dataclass(frozen=True)
class Arrivals:
    """What came to a source and what was turned away there. `secrets` is the use of each by its fingerprint, among the
    webhooks since `looked_to`; None: among all.
    """

    last_webhook_at: datetime | None
    refusals: Sequence[Refusals]
    secrets: Mapping[str, Use]
    looked_to: datetime | None

    @property
    def last_refusal(self) -> Refusals | None:
        return max(self.refusals, key=lambda one: one.at, default=None)


def event_detail(connection: Connection, identity: str) -> EventDetail | None:
    """None where there is no such event."""
    event = search.event(connection, identity)
    if event is None:
        return None
    group = event["group"]
    others = [one for one in search.events_of_group(connection, group) if one["id"] != identity][:MOST_SHOWN]
    makers = {event["webhook"], *(one["webhook"] for one in others)}
    makers.discard(event["webhook"])
    repeated = makers | (set(repeats.webhooks_of(connection, group)) - {event["webhook"]})
    return EventDetail(
        event=event,
        webhook=search.webhook(connection, event["webhook"]),
        attempts=search.attempts_of(connection, identity),
        keys=search.keys_of(connection, group)[:MOST_SHOWN],
        others=others,
        repeated_by=_webhooks(connection, sorted(repeated)),
        incident=incidents.of_group(connection, group),
        deeds=_deeds(connection, identity),
    )


def webhook_detail(connection: Connection, identity: str) -> WebhookDetail | None:
    """None where there is no such webhook."""
    webhook = search.webhook(connection, identity)
    if webhook is None:
        return None
    groups = repeats.groups_of(connection, identity)
    query = select(events).where(events.c.group.in_(groups), events.c.webhook != identity)
    repeated = connection.execute(query.order_by(events.c.id).limit(MOST_SHOWN)).mappings()
    return WebhookDetail(
        webhook=webhook,
        made=search.events_of(connection, identity),
        repeated=[dict(row) for row in repeated],
        deeds=_deeds(connection, identity),
    )


def arrivals(connection: Connection, source: str) -> Arrivals:
    """What came to a source, and what was turned away there."""
    window = (
        select(webhooks.c.secret, webhooks.c.received_at)
        .where(webhooks.c.source == source)
        .order_by(webhooks.c.received_at.desc())
        .limit(LOOKED_THROUGH)
        .subquery()
    )
    at = window.c.received_at
    query = select(window.c.secret, sql.count(), sql.max(at), sql.min(at)).group_by(window.c.secret)
    rows = connection.execute(query).all()
    seen = sum(count for _, count, _, _ in rows)
    return Arrivals(
        last_webhook_at=max((last for _, _, last, _ in rows), default=None),
        refusals=_refusals(connection, source),
        secrets={secret: Use(count, last) for secret, count, last, _ in rows if secret is not None},
        looked_to=min(first for _, _, _, first in rows) if seen == LOOKED_THROUGH else None,
    )


def unknown_paths(connection: Connection) -> Sequence[Refusals]:
    """Requests to paths that no source has, by path, the newest first."""
    query = (
        select(rejections.c.path, sql.sum(rejections.c.count), sql.max(rejections.c.at))
        .where(rejections.c.source.is_(None))
        .group_by(rejections.c.path)
        .order_by(sql.max(rejections.c.at).desc())
    )
    return [Refusals(path or "", int(count), at, ()) for path, count, at in connection.execute(query)]


def _refusals(connection: Connection, source: str) -> list[Refusals]:
    query = select(rejections).where(rejections.c.source == source).order_by(rejections.c.at.desc(), rejections.c.id)
    by_cause: dict[str, list[Row]] = {}
    for row in connection.execute(query).mappings():
        by_cause.setdefault(row["cause"], []).append(dict(row))
    return [
        Refusals(
            cause,
            sum(row["count"] for row in rows),
            rows[0]["at"],
            tuple(dict.fromkeys(row["detail"] for row in rows if row["detail"]))[:3],
        )
        for cause, rows in by_cause.items()
    ]


def _webhooks(connection: Connection, identities: Sequence[str]) -> Sequence[Row]:
    query = select(*_WITHOUT_BODY).where(webhooks.c.id.in_(identities)).order_by(webhooks.c.received_at, webhooks.c.id)
    return [dict(row) for row in connection.execute(query.limit(MOST_SHOWN)).mappings()]


def _deeds(connection: Connection, subject: str) -> Sequence[Row]:
    query = select(audit).where(audit.c.subject == subject).order_by(audit.c.at.desc(), audit.c.id.desc())
    return [dict(row) for row in connection.execute(query.limit(MOST_SHOWN)).mappings()][::-1]
