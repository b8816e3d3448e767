"""The currencies in which a destination is told of money: Lumail adds all of a subscriber up in one number.

A second one makes that number wrong, so it needs a person until somebody decided: with `other_currencies` in the
configuration, or by saying here that they may be mixed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from gateway.events import MONEY_TYPES
from gateway.ledger.event import Event
from gateway.ledger.schema import currencies
from gateway.ledger.statements import Insert
from gateway.ledger.status import Reason

_MEET = Insert(currencies, ("destination", "currency", "met_at", "event"), replaced=())


@dataclass(frozen=True)
class Mixed:
    """A destination's own currency, the first other one, since when and with which event, and how many others."""

    destination: str
    own: str
    other: str
    event: str
    since: datetime
    count: int

    @property
    def text(self) -> str:
        more = "" if self.count == 1 else f" and {self.count - 1} more"
        return f"{self.destination} is told of money in {self.other}{more} beside {self.own}"


def meet(connection: Connection, destination: str, made: Iterable[Event], now: datetime) -> None:
    """Note the currencies of new events; those that the configuration keeps from Lumail are not mixed with others."""
    first: dict[str, str] = {}
    for event in made:
        if event.type in MONEY_TYPES and event.currency is not None and event.reason != Reason.OTHER_CURRENCY:
            first.setdefault(event.currency, event.id)
    if first:
        _MEET.run(connection, [(destination, currency, now, event) for currency, event in sorted(first.items())])


def undecided(connection: Connection, own: Mapping[str, str | None]) -> tuple[Mixed, ...]:
    """Destinations that mix currencies though nobody decided that. `own` are those of which the configuration does not
    decide it, with the currency that it gives them: None: the first that was met.
    """
    query = select(currencies).order_by(currencies.c.destination, currencies.c.met_at, currencies.c.event)
    met: dict[str, list[tuple[str, str, datetime]]] = {}
    settled = set()
    for row in connection.execute(query):
        met.setdefault(row.destination, []).append((row.currency, row.event, row.met_at))
        if row.accepted:
            settled.add(row.destination)
    found = []
    for name, configured in own.items():
        if name in settled or name not in met:
            continue
        mine = configured or met[name][0][0]
        others = [one for one in met[name] if one[0] != mine]
        if others:
            found.append(Mixed(name, mine, *others[0], len(others)))
    return tuple(found)


def accept(connection: Connection, destination: str) -> Sequence[str]:
    """They may be mixed from now on; which ones were met."""
    mine = currencies.c.destination == destination
    connection.execute(update(currencies).where(mine).values(accepted=True))
    return list(connection.execute(select(currencies.c.currency).where(mine).order_by(currencies.c.met_at)).scalars())
