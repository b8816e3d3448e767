"""How often a sign-in may fail: counted in the ledger, so that all web processes agree, and forgotten after a while.

A try is counted before the password is looked at, so tries side by side are not more than tries one after another.
The narrowest limit is that of a name from one address, so a stranger locks out that address alone, unless it has many.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, or_, select, update
from sqlalchemy import func as sql

from gateway.ledger.database import Ledger
from gateway.ledger.identity import fingerprint
from gateway.ledger.schema import sign_in_tries

FORGOTTEN_AFTER = timedelta(minutes=15)
"""From the first of a row of failures on."""

PER_NAME_AND_ADDRESS = 5
PER_ADDRESS = 20
PER_NAME = 50

REMOVED_AT_ONCE = 500

SIGN_INS = ("(sign-in)",)
"""The writer lock of this table; no destination has that name."""


@dataclass(frozen=True)
class Try:
    """Who says to be somebody, from where. IPv6 addresses count by /64: one customer has so many."""

    name: str
    address: str

    def limits(self) -> dict[str, int]:
        """What the try counts for, with how many may fail."""
        place = _network(self.address)
        return {
            _subject("both", self.name, place): PER_NAME_AND_ADDRESS,
            _subject("address", place): PER_ADDRESS,
            _subject("name", self.name): PER_NAME,
        }


def begin(ledger: Ledger, tried: Try) -> timedelta | None:
    """Count a try, or say how long until there may be one; a refused try writes nothing."""
    limits = tried.limits()
    with ledger.read() as connection:
        waits = _waits(connection, limits, ledger.now(connection))
    if waits is not None:
        return waits
    with ledger.write(SIGN_INS) as connection:
        now = ledger.now(connection)
        waits = _waits(connection, limits, now)
        if waits is None:
            _forget_old(connection, now)
            for subject in limits:
                _count(connection, subject, now)
    return waits


def succeeded(connection: Connection, tried: Try) -> None:
    """The right password: its failures from there are forgotten. In a transaction with the lock SIGN_INS."""
    both, *others = tried.limits()
    connection.execute(delete(sign_in_tries).where(sign_in_tries.c.subject == both))
    connection.execute(
        update(sign_in_tries)
        .where(sign_in_tries.c.subject.in_(others), sign_in_tries.c.failed > 0)
        .values(failed=sign_in_tries.c.failed - 1)
    )


def _waits(connection: Connection, limits: dict[str, int], now: datetime) -> timedelta | None:
    used_up = [
        (sign_in_tries.c.subject == subject) & (sign_in_tries.c.failed >= most) for subject, most in limits.items()
    ]
    query = select(sql.max(sign_in_tries.c.until)).where(or_(*used_up), sign_in_tries.c.until > now)
    until: datetime | None = connection.execute(query).scalar_one()
    return None if until is None else until - now


def _count(connection: Connection, subject: str, now: datetime) -> None:
    counted = connection.execute(
        update(sign_in_tries)
        .where(sign_in_tries.c.subject == subject, sign_in_tries.c.until > now)
        .values(failed=sign_in_tries.c.failed + 1)
    )
    if counted.rowcount == 0:
        connection.execute(delete(sign_in_tries).where(sign_in_tries.c.subject == subject))
        connection.execute(sign_in_tries.insert().values(subject=subject, failed=1, until=now + FORGOTTEN_AFTER))


def _forget_old(connection: Connection, now: datetime) -> None:
    old = select(sign_in_tries.c.subject).where(sign_in_tries.c.until <= now).limit(REMOVED_AT_ONCE)
    connection.execute(delete(sign_in_tries).where(sign_in_tries.c.subject.in_(old.scalar_subquery())))


def _subject(kind: str, *parts: str) -> str:
    """Names are as long as a stranger likes, fingerprints are not."""
    return f"{kind}:{fingerprint(repr(parts))}"


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return str(ipaddress.ip_network((found, 64 if found.version == 6 else 32), strict=False))
