"""Signatures that are good for one event: which one each was used for, so that it proves no other.

Where a provider signs something of its own making beside the body, its signature would fit any body.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway.ledger.schema import single_uses


@dataclass(frozen=True)
class SingleUse:
    """What was signed (`token`), with which secret, and the event that it is used for; all three hashed."""

    secret: str
    token: str
    event: str


_ASKED: BindParameter[Any] = bindparam("asked", expanding=True)
_USED = select(single_uses.c.secret, single_uses.c.token, single_uses.c.event).where(single_uses.c.token.in_(_ASKED))
_USE = {
    "sqlite": sqlite_insert(single_uses).on_conflict_do_nothing(),
    "postgresql": postgresql_insert(single_uses).on_conflict_do_nothing(),
}


def use(connection: Connection, uses: Sequence[tuple[str, SingleUse]], now: datetime) -> set[SingleUse]:
    """Those of `uses` (each with its destination) whose signature was used for another event before; the others are
    written down. Of two destinations that write the same at once one waits for the other's end.
    """
    if not uses:
        return set()
    rows = {
        (one.secret, one.token): {
            "secret": one.secret,
            "token": one.token,
            "event": one.event,
            "destination": destination,
            "at": now,
        }
        for destination, one in reversed(uses)  # of several in one group the first counts
    }
    connection.execute(_USE[connection.dialect.name], [rows[name] for name in sorted(rows)])
    used: dict[tuple[str, str], str] = {}
    for secret, token, event in connection.execute(_USED, {"asked": [one.token for _, one in uses]}):
        used[secret, token] = event
    return {one for _, one in uses if used[one.secret, one.token] != one.event}
