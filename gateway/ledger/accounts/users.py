"""Who may use the desk and as what; each change ends that person's sessions and is kept in the audit log."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select, update
from sqlalchemy import func as sql

from gateway.errors import CommandError
from gateway.ledger.accounts import audit
from gateway.ledger.accounts.audit import Deed
from gateway.ledger.database import Ledger
from gateway.ledger.identity import new_id
from gateway.ledger.schema import sessions, users

USERS = ("(people)",)
"""The writer lock of this table, so that two who remove one another leave one; no destination has that name."""

LONGEST_NAME = 100


class Role(StrEnum):
    """What a person may do: look; put right what went wrong; decide who else may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def covers(self, other: "Role") -> bool:
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(other)


@dataclass(frozen=True)
class User:
    """One who may sign in; `password_hash` is argon2's."""

    id: str
    name: str
    role: Role
    made_at: datetime
    password_hash: str


def everybody(connection: Connection) -> tuple[User, ...]:
    return tuple(_person(row) for row in connection.execute(_people().order_by(users.c.name)))


def by_name(connection: Connection, name: str) -> User | None:
    found = connection.execute(_people().where(users.c.name == name)).first()
    return None if found is None else _person(found)


def by_id(connection: Connection, identity: str) -> User | None:
    found = connection.execute(_people().where(users.c.id == identity)).first()
    return None if found is None else _person(found)


def add(ledger: Ledger, name: str, role: Role, password_hash: str, who: str) -> User:
    """Raises CommandError where the name is taken or is none."""
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise CommandError(f"a name has 1 to {LONGEST_NAME} characters, and no space at its ends")
    with ledger.write(USERS) as connection:
        if by_name(connection, name) is not None:
            raise CommandError(f"there is a {name} already")
        now = ledger.now(connection)
        person = User(new_id("us"), name, role, now, password_hash)
        connection.execute(
            insert(users).values(id=person.id, name=name, role=role.value, made_at=now, password_hash=password_hash)
        )
        audit.record(connection, now, Deed(who, "add person", name), None, {"role": role.value})
    return person


def change_role(ledger: Ledger, name: str, role: Role, who: str) -> None:
    """Raises CommandError for the last admin, who can't become less."""
    with ledger.write(USERS) as connection:
        person = _known(connection, name)
        if person.role is role:
            return
        _keep_an_admin(connection, person)
        _change(connection, person, role=role.value)
        deed = Deed(who, "change role", name)
        audit.record(connection, ledger.now(connection), deed, {"role": person.role.value}, {"role": role.value})


def change_password(ledger: Ledger, name: str, password_hash: str, who: str) -> None:
    with ledger.write(USERS) as connection:
        person = _known(connection, name)
        _change(connection, person, password_hash=password_hash)
        audit.record(connection, ledger.now(connection), Deed(who, "change password", name), None, None)


def remove(ledger: Ledger, name: str, who: str) -> None:
    """What the person did stays in the audit log. Raises CommandError for the last admin."""
    with ledger.write(USERS) as connection:
        person = _known(connection, name)
        _keep_an_admin(connection, person)
        _change(connection, person)
        connection.execute(delete(users).where(users.c.id == person.id))
        deed = Deed(who, "remove person", name)
        audit.record(connection, ledger.now(connection), deed, {"role": person.role.value}, None)


def _change(connection: Connection, person: User, **columns: str) -> None:
    """Change these columns, and end the person's sessions everywhere."""
    if columns:
        connection.execute(update(users).where(users.c.id == person.id).values(columns))
    connection.execute(delete(sessions).where(sessions.c.user == person.id))


def _keep_an_admin(connection: Connection, person: User) -> None:
    admins = connection.execute(select(sql.count()).where(users.c.role == Role.ADMIN.value)).scalar_one()
    if person.role is Role.ADMIN and admins == 1:
        raise CommandError(f"{person.name} is the only admin; make somebody else one first")


def _known(connection: Connection, name: str) -> User:
    person = by_name(connection, name)
    if person is None:
        raise CommandError(f"there is no {name}: `lumail-gateway users list` shows who there is")
    return person


def _people() -> Select[Any]:
    return select(users.c.id, users.c.name, users.c.role, users.c.made_at, users.c.password_hash)


def _person(row: Any) -> User:
    return User(row.id, row.name, Role(row.role), row.made_at, row.password_hash)
