"""Reading memory outside the writer lock; what was read is checked again under it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from gateway.ledger.database import Ledger
from gateway.ledger.facts.submission import Recall
from gateway.ledger.schema import memory


def reader(ledger: Ledger, destination: str) -> Recall:
    """A function from a memory key to what is known now, or None."""

    def recall(key: str) -> Mapping[str, Any] | None:
        with ledger.read() as connection:
            query = select(memory.c["values"]).where(memory.c.destination == destination, memory.c.key == key)
            values: Mapping[str, Any] | None = connection.execute(query).scalar_one_or_none()
            return values

    return recall
