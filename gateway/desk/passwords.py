"""Passwords: hashed with argon2id, looked at by few threads at a time, generated where nobody wants to invent one."""

import secrets
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.errors import CommandError, UnavailableError

SHORTEST = 10
LONGEST = 200

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id"""

_AT_ONCE = threading.BoundedSemaphore(2)
"""Each look takes 19 MB and some 20 ms of a core: strangers must not take more than this from the webhooks."""

_WAIT = 3.0
"""Seconds for one's turn."""

_NOBODY = _HASHER.hash(secrets.token_urlsafe())
"""Looked at where nobody has the name, so that an answer's time does not tell who there is."""


def hashed(password: str) -> str:
    """Raises CommandError for one that is too short."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise CommandError(f"a password has {SHORTEST} to {LONGEST} characters")
    return _HASHER.hash(password)


def fits(password_hash: str | None, password: str) -> bool:
    """None is a person whom there is not. Raises UnavailableError where too many want to know at once."""
    if not _AT_ONCE.acquire(timeout=_WAIT):
        raise UnavailableError("too many sign in at once: try again in a few seconds")
    try:
        return _HASHER.verify(password_hash or _NOBODY, password[:LONGEST]) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False
    finally:
        _AT_ONCE.release()


def generated() -> str:
    return secrets.token_urlsafe(15)
