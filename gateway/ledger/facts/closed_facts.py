"""Facts that are never told again though no event says so any more: their events were purged, or a person erased."""

from sqlalchemy import Connection

from gateway.ledger.schema import groups
from gateway.ledger.statements import Insert

_CLOSE = Insert(groups, ("id", "destination", "closed"), replaced=("closed",))


def close(connection: Connection, destination: str, why: dict[str, str]) -> None:
    """Close these groups, each for its reason."""
    _CLOSE.run(connection, [(group, destination, word) for group, word in sorted(why.items())])
