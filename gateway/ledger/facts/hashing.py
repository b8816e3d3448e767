"""Keyed hashes of names: a key, a person or a memory key is recognised when it is told again, and can't be read."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, bindparam, insert, select

from gateway.ledger.database import Ledger
from gateway.ledger.schema import keys, marks
from gateway.ledger.statements import Among, Prepared

SALT = "salt"
"""The mark that holds it. It stays in the ledger: whoever has the whole ledger can try names out, nobody else can."""

PREFIX = "#"
"""What a hashed key begins with; no key in clear does, since each begins with its adapter's name."""

_EVERYBODY = "marks"
_SALT = Prepared(select(marks.c.value).where(marks.c.name == SALT))
_GROUPS = Prepared(
    select(keys.c.key, keys.c.group).where(keys.c.destination == bindparam("its_destination"), Among(keys.c.key))
)


def ensure_salt(ledger: Ledger) -> bytes:
    """The ledger's salt, made where there is none yet."""
    with ledger.write([_EVERYBODY]) as connection:
        known = _stored_salt(connection)
        if known is None:
            known = secrets.token_hex(32)
            connection.execute(insert(marks).values(name=SALT, value=known))
    return bytes.fromhex(known)


def salt(connection: Connection) -> bytes | None:
    """The salt, None as long as nothing was ever hashed; once there is one it is read once a connection."""
    known: bytes | None = connection.info.get(SALT)
    if known is None:
        found = _stored_salt(connection)
        if found is None:
            return None
        known = connection.info[SALT] = bytes.fromhex(found)
    return known


def _stored_salt(connection: Connection) -> str | None:
    return next((value for (value,) in _SALT.rows(connection)), None)


def hashed(its_salt: bytes, name: str) -> str:
    """What stands in the place of a name; what is hashed already stays as it is."""
    if name.startswith(PREFIX):
        return name
    digest = hmac.digest(its_salt, name.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return PREFIX + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def groups_of(connection: Connection, destination: str, names: Iterable[str]) -> Mapping[str, str]:
    """The groups of those keys that are kept as hashes only."""
    its_salt = salt(connection)
    if its_salt is None:
        return {}
    plain = {hashed(its_salt, name): name for name in names}
    return {plain[key]: group for key, group in _GROUPS.among(connection, list(plain), its_destination=destination)}


def hash_keys(connection: Connection, its_salt: bytes, destination: str, groups: Iterable[str]) -> int:
    """Replace the keys of these groups by their hashes; how many that changed."""
    query = select(keys.c.key).where(
        keys.c.destination == destination, keys.c.group.in_(sorted(set(groups))), keys.c.key.not_like(f"{PREFIX}%")
    )
    plain = list(connection.execute(query).scalars())
    if plain:
        statement = (
            keys.update()
            .where(keys.c.destination == destination, keys.c.key == bindparam("plain"))
            .values(key=bindparam("its_hash"))
        )
        connection.execute(statement, [{"plain": key, "its_hash": hashed(its_salt, key)} for key in plain])
    return len(plain)
