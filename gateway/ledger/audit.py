"""Who decided what: a row for each thing that a person changed in the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from gateway.ledger.identity import new_id
from gateway.ledger.schema import audit


@dataclass(frozen=True)
class Deed:
    """What somebody did: ``replay event`` on an event's id, ``pause`` on a destination's name."""

    who: str
    action: str
    subject: str


def note(
    connection: Connection, at: datetime, deed: Deed, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> None:
    """Write it down in the transaction that does it; `before` and `after` are what it changed."""
    connection.execute(
        insert(audit).values(
            id=new_id("au"),
            at=at,
            who=deed.who[:200],
            action=deed.action,
            subject=deed.subject[:200],
            before=None if before is None else dict(before),
            after=None if after is None else dict(after),
        )
    )
