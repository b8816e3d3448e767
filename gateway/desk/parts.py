"""What the desk's pages work with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from flask import current_app, g

from gateway.config import Config
from gateway.intake.route import Route
from gateway.ledger.database import Ledger
from gateway.runtime.wakeups import Wakeups
from gateway.translation.adapter import Adapter

NAME = "desk"


@dataclass(frozen=True)
class Desk:
    """One a web process. `routes` are the sources that are enabled, `adapters` all that there are."""

    ledger: Ledger
    config: Config
    routes: Mapping[str, Route]
    adapters: Mapping[str, Adapter]
    wakeups: Wakeups
    weak_secrets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    trouble: Callable[[], str | None] = lambda: None
    """Why no webhook could be kept now, as it was found a moment ago."""


def parts() -> Desk:
    """Those of the application that answers."""
    found: Desk = current_app.extensions[NAME]
    return found


def now() -> datetime:
    """The ledger's clock, as it was when this request first asked."""
    if "now" not in g:
        ledger = parts().ledger
        with ledger.read() as connection:
            g.now = ledger.now(connection)
    found: datetime = g.now
    return found
