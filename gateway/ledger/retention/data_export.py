"""Everything that the ledger holds of a person, for whoever has to hand out a copy of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, Text, func, or_, select, type_coerce

from gateway.ledger.database import Ledger
from gateway.ledger.facts import hashing
from gateway.ledger.retention.address_search import Mentions
from gateway.ledger.schema import attempts, edits, events, groups, keys, memory, repeats, unknown_subscribers, webhooks
from gateway.privacy import Subject

_AT_ONCE = 200
_NOT_THE_PERSONS = frozenset({"secret", "lease_owner"})

DataExport = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows by the table that they stand in, columns by name."""


def gather(ledger: Ledger, subject: Subject) -> DataExport:
    """What is held of the people, of what memory calls them, and of the facts that are theirs.

    Bodies are left out of webhooks that speak of others, too, as far as their events tell.
    """
    with ledger.read() as connection:
        memos = _memos(connection, subject)
        names = sorted({*subject.memories, *(row["key"] for row in memos)})
        facts = _facts(connection, subject, names)
        told = _rows(connection, events, events.c.group, facts)
        ids = [row["id"] for row in told]
        told_by = _rows(connection, repeats, repeats.c.group, facts)
        received = {row["webhook"] for row in (*told, *told_by)} | set(_mentioning(connection, subject))
        return {
            "events": told,
            "memory": memos,
            "keys": _rows(connection, keys, keys.c.group, facts),
            "groups": _rows(connection, groups, groups.c.id, facts),
            "attempts": _rows(connection, attempts, attempts.c.event, ids),
            "edits": _rows(connection, edits, edits.c.event, ids),
            "strangers": _rows(connection, unknown_subscribers, unknown_subscribers.c.subscriber, subject.addresses),
            "webhooks": [_without_others(connection, row, facts) for row in _webhooks(connection, received)],
        }


def _memos(connection: Connection, subject: Subject) -> list[dict[str, Any]]:
    mentions = Mentions(subject.addresses)
    text = func.lower(type_coerce(memory.c["values"], Text()))
    may = or_(memory.c.key.in_(subject.memories), *(text.contains(one, autoescape=True) for one in subject.addresses))
    rows = connection.execute(select(memory).where(may).order_by(memory.c.destination, memory.c.key)).mappings()
    return [dict(row) for row in rows if row["key"] in subject.memories or mentions.are_in_value(row["values"])]


def _facts(connection: Connection, subject: Subject, names: Sequence[str]) -> list[str]:
    mine = or_(events.c.subscriber.in_(subject.addresses), events.c.waits_for.in_(names))
    found = set(connection.execute(select(events.c.group).where(mine)).scalars())
    found |= set(connection.execute(select(keys.c.group).where(keys.c.key.in_(subject.keys))).scalars())
    for destination in connection.execute(select(keys.c.destination).distinct()).scalars().all():
        found |= set(hashing.groups_of(connection, destination, subject.keys).values())
    return sorted(found)


def _mentioning(connection: Connection, subject: Subject) -> list[str]:
    ids = [name.rpartition(":")[2] for name in (*subject.memories, *subject.keys)]
    mentions, found, after = Mentions(subject.addresses, ids), list[str](), ""
    while True:
        query = select(webhooks.c.id, webhooks.c.body).where(webhooks.c.id > after, webhooks.c.body.is_not(None))
        seen = 0
        for row in connection.execute(query.order_by(webhooks.c.id).limit(_AT_ONCE)):  # one body unpacked at a time
            found += [row.id] if mentions.are_in(row.body) else []
            seen, after = seen + 1, row.id
        if seen < _AT_ONCE:
            return found


def _webhooks(connection: Connection, wanted: set[str]) -> list[dict[str, Any]]:
    return _rows(connection, webhooks, webhooks.c.id, sorted(wanted))


def _without_others(connection: Connection, row: dict[str, Any], facts: Sequence[str]) -> dict[str, Any]:
    made = set(connection.execute(select(events.c.group).where(events.c.webhook == row["id"])).scalars())
    if row["body"] is None:
        return row
    if made - set(facts):
        return {**row, "body": None, "headers": {}, "left_out": "body and headers: they speak of other people, too"}
    return {**row, "body": row["body"].decode("utf-8", "replace")}


def _rows(
    connection: Connection, table: Table, column: ColumnElement[Any], wanted: Sequence[str]
) -> list[dict[str, Any]]:
    columns = [one for one in table.columns if one.name not in _NOT_THE_PERSONS]
    found: list[dict[str, Any]] = []
    for start in range(0, len(wanted), _AT_ONCE):
        query = select(*columns).where(column.in_(wanted[start : start + _AT_ONCE])).order_by(*table.primary_key)
        found += [dict(row) for row in connection.execute(query).mappings()]
    return found
