"""What was seen of a destination's Lumail: how it behaves where its documentation is silent, and whose it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy import func as sql

from gateway.ledger.scheduling.attempt import Settlement
from gateway.ledger.schema import destinations


@dataclass(frozen=True)
class Observed:
    """What was seen of a destination's Lumail: whether it keeps extra keys, its clock, how long a read lags behind.

    `organization` is Lumail's id of it, None where no answer named it yet. `on_trial`: the token is new, and whether
    it is the same organization's was not seen yet.
    """

    echo: bool | None
    clock_offset: timedelta
    read_lag: timedelta
    organization: str | None = None
    on_trial: bool = False


def read(connection: Connection, destination: str) -> Observed:
    row = connection.execute(
        select(
            destinations.c.echo,
            destinations.c.clock_offset_ms,
            destinations.c.read_lag_ms,
            destinations.c.organization,
            destinations.c.on_trial,
        ).where(destinations.c.name == destination)
    ).one()
    return Observed(
        row.echo,
        timedelta(milliseconds=row.clock_offset_ms or 0),
        timedelta(milliseconds=row.read_lag_ms or 0),
        row.organization,
        row.on_trial,
    )


@dataclass(frozen=True)
class Tried:
    """What a person had tried at Lumail; None: that stays unknown, and what was known before stays as it is.

    `takes_delayed`: EMAIL_DELIVERY_DELAYED is recorded. `unknown_answered` is the status that an event of a subscriber
    gets whom nobody has. `reset_moves`: the time that the rate headers name goes on as time does.
    """

    echo: bool | None = None
    read_lag: timedelta | None = None
    takes_delayed: bool | None = None
    unknown_answered: int | None = None
    reset_moves: bool | None = None


def keep(connection: Connection, destination: str, tried: Tried, now: datetime) -> None:
    """Keep what was tried."""
    values: dict[str, Any] = {
        name: getattr(tried, name) for name in ("echo", "takes_delayed", "unknown_answered", "reset_moves")
    }
    if tried.read_lag is not None:
        lag = max(tried.read_lag, read(connection, destination).read_lag)
        values["read_lag_ms"] = round(lag / timedelta(milliseconds=1))
    known = {name: value for name, value in values.items() if value is not None}
    connection.execute(update(destinations).where(destinations.c.name == destination).values(**known, probed_at=now))


def learn(connection: Connection, destination: str, settlements: Sequence[Settlement]) -> None:
    values: dict[str, Any] = {}
    for one in settlements:
        if one.clock_offset_ms is not None:
            values["clock_offset_ms"] = one.clock_offset_ms
        if one.echo is not None:
            values["echo"] = one.echo
        if one.organization is not None:
            values["organization"] = one.organization
        if one.trusted:
            values["on_trial"] = False
        if one.read_lag_ms is not None:
            lag = one.read_lag_ms
            values["read_lag_ms"] = sql.coalesce(
                select(sql.max(destinations.c.read_lag_ms))
                .where(destinations.c.name == destination, destinations.c.read_lag_ms > lag)
                .scalar_subquery(),
                lag,
            )
    if values:
        connection.execute(update(destinations).where(destinations.c.name == destination).values(**values))
