"""Whether webhooks can be kept now, and how delivery stands besides."""

from dataclasses import dataclass

from gateway.errors import LedgerUnavailableError
from gateway.events import Lane
from gateway.ledger import heartbeats
from gateway.ledger.database import Ledger
from gateway.ledger.recording.rehearsal import rehearse
from gateway.ledger.views import gauges

PATIENCE = 4.0
"""Seconds: as long as the door waits for a commit before it answers 503."""


@dataclass(frozen=True)
class Readiness:
    """`trouble`: why no webhook can be kept, None where one can. The rest is None where the ledger can't be read.

    `oldest_urgent_seconds` is how long the oldest urgent event has been due, 0 where none is.
    """

    trouble: str | None
    workers: int | None = None
    oldest_urgent_seconds: float | None = None


def readiness(ledger: Ledger) -> Readiness:
    try:
        rehearse(ledger)
    except LedgerUnavailableError as error:
        return Readiness(str(error))
    try:
        with ledger.read() as connection:
            now = ledger.now(connection)
            alive = heartbeats.alive(connection, now)
            due = gauges.oldest_due(connection, now)
    except LedgerUnavailableError as error:
        return Readiness(str(error))
    workers = sum(one.identity.role == heartbeats.WORKER for one in alive)
    oldest = max((seconds for (_, lane), seconds in due.items() if lane is Lane.URGENT), default=0.0)
    return Readiness(None, workers, round(oldest, 1))
