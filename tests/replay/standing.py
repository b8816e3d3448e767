"""Events brought into a state, as a claim or an answer leaves them."""

from typing import Any

from sqlalchemy import update

from gateway.ledger.database import Ledger
from gateway.ledger.schema import destinations, events, lines
from tests.making import record_facts

ME = "ana (terminal)"


def recorded(ledger: Ledger, *facts: Any, **values: Any) -> list[str]:
    """Events of these facts, brought into a state by `values`, with nobody waiting and nothing to be drained."""
    identities = record_facts(ledger, *facts)
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).where(events.c.id.in_(identities)).values(**values))
        connection.execute(lines.delete())
        connection.execute(update(destinations).values(wake_at=None))
    return identities
