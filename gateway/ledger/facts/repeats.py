"""Which webhooks told of a fact besides those that made its events, so that a fact's whole story can be shown."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, delete, select

from gateway.ledger.schema import repeats
from gateway.ledger.statements import Among, Insert, Prepared

_ADD = Insert(repeats, replaced=())
_OF_GROUPS = Prepared(select(repeats.c.webhook, repeats.c.group).where(Among(repeats.c.group)))
_FORGET = Prepared(delete(repeats).where(Among(repeats.c.group)))

MOST_SHOWN = 100


def add(connection: Connection, pairs: Iterable[tuple[str, str]]) -> None:
    """Keep these pairs of webhook and group."""
    _ADD.run(connection, sorted(pairs))


def move(connection: Connection, moved: Mapping[str, str]) -> None:
    """Each of these groups is part of another from now on."""
    found = _OF_GROUPS.among(connection, list(moved))
    if found:
        add(connection, {(webhook, moved[group]) for webhook, group in found})
        _FORGET.run(connection, wanted=list(moved))


def webhooks_of(connection: Connection, group: str) -> list[str]:
    """The first webhooks that told of a fact without making an event of it."""
    query = select(repeats.c.webhook).where(repeats.c.group == group)
    return list(connection.execute(query.order_by(repeats.c.webhook).limit(MOST_SHOWN)).scalars())


def groups_of(connection: Connection, webhook: str) -> list[str]:
    """The facts of which a webhook told without making an event."""
    query = select(repeats.c.group).where(repeats.c.webhook == webhook)
    return list(connection.execute(query.order_by(repeats.c.group).limit(MOST_SHOWN)).scalars())
