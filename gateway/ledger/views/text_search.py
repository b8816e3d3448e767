"""What is meant by a word that somebody types into a search box: an address, or an id of ours, of Lumail or a provider.

Whole words are looked up through indexes. Ids of providers are found as keys that end with them, where recent events
have keys of that kind; a part of an address is looked for by whoever lists.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, false, or_, select
from sqlalchemy import func as sql

from gateway.ledger import schema
from gateway.ledger.schema import events, keys, webhooks

MOST = 500
"""Groups, webhooks and events that a word may stand for."""

RECENT = 60
"""Events of a source whose keys show which kinds there are."""


def destinations(connection: Connection) -> list[str]:
    return list(connection.execute(select(schema.destinations.c.name).order_by(schema.destinations.c.name)).scalars())


def events_by_text(connection: Connection, word: str) -> ColumnElement[bool] | None:
    """Which events are meant; None where the word is nothing that an index knows."""
    names = destinations(connection)
    told: list[ColumnElement[bool]] = [
        events.c.id == word,
        events.c.webhook == word,
        events.c.group == word,
        (events.c.destination.in_(names)) & (events.c.lumail_event_id == word),
        (events.c.destination.in_(names)) & (events.c.subscriber == word.lower()),
    ]
    found = [condition for condition in told if _is_any(connection, condition)]
    groups = _groups(connection, names, word)
    if groups:
        found.append(events.c.group.in_(groups))
    of_delivery = list(
        connection.execute(select(webhooks.c.id).where(webhooks.c.delivery_id == word).limit(MOST)).scalars()
    )
    if of_delivery:
        found.append(events.c.webhook.in_(of_delivery))
    return or_(*found) if found else None


def events_of(connection: Connection, word: str) -> ColumnElement[bool]:
    """Which events are meant; those whose subscriber has the word in it, where no index knows it."""
    found = events_by_text(connection, word)
    return contains_text(word) if found is None else found


def contains_text(word: str) -> ColumnElement[bool]:
    """Events whose subscriber's address has this in it."""
    return events.c.subscriber.contains(word.lower(), autoescape=True)


def webhooks_of(connection: Connection, word: str) -> ColumnElement[bool]:
    """Which webhooks are meant: by their own id, the provider's, or by what is known of an event that they made."""
    found: list[ColumnElement[bool]] = [webhooks.c.id == word, webhooks.c.delivery_id == word]
    made = events_by_text(connection, word)
    if made is not None:
        query = select(events.c.webhook).where(made).order_by(events.c.created_at.desc()).limit(MOST)
        found.append(webhooks.c.id.in_(list(connection.execute(query).scalars())))
    return or_(*found)


def webhooks_about(connection: Connection, subscriber: str) -> ColumnElement[bool]:
    """The webhooks that made the newest events of a subscriber."""
    names = destinations(connection)
    query = (
        select(events.c.webhook)
        .where(events.c.destination.in_(names), events.c.subscriber == subscriber)
        .order_by(events.c.created_at.desc())
        .limit(MOST)
    )
    ids = list(connection.execute(query).scalars())
    return webhooks.c.id.in_(ids) if ids else false()


def _is_any(connection: Connection, condition: ColumnElement[bool]) -> bool:
    return connection.execute(select(events.c.id).where(condition).limit(1)).first() is not None


def _groups(connection: Connection, names: Sequence[str], word: str) -> list[str]:
    asked = [word, *(f"{kind}{word}" for kind in _kinds(connection))]
    query = select(keys.c.group).where(keys.c.destination.in_(names), keys.c.key.in_(asked)).limit(MOST)
    return sorted(set(connection.execute(query).scalars()))


def _kinds(connection: Connection) -> list[str]:
    """What stands before the provider's id in the keys of each source's newest events."""
    groups: list[str] = []
    source = connection.execute(select(sql.min(events.c.source))).scalar_one()
    while source is not None and len(groups) < MOST:
        newest = select(events.c.group).where(events.c.source == source).order_by(events.c.created_at.desc())
        groups += connection.execute(newest.limit(RECENT)).scalars()
        source = connection.execute(select(sql.min(events.c.source)).where(events.c.source > source)).scalar_one()
    found: set[str] = set()
    for key in connection.execute(select(keys.c.key).where(keys.c.group.in_(groups[:MOST]))).scalars():
        before = key.split(":", 3)[:3]
        if len(before) == 3:
            found.add(":".join(before) + ":")
    return sorted(found)[:MOST]
