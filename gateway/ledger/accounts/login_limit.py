"""How fast a sign-in may be tried again: counted in the ledger, so that all web processes agree, and forgotten.

A try is counted before the password is looked at, so tries side by side are not more than tries one after another.
After a few failures each one makes the next wait longer: that of the same name from the same address, and for seconds
that of the same name from anywhere. Nobody waits for what others behind the same address do under other names.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from gateway.ledger.database import Ledger
from gateway.ledger.identity import fingerprint
from gateway.ledger.schema import sign_in_tries

FORGOTTEN_AFTER = timedelta(minutes=15)
"""From the last of a row of failures on."""


@dataclass(frozen=True)
class Limit:
    """So many failures cost nothing; each further one doubles the wait, which begins with a second, up to `longest`."""

    free: int
    longest: timedelta

    def wait(self, failed: int) -> timedelta:
        if failed < self.free:
            return timedelta(0)
        return min(timedelta(seconds=2 ** min(failed - self.free, 20)), self.longest)


PER_NAME_AND_ADDRESS = Limit(5, timedelta(minutes=15))
PER_NAME = Limit(50, timedelta(seconds=5))

DIFFERENT = 4096
"""Names are told apart by so many numbers: whoever makes names up fills no table with them."""

NOTED = 20
"""Refusals from one address that stand in the audit log, until none of them is remembered."""

REMOVED_AT_ONCE = 500

SIGN_INS = ("(sign-in)",)
"""The writer lock of this table; no destination has that name."""


@dataclass(frozen=True)
class Try:
    """Who says to be somebody, from where. IPv6 addresses count by /64: one customer has so many."""

    name: str
    address: str

    def limits(self) -> dict[str, Limit]:
        """What the try counts for, with how fast that may be tried."""
        number, place = int(fingerprint(self.name)[-8:], 16) % DIFFERENT, _network(self.address)
        return {_subject("both", str(number), place): PER_NAME_AND_ADDRESS, _subject("name", str(number)): PER_NAME}


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


def refused(connection: Connection, tried: Try, now: datetime) -> bool:
    """Count a refusal; whether it is to stand in the audit log. In a transaction with the lock SIGN_INS."""
    subject = _subject("turned away", _network(tried.address))
    _count(connection, subject, now)
    query = select(sign_in_tries.c.failed).where(sign_in_tries.c.subject == subject)
    return int(connection.execute(query).scalar_one()) <= NOTED


def _waits(connection: Connection, limits: dict[str, Limit], now: datetime) -> timedelta | None:
    query = select(sign_in_tries).where(sign_in_tries.c.subject.in_(limits), sign_in_tries.c.until > now)
    found = connection.execute(query)
    opens = [row.until - FORGOTTEN_AFTER + limits[row.subject].wait(row.failed) for row in found]
    return max((at - now for at in opens if at > now), default=None)


def _count(connection: Connection, subject: str, now: datetime) -> None:
    until = now + FORGOTTEN_AFTER
    counted = connection.execute(
        update(sign_in_tries)
        .where(sign_in_tries.c.subject == subject, sign_in_tries.c.until > now)
        .values(failed=sign_in_tries.c.failed + 1, until=until)
    )
    if counted.rowcount == 0:
        connection.execute(delete(sign_in_tries).where(sign_in_tries.c.subject == subject))
        connection.execute(sign_in_tries.insert().values(subject=subject, failed=1, until=until))


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
