"""What a destination is known by, so that events never go to another organization than the one they were meant for.

A changed address is refused until somebody accepts it. After a changed token one event goes alone; its answer shows
whether the organization is the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Row, insert, select, update

from gateway.ledger.schema import destinations


@dataclass(frozen=True)
class Fingerprint:
    """Where a destination is, and the fingerprint of its API token."""

    base_url: str
    token: str


@dataclass(frozen=True)
class Moved:
    """A destination whose address is not the one that it was."""

    name: str
    was: str
    is_now: str


def register(connection: Connection, found: Mapping[str, Fingerprint], *, standing_in: bool) -> list[Moved]:
    """See to it that each destination has its row, and note new tokens; those that moved are left as they were.

    `standing_in`: all of them are the sandbox's, whose address and tokens mean nothing.
    """
    known = {row.name: row for row in connection.execute(select(destinations))}
    moved = []
    for name, one in found.items():
        row = known.get(name)
        if row is None:
            connection.execute(insert(destinations).values(name=name, base_url=one.base_url, fingerprint=one.token))
        elif standing_in or row.base_url is None:
            _keep(connection, name, one)
        elif row.base_url != one.base_url:
            moved.append(Moved(name, row.base_url, one.base_url))
        elif row.fingerprint != one.token:
            _try_out(connection, row, one)
    return moved


def accept(connection: Connection, name: str, found: Fingerprint) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """Take address, token and organization as they are now; what was believed before, and what is from now on.

    The next answer names the organization.
    """
    row = connection.execute(select(destinations).where(destinations.c.name == name)).first()
    before = {} if row is None else {"base_url": row.base_url, "organization": row.organization}
    if row is None:
        connection.execute(insert(destinations).values(name=name, base_url=found.base_url, fingerprint=found.token))
    else:
        _keep(connection, name, found)
        connection.execute(
            update(destinations).where(destinations.c.name == name).values(organization=None, on_trial=False)
        )
    return before, {"base_url": found.base_url, "organization": None}


def _keep(connection: Connection, name: str, one: Fingerprint) -> None:
    connection.execute(
        update(destinations).where(destinations.c.name == name).values(base_url=one.base_url, fingerprint=one.token)
    )


def _try_out(connection: Connection, row: Row[tuple[object, ...]], one: Fingerprint) -> None:
    """Where no answer ever named the organization there is nothing that a trial could be compared with."""
    connection.execute(
        update(destinations)
        .where(destinations.c.name == row.name)
        .values(fingerprint=one.token, on_trial=row.organization is not None)
    )
