"""Who drains a destination, and when a drain is of use: one at a time, by the database's clock."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, or_, select, update
from sqlalchemy import func as sql

from gateway.ledger.schema import destinations
from gateway.ledger.statements import Prepared

LEASE = timedelta(seconds=10)

LONGEST_SLEEP = timedelta(minutes=5)
"""Where something waits, a drain looks at least this often, for clocks that are set back."""


_DUE = (
    select(destinations.c.name)
    .where(
        or_(destinations.c.wake_at <= bindparam("now"), destinations.c.wake_at > bindparam("sleeps_until")),
        or_(
            destinations.c.lease_until.is_(None),
            destinations.c.lease_until <= bindparam("now"),
            destinations.c.lease_until > bindparam("latest"),
        ),
    )
    .order_by(destinations.c.wake_at)
)


def due(connection: Connection, now: datetime) -> list[str]:
    """Destinations that a drain would be of use to, and that nobody drains."""
    return list(
        connection.execute(_DUE, {"now": now, "latest": now + LEASE, "sleeps_until": now + LONGEST_SLEEP}).scalars()
    )


_NEXT_WAKE = select(sql.min(destinations.c.wake_at)).where(destinations.c.wake_at > bindparam("now"))


def next_wake(connection: Connection, now: datetime) -> datetime | None:
    """When a drain will be of use next to a destination to which none is now."""
    at: datetime | None = connection.execute(_NEXT_WAKE, {"now": now}).scalar_one()
    return at


def take(connection: Connection, destination: str, owner: str, now: datetime) -> bool:
    """Whether `owner` drains the destination from now on, for LEASE, renewed by each turn.

    A lease that ends later than one can was taken before the clock was set back, and has ended.
    """
    taken = connection.execute(
        update(destinations)
        .where(
            destinations.c.name == destination,
            or_(
                destinations.c.lease_until.is_(None),
                destinations.c.lease_until <= now,
                destinations.c.lease_until > now + LEASE,
            ),
        )
        .values(lease_owner=owner, lease_until=now + LEASE)
    )
    return taken.rowcount == 1


_RENEW = (
    update(destinations)
    .where(
        destinations.c.name == bindparam("destination_name"),
        destinations.c.lease_owner == bindparam("its_owner"),
        destinations.c.lease_until > bindparam("now"),
    )
    .values(lease_until=bindparam("until"))
)


def renew(connection: Connection, destination: str, owner: str, now: datetime) -> bool:
    """Whether the lease is the owner's still, and for LEASE from now."""
    renewed = connection.execute(
        _RENEW, {"destination_name": destination, "its_owner": owner, "now": now, "until": now + LEASE}
    )
    return renewed.rowcount == 1


def give_back(connection: Connection, destination: str, owner: str, wake_at: datetime | None) -> None:
    """End the lease; the tick calls for a drain from `wake_at` on, None: when something new comes."""
    connection.execute(
        update(destinations)
        .where(destinations.c.name == destination, destinations.c.lease_owner == owner)
        .values(lease_owner=None, lease_until=None, wake_at=wake_at)
    )


_WAKE = Prepared(
    update(destinations)
    .where(
        destinations.c.name == bindparam("destination_name"),
        destinations.c.wake_at.is_(None) | (destinations.c.wake_at > bindparam("at")),
    )
    .values(wake_at=bindparam("at"))
)


def wake(connection: Connection, destination: str, at: datetime) -> None:
    """See to it that the destination is drained from `at` on."""
    _WAKE.run(connection, destination_name=destination, at=at)
