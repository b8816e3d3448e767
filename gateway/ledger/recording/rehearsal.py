"""Whether a webhook could be kept now: one is written, with an event, and taken back in the same transaction.

Nobody ever sees the two, and no destination's lock is taken. But it is a real write to the tables that the door writes
to: a full disk, a locked table, a server that takes no writes and a schema that this version can't fill are all found.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, insert

from gateway.ledger.database import Ledger
from gateway.ledger.identity import new_id
from gateway.ledger.schema import events, webhooks
from gateway.ledger.status import COUNTED, Outcome, Status

TABLE_SECONDS = 1.0
"""How long it waits for what a stranger has locked."""


def rehearse(ledger: Ledger) -> None:
    """Raises LedgerUnavailableError, with the cause in words, where the door would have to answer 503."""
    with ledger.write(table_seconds=TABLE_SECONDS) as connection:
        now = ledger.now(connection)
        webhook = _written(connection, webhooks, new_id("wh"), _webhook(now))
        event = _written(connection, events, new_id("ev"), _event(webhook, now))
        connection.execute(delete(events).where(events.c.id == event))
        connection.execute(delete(webhooks).where(webhooks.c.id == webhook))


def _written(connection: Connection, table: Table, identity: str, row: dict[str, Any]) -> str:
    connection.execute(insert(table).values(id=identity, **row))
    return identity


def _webhook(now: datetime) -> dict[str, Any]:
    counts = dict.fromkeys(("events_made", *COUNTED), 0)
    names = dict.fromkeys(("source", "adapter", "destination", "url"), "")
    return {"received_at": now, "headers": {}, "body": b"", "outcome": Outcome.TAUGHT, "notes": [], **names, **counts}


def _event(webhook: str, now: datetime) -> dict[str, Any]:
    names = dict.fromkeys(("source", "destination", "type", "group"), "")
    instants = dict.fromkeys(("occurred_at", "due_at", "created_at", "settled_at"), now)
    return {"webhook": webhook, "data": "{}", "lane": 0, "status": Status.DROPPED, **names, **instants}
