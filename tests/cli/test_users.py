"""The commands `users`: a password is asked for or made up, and shown once."""

import pytest

from gateway.desk import passwords
from gateway.ledger.accounts import users as desk_users
from gateway.ledger.database import Ledger
from gateway.ledger.schema import audit, users
from tests.cli.conftest import Terminal
from tests.making import rows


def hash_of(ledger: Ledger, name: str) -> str:
    with ledger.read() as connection:
        person = desk_users.by_name(connection, name)
    assert person is not None
    return person.password_hash


def test_a_password_that_is_made_up_is_printed_and_fits(terminal: Terminal, ledger: Ledger) -> None:
    (line,) = terminal.lines("users", "add", "ana", "--role", "admin", "--generate")
    told, _, password = line.rpartition(" ")
    assert told == "ana may sign in as admin, with the password"
    assert passwords.fits(hash_of(ledger, "ana"), password)


def test_a_password_is_asked_for_twice(terminal: Terminal, ledger: Ledger) -> None:
    terminal.run("users", "add", "ana", stdin="correct horse\ncorrect horse\n")
    assert passwords.fits(hash_of(ledger, "ana"), "correct horse")


def test_a_short_password_is_refused(terminal: Terminal, ledger: Ledger) -> None:
    result = terminal.run("users", "add", "ana", status=2, stdin="short\nshort\n")
    assert "a password has 10 to 200 characters" in result.stderr
    assert rows(ledger, users, "name") == []


def test_people_are_listed_changed_and_removed(terminal: Terminal, ledger: Ledger) -> None:
    for name, role in (("ana", "admin"), ("ben", "viewer")):
        terminal.run("users", "add", name, "--role", role, "--generate")
    terminal.run("users", "role", "ben", "operator")
    terminal.run("users", "password", "ben", "--generate")
    listed = terminal.document("users", "list")
    assert [(one["name"], one["role"]) for one in listed] == [("ana", "admin"), ("ben", "operator")]
    terminal.run("users", "remove", "ben")
    assert rows(ledger, users, "name") == [("ana",)]
    assert [row[0] for row in rows(ledger, audit, "action")] == [
        "add person",
        "add person",
        "change role",
        "change password",
        "remove person",
    ]


@pytest.mark.parametrize("command", [("role", "ana", "viewer"), ("remove", "ana")])
def test_the_last_admin_stays(terminal: Terminal, command: tuple[str, ...]) -> None:
    terminal.run("users", "add", "ana", "--role", "admin", "--generate")
    assert "ana is the only admin" in terminal.run("users", *command, status=2).stderr


def test_whom_there_is_not_is_said(terminal: Terminal) -> None:
    assert "there is no ben" in terminal.run("users", "role", "ben", "viewer", status=2).stderr
