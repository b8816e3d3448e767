"""Sessions: who a browser is, as long as it was used lately and did not begin too long ago."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from gateway.ledger.accounts.users import Role
from gateway.ledger.database import Ledger
from gateway.ledger.schema import sessions, users

LONGEST = timedelta(hours=12)
"""From the sign-in on."""

IDLE = timedelta(hours=1)
"""From the last time that a person asked for something; what a page asks for by itself does not count."""

NOTED_EVERY = timedelta(minutes=1)
"""`seen_at` is not written more often."""

REMOVED_AT_ONCE = 500


@dataclass(frozen=True)
class SignedIn:
    """The person behind a session."""

    id: str
    name: str
    role: Role


def begin(connection: Connection, user: str, now: datetime) -> str:
    """The token of a new session, for the browser alone: the ledger keeps its hash."""
    over = select(sessions.c.token_hash).where(sessions.c.made_at < now - LONGEST).limit(REMOVED_AT_ONCE)
    connection.execute(delete(sessions).where(sessions.c.token_hash.in_(over.scalar_subquery())))
    token = secrets.token_urlsafe(32)
    connection.execute(insert(sessions).values(token_hash=_hash(token), user=user, made_at=now, seen_at=now))
    return token


def find(ledger: Ledger, token: str, *, by_person: bool) -> SignedIn | None:
    """Whose session it is; None where there is none or it is over. `by_person` keeps it from being idle."""
    with ledger.read() as connection:
        now = ledger.now(connection)
        row = connection.execute(
            select(users.c.id, users.c.name, users.c.role, sessions.c.seen_at)
            .join_from(sessions, users, sessions.c.user == users.c.id)
            .where(
                sessions.c.token_hash == _hash(token),
                sessions.c.made_at > now - LONGEST,
                sessions.c.seen_at > now - IDLE,
            )
        ).first()
    if row is None:
        return None
    if by_person and row.seen_at <= now - NOTED_EVERY:
        with ledger.write() as connection:
            connection.execute(update(sessions).where(sessions.c.token_hash == _hash(token)).values(seen_at=now))
    return SignedIn(row.id, row.name, Role(row.role))


def end(connection: Connection, token: str) -> None:
    connection.execute(delete(sessions).where(sessions.c.token_hash == _hash(token)))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
