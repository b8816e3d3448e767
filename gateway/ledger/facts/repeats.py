"""Which webhooks told of a fact besides those that made its events, so that a fact's whole story can be shown."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway.ledger.schema import repeats

_ADD = {
    "sqlite": sqlite_insert(repeats).on_conflict_do_nothing(),
    "postgresql": postgresql_insert(repeats).on_conflict_do_nothing(),
}
_same = repeats.alias("same")
_MOVE = (
    update(repeats)
    .where(
        repeats.c.group == bindparam("former"),
        ~exists(select(_same.c.webhook).where(_same.c.group == bindparam("now"), _same.c.webhook == repeats.c.webhook)),
    )
    .values(group=bindparam("now"))
)
_FORGET: Any = delete(repeats).where(repeats.c.group == bindparam("former"))

MOST_SHOWN = 100


def add(connection: Connection, pairs: Iterable[tuple[str, str]]) -> None:
    """Keep these pairs of webhook and group."""
    rows = [{"webhook": webhook, "group": group} for webhook, group in sorted(pairs)]
    if rows:
        connection.execute(_ADD[connection.dialect.name], rows)


def move(connection: Connection, former: str, group: str) -> None:
    """The group `former` is part of `group` from now on."""
    connection.execute(_MOVE, {"former": former, "now": group})
    connection.execute(_FORGET, {"former": former})


def webhooks_of(connection: Connection, group: str) -> list[str]:
    """The first webhooks that told of a fact without making an event of it."""
    query = select(repeats.c.webhook).where(repeats.c.group == group)
    return list(connection.execute(query.order_by(repeats.c.webhook).limit(MOST_SHOWN)).scalars())


def groups_of(connection: Connection, webhook: str) -> list[str]:
    """The facts of which a webhook told without making an event."""
    query = select(repeats.c.group).where(repeats.c.webhook == webhook)
    return list(connection.execute(query.order_by(repeats.c.group).limit(MOST_SHOWN)).scalars())
