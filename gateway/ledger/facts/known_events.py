"""Events as the ledger has them, looked up by their ids."""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from gateway.ledger.event import EVENT_COLUMNS, Event
from gateway.ledger.schema import events
from gateway.ledger.statements import Among, Prepared

_OF_IDS = Prepared(select(*EVENT_COLUMNS).where(Among(events.c.id)))


def events_of(connection: Connection, ids: Iterable[str]) -> dict[str, Event]:
    """These events by their ids, in the order of the ids."""
    ordered = list(dict.fromkeys(ids))
    found = {row[0]: Event.from_values(row) for row in _OF_IDS.among(connection, ordered)}
    return {identity: found[identity] for identity in ordered if identity in found}
