"""What operators look up in the ledger: what a list can be narrowed by, and everything about one thing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, case, literal, or_, select, text, true
from sqlalchemy import func as sql

from gateway.events import Lane
from gateway.ledger import schema, words
from gateway.ledger.schema import attempts, events, groups, keys, refusals, webhooks
from gateway.ledger.status import Outcome
from gateway.ledger.views import text_search

Row = Mapping[str, Any]
"""A row by its column names, values as the schema gives them."""


@dataclass(frozen=True)
class Filters:
    """What a row must be; None asks for nothing.

    Of webhooks `status` is the outcome, and `type`, `lane` and `subscriber` are those of an event that one made.
    `since` is the earliest time, and `until` is later than all: of events when they were made, of webhooks when they
    were received. `error` is a part of an event's reason or last error. `text` is a word that somebody looks for:
    see `gateway.ledger.views.text_search`. `delivery_id` is a provider's id of a webhook. `incident` asks for events of
    facts that Lumail was told as they are not, and for webhooks that made such. `refused_in` is a pause: asked for
    are the events that ended in the run of refusals by which it began.
    """

    status: str | None = None
    type: str | None = None
    lane: Lane | None = None
    source: str | None = None
    destination: str | None = None
    subscriber: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    error: str | None = None
    text: str | None = None
    delivery_id: str | None = None
    incident: Literal[True] | None = None
    refused_in: str | None = None


MOST_NAMES = 500
"""How many values stand in one IN list."""


def _worded(code: ColumnElement[str | None], former: ColumnElement[str]) -> ColumnElement[str]:
    """The words of a reason as the database puts them together, so that a part of them can be looked for."""
    found = []
    for reason, told in words.REASONS.items():
        filled: ColumnElement[str] = literal(told.partition("{")[0])
        if words.DETAIL in told:
            filled += sql.coalesce(events.c.reason_detail, words.NO_DETAIL) + told.partition(words.DETAIL)[2]
        elif words.FORMER in told:
            filled += former + told.partition(words.FORMER)[2]
        found.append((code == reason, filled))
    return case(*found, else_=sql.coalesce(code, ""))


_FORMER_IN_WORDS = case(
    (events.c.former_reason.is_(None), words.NO_CAUSE), else_=_worded(events.c.former_reason, literal(""))
)
_REASON_IN_WORDS = _worded(events.c.reason, _FORMER_IN_WORDS)


def of_events(connection: Connection, filters: Filters) -> list[ColumnElement[bool]]:
    """What these filters ask of events."""
    asked = said(filters)
    conditions = [
        events.c[name] == asked[name]
        for name in ("status", "type", "lane", "source", "destination", "subscriber")
        if name in asked
    ]
    conditions += _times(events.c.created_at, filters)
    if filters.error is not None:
        either = _REASON_IN_WORDS + " " + sql.coalesce(events.c.last_error, "")
        conditions.append(has_reason())
        conditions.append(sql.lower(either).contains(filters.error.lower(), autoescape=True))
    if filters.text is not None:
        conditions.append(text_search.events_of(connection, filters.text))
    if filters.delivery_id is not None:
        of_it = select(webhooks.c.id).where(webhooks.c.delivery_id == filters.delivery_id)
        conditions.append(events.c.webhook.in_(of_it))
    if filters.incident is not None:
        conditions.append(of_incident())
    if filters.refused_in is not None:
        conditions.append(of_run(filters.refused_in))
    return conditions


def of_webhooks(connection: Connection, filters: Filters) -> list[ColumnElement[bool]]:
    """What these filters ask of webhooks."""
    asked = said(filters)
    conditions = [webhooks.c[name] == asked[name] for name in ("source", "destination", "delivery_id") if name in asked]
    conditions += _times(webhooks.c.received_at, filters)
    if filters.status == Outcome.QUARANTINED:  # whatever else it holds
        conditions.append(in_quarantine())
    elif filters.status is not None:
        conditions.append(webhooks.c.outcome == filters.status)
    made = [events.c[name] == asked[name] for name in ("lane", "subscriber", "type") if name in asked]
    if filters.error is not None:
        made += of_events(connection, Filters(error=filters.error))
    if filters.incident is not None:
        made.append(of_incident())
    if made:
        conditions.append(select(events.c.id).where(events.c.webhook == webhooks.c.id, *made).exists())
    if filters.text is not None:
        conditions.append(text_search.webhooks_of(connection, filters.text))
    return conditions


def has_reason() -> ColumnElement[bool]:
    """Written as the partial index has it, so that it is used."""
    return or_(text("events.last_error IS NOT NULL"), text("events.reason IS NOT NULL"))


def of_incident() -> ColumnElement[bool]:
    """Events of facts that Lumail was told as they are not."""
    return events.c.group.in_(select(groups.c.id).where(text("groups.incident IS NOT NULL")))


def of_run(pause: str) -> ColumnElement[bool]:
    """Events of the run of refusals by which a pause began."""
    return events.c.id.in_(select(refusals.c.event).where(refusals.c.pause == pause))


def in_quarantine() -> ColumnElement[bool]:
    """The same of webhooks that hold a source event in quarantine."""
    return and_(text("webhooks.quarantined > 0"), true())


def _times(at: ColumnElement[datetime], filters: Filters) -> list[ColumnElement[bool]]:
    conditions = []
    if filters.since is not None:
        conditions.append(at >= filters.since)
    if filters.until is not None:
        conditions.append(at < filters.until)
    return conditions


def event(connection: Connection, identity: str) -> Row | None:
    return _one(connection, events, identity)


def webhook(connection: Connection, identity: str) -> Row | None:
    return _one(connection, webhooks, identity)


def whole_events(connection: Connection, identities: Sequence[str]) -> list[Row]:
    """These events with all that is kept of them, in the order given."""
    found: dict[str, Row] = {}
    for start in range(0, len(identities), MOST_NAMES):
        some = identities[start : start + MOST_NAMES]
        found |= {row["id"]: row for row in _rows(connection, select(events).where(events.c.id.in_(some)))}
    return [found[identity] for identity in identities if identity in found]


def attempts_of(connection: Connection, identity: str) -> list[Row]:
    """Every request that was made for an event, the oldest first."""
    query = select(attempts).where(attempts.c.event == identity).order_by(attempts.c.taken_at, attempts.c.id)
    return _rows(connection, query)


def events_of(connection: Connection, identity: str) -> list[Row]:
    """The events that a webhook made, in the order of their making."""
    return _rows(connection, select(events).where(events.c.webhook == identity).order_by(events.c.id))


def events_of_group(connection: Connection, group: str) -> list[Row]:
    """All events of one fact, the oldest first."""
    return _rows(connection, select(events).where(events.c.group == group).order_by(events.c.id))


def events_by_keys(connection: Connection, destination: str, names: Sequence[str]) -> list[Row]:
    """All events of the facts that these keys name, the oldest first."""
    found: dict[str, Row] = {}
    for start in range(0, len(names), MOST_NAMES):
        some = names[start : start + MOST_NAMES]
        facts = select(keys.c.group).where(keys.c.destination == destination, keys.c.key.in_(some))
        found |= {row["id"]: row for row in _rows(connection, select(events).where(events.c.group.in_(facts)))}
    return [found[identity] for identity in sorted(found)]


def keys_of(connection: Connection, group: str) -> list[str]:
    return list(connection.execute(select(keys.c.key).where(keys.c.group == group).order_by(keys.c.key)).scalars())


def destinations(connection: Connection) -> list[Row]:
    return _rows(connection, select(schema.destinations).order_by(schema.destinations.c.name))


def said(filters: Filters) -> dict[str, Any]:
    """What is asked for, by name."""
    told = {one.name: getattr(filters, one.name) for one in fields(filters)}
    return {name: int(value) if name == "lane" else value for name, value in told.items() if value is not None}


def _one(connection: Connection, table: Table, identity: str) -> Row | None:
    return next(iter(_rows(connection, select(table).where(table.c.id == identity))), None)


def _rows(connection: Connection, query: Select[Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(query).mappings()]
