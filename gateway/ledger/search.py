"""What operators look up in the ledger: lists with filters, a page at a time, and everything about one thing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, or_, select

from gateway.events import Lane
from gateway.ledger import schema
from gateway.ledger.schema import attempts, events, keys, webhooks

Row = Mapping[str, Any]
"""A row by its column names, values as the schema gives them."""

QUARANTINED = "quarantined"
"""As a status of webhooks: those that hold at least one source event in quarantine, whatever else they hold."""


@dataclass(frozen=True)
class Filters:
    """What a row must be; None asks for nothing.

    Of webhooks `status` is the outcome, and `type`, `lane` and `subscriber` are those of an event that one made.
    `since` is the earliest time: of events when they were made, of webhooks when they were received.
    """

    status: str | None = None
    type: str | None = None
    lane: Lane | None = None
    source: str | None = None
    destination: str | None = None
    subscriber: str | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class Page:
    """The newest first. `after` is the id to go on with, None where this is the end."""

    rows: Sequence[Row]
    after: str | None


_OF_EVENTS = frozenset({"type", "lane", "subscriber"})
_LEFT_OUT_OF_LISTS = frozenset({"headers", "body"})


def list_events(connection: Connection, filters: Filters, limit: int, after: str | None = None) -> Page:
    """Up to `limit` events that follow the event `after`."""
    conditions = [events.c[name] == value for name, value in _said(filters).items()]
    if filters.since is not None:
        conditions.append(events.c.created_at >= filters.since)
    return _page(connection, select(events).where(*conditions), events.c.created_at, limit, after)


def list_webhooks(connection: Connection, filters: Filters, limit: int, after: str | None = None) -> Page:
    """Up to `limit` webhooks that follow the webhook `after`, without their headers and bodies."""
    said = _said(filters)
    conditions = [webhooks.c[name] == said[name] for name in ("source", "destination") if name in said]
    if filters.status == QUARANTINED:
        conditions.append(webhooks.c.quarantined > 0)
    elif filters.status is not None:
        conditions.append(webhooks.c.outcome == filters.status)
    made = [events.c[name] == said[name] for name in sorted(_OF_EVENTS & said.keys())]
    if made:
        conditions.append(select(events.c.id).where(events.c.webhook == webhooks.c.id, *made).exists())
    if filters.since is not None:
        conditions.append(webhooks.c.received_at >= filters.since)
    columns = [column for column in webhooks.c if column.name not in _LEFT_OUT_OF_LISTS]
    return _page(connection, select(*columns).where(*conditions), webhooks.c.received_at, limit, after)


def event(connection: Connection, identity: str) -> Row | None:
    return _one(connection, events, identity)


def webhook(connection: Connection, identity: str) -> Row | None:
    return _one(connection, webhooks, identity)


def attempts_of(connection: Connection, identity: str) -> list[Row]:
    """Every request that was made for an event, the oldest first."""
    query = select(attempts).where(attempts.c.event == identity).order_by(attempts.c.taken_at, attempts.c.id)
    return _rows(connection, query)


def events_of(connection: Connection, identity: str) -> list[Row]:
    """The events that a webhook made, in the order of their making."""
    return _rows(connection, select(events).where(events.c.webhook == identity).order_by(events.c.id))


def told_by(connection: Connection, group: str) -> list[Row]:
    """All events of one fact, the oldest first."""
    return _rows(connection, select(events).where(events.c.group == group).order_by(events.c.id))


def keys_of(connection: Connection, group: str) -> list[str]:
    return list(connection.execute(select(keys.c.key).where(keys.c.group == group).order_by(keys.c.key)).scalars())


def destinations(connection: Connection) -> list[Row]:
    return _rows(connection, select(schema.destinations).order_by(schema.destinations.c.name))


def _said(filters: Filters) -> dict[str, Any]:
    """The filters that are equalities on a column of that name."""
    said = {field.name: getattr(filters, field.name) for field in fields(filters) if field.name != "since"}
    return {name: int(value) if name == "lane" else value for name, value in said.items() if value is not None}


def _page(
    connection: Connection, query: Select[Any], at: ColumnElement[datetime], limit: int, after: str | None
) -> Page:
    identity = query.selected_columns["id"]
    if after is not None:
        start = select(at).where(identity == after).scalar_subquery()
        query = query.where(or_(at < start, and_(at == start, identity < after)))
    rows = _rows(connection, query.order_by(at.desc(), identity.desc()).limit(limit + 1))
    return Page(rows[:limit], rows[limit - 1]["id"] if len(rows) > limit else None)


def _one(connection: Connection, table: Table, identity: str) -> Row | None:
    return next(iter(_rows(connection, select(table).where(table.c.id == identity))), None)


def _rows(connection: Connection, query: Select[Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(query).mappings()]
