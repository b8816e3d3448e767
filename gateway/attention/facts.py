"""What is known at a moment, gathered once: the looks for what needs a person ask nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.config import Config
from gateway.errors import LedgerUnavailableError
from gateway.ledger import heartbeats
from gateway.ledger.database import Ledger
from gateway.ledger.heartbeats import Process
from gateway.ledger.migration import oldest_schema
from gateway.ledger.recording.rehearsal import rehearse
from gateway.ledger.status import Status
from gateway.ledger.views import gauges, troubles
from gateway.ledger.views.overview import Overview, overview
from gateway.ledger.views.troubles import OpenPause, Refused


@dataclass(frozen=True)
class Watched:
    """What is watched: an installation's configuration, and which of its sources' secrets are weak."""

    config: Config
    weak_secrets: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """`trouble` is why nothing can be written into the ledger, None where something can.

    `overview` and what follows are None and empty where it can't even be read.
    """

    watched: Watched
    trouble: str | None = None
    overview: Overview | None = None
    pauses: tuple[OpenPause, ...] = ()
    processes: tuple[Process, ...] = ()
    worker_seen: datetime | None = None
    web_seen: datetime | None = None
    refused: tuple[Refused, ...] = ()
    unavailable: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    due_seconds: Mapping[tuple[str, str], float] = field(default_factory=dict)
    oldest_failed: Mapping[str, datetime] = field(default_factory=dict)
    oldest_held: Mapping[str, datetime] = field(default_factory=dict)
    oldest_quarantined: Mapping[str, datetime] = field(default_factory=dict)
    oldest_undecided: datetime | None = None
    oldest_heard: datetime | None = None
    lumail_clocks: Mapping[str, timedelta] = field(default_factory=dict)
    oldest_schema: str = ""
    """The oldest schema whose programs may still write; a process of an older one takes nothing."""

    def living(self, role: str) -> list[Process]:
        return [one for one in self.processes if one.identity.role == role]


def trouble_of(ledger: Ledger) -> str | None:
    """Why no webhook could be kept now, None where one could."""
    try:
        rehearse(ledger)
    except LedgerUnavailableError as error:
        return str(error)
    return None


def gathered(ledger: Ledger, watched: Watched, trouble: str | None) -> Facts:
    """`trouble` as above. Raises nothing because of the ledger: that it can't be used is one of the facts."""
    try:
        with ledger.read() as connection:
            return _read(connection, ledger.now(connection), watched, trouble)
    except LedgerUnavailableError as error:
        return Facts(watched, trouble or str(error))


def _read(connection: Connection, now: datetime, watched: Watched, trouble: str | None) -> Facts:
    found = overview(connection, now, watched.config.plans, watched.config.sources, watched.config.mixing)
    failed = [one.name for one in found.destinations if one.failed]
    held = [one.name for one in found.destinations if one.held]
    quarantined = [one.name for one in found.sources if one.quarantined]
    return Facts(
        watched=watched,
        trouble=trouble,
        overview=found,
        pauses=troubles.open_pauses(connection, now),
        processes=tuple(heartbeats.alive(connection, now)),
        worker_seen=heartbeats.last_seen(connection, heartbeats.WORKER),
        web_seen=heartbeats.last_seen(connection, heartbeats.WEB),
        refused=troubles.refused(connection, {one.name: one.last_webhook_at for one in found.sources}),
        unavailable=troubles.unavailable(connection, now),
        due_seconds={(name, lane.word): s for (name, lane), s in gauges.oldest_due(connection, now).items()},
        oldest_failed=troubles.oldest_of(connection, failed, Status.FAILED),
        oldest_held=troubles.oldest_of(connection, held, Status.HELD),
        oldest_quarantined=troubles.oldest_quarantined(connection, quarantined),
        oldest_undecided=troubles.oldest_undecided(connection) if found.undecided else None,
        oldest_heard=troubles.oldest_heard(connection) if found.heard_only else None,
        lumail_clocks=troubles.lumail_clocks(connection),
        oldest_schema=oldest_schema(connection),
    )
