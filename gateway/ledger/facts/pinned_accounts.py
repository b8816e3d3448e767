"""The account that a source is bound to, where a provider names it outside its signature: the first that was named.

It stands among what webhooks taught, so that two first webhooks at once are decided under the writer lock, but is
never forgotten, and changed by a person alone.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from gateway.ledger.schema import memory

_BEGINS = "~account:"
"""How no other memory begins: an adapter's name has no ~."""

NAME = "account"


def key(source: str) -> str:
    """The memory key of a source's account."""
    return _BEGINS + source


def is_pin() -> ColumnElement[bool]:
    """Whether a row of memory is such an account."""
    return memory.c.key.startswith(_BEGINS, autoescape=True)


def pinned(connection: Connection) -> Mapping[str, str]:
    """The account of each source that has one."""
    query = select(memory.c.key, memory.c["values"]).where(is_pin()).order_by(memory.c.key)
    return {name.removeprefix(_BEGINS): values[NAME] for name, values in connection.execute(query)}


def change(connection: Connection, destination: str, source: str, account: str | None, now: datetime) -> None:
    """Bind a source to another account; to None: to the first that is named from now on."""
    ours = (memory.c.destination == destination, memory.c.key == key(source))
    connection.execute(delete(memory).where(*ours))
    if account is not None:
        values = {NAME: account}
        connection.execute(insert(memory).values(destination=destination, key=key(source), values=values, at=now))
