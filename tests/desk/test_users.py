"""Who may use the desk: added, changed and removed by admins; the own password by everybody."""

import re

import pytest

from gateway.desk import Desk
from gateway.errors import CommandError
from gateway.ledger.accounts import users as desk_users
from gateway.ledger.schema import audit, users
from tests.desk.conftest import PASSWORD, Visitor
from tests.making import rows

HOSTILE = "<img src=x onerror=alert(1)>"


def identity(desk: Desk, name: str) -> str:
    with desk.ledger.read() as connection:
        person = desk_users.by_name(connection, name)
    assert person is not None
    return person.id


def shown_password(page: str) -> str:
    found = re.search(r'<code class="secret">([^<]+)</code>', page)
    assert found is not None
    return found[1]


def test_an_admin_adds_somebody_whose_password_is_shown_once(admin: Visitor, subscriber_answer: Visitor) -> None:
    admin.page("/people")
    password = shown_password(admin.post("/people", name="pia", role="operator").text)
    assert password not in admin.page("/people")
    assert subscriber_answer.sign_in("pia", password).status_code == 303
    assert subscriber_answer.get("/audit").status_code == 200


@pytest.mark.parametrize("name", ["", "ana", "a\nb", "x" * 101])
def test_a_name_that_is_taken_or_none_is_refused(desk_parts: Desk, admin: Visitor, name: str) -> None:
    admin.page("/people")
    assert admin.post("/people", name=name, role="viewer").status_code == 409
    assert len(rows(desk_parts.ledger, users, "name")) == 3


def test_a_new_role_holds_from_the_next_sign_in_on(desk_parts: Desk, admin: Visitor, viewer: Visitor) -> None:
    admin.post(f"/people/{identity(desk_parts, 'vera')}/role", role="operator")
    assert viewer.get("/audit").status_code == 302
    viewer.sign_in("vera")
    assert viewer.get("/audit").status_code == 200


def test_a_new_password_replaces_the_old_one(desk_parts: Desk, admin: Visitor, viewer: Visitor) -> None:
    password = shown_password(admin.post(f"/people/{identity(desk_parts, 'vera')}/password").text)
    assert viewer.sign_in("vera").status_code == 401
    assert viewer.sign_in("vera", password).status_code == 303


def test_whoever_is_removed_is_out_at_once(desk_parts: Desk, admin: Visitor, operator: Visitor) -> None:
    admin.post(f"/people/{identity(desk_parts, 'otto')}/remove")
    assert (operator.get("/").status_code, operator.sign_in("otto").status_code) == (302, 401)


def test_the_last_admin_stays_one(desk_parts: Desk, admin: Visitor) -> None:
    ana = identity(desk_parts, "ana")
    answers = [admin.post(f"/people/{ana}/role", role="viewer"), admin.post(f"/people/{ana}/remove")]
    assert [answer.status_code for answer in answers] == [409, 409]
    assert "ana is the only admin; make somebody else one first" in answers[0].text
    with pytest.raises(CommandError, match="only admin"):
        desk_users.remove(desk_parts.ledger, "ana", "test")


def test_somebody_changes_the_own_password_and_signs_in_anew(viewer: Visitor) -> None:
    changed = viewer.post("/password", password=PASSWORD, new="another long one", again="another long one")
    assert (changed.status_code, changed.location) == (303, "/sign-in")
    assert viewer.sign_in("vera", "another long one").status_code == 303


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"password": "wrong password", "new": "another long one", "again": "another long one"}, 401),
        ({"password": PASSWORD, "new": "another long one", "again": "yet another one"}, 409),
        ({"password": PASSWORD, "new": "short", "again": "short"}, 409),
    ],
)
def test_an_own_password_is_not_changed_by_mistake(viewer: Visitor, fields: dict[str, str], status: int) -> None:
    assert viewer.post("/password", **fields).status_code == status
    assert viewer.get("/").status_code == 200


def test_all_that_is_done_to_people_stands_in_the_audit_log_without_passwords(desk_parts: Desk, admin: Visitor) -> None:
    vera = identity(desk_parts, "vera")
    password = shown_password(admin.post(f"/people/{vera}/password").text)
    admin.post(f"/people/{vera}/role", role="admin")
    admin.post(f"/people/{vera}/remove")
    done = rows(desk_parts.ledger, audit, "who", "action", "subject", "before", "after")
    assert done[-3:] == [
        ("ana", "change password", "vera", None, None),
        ("ana", "change role", "vera", {"role": "viewer"}, {"role": "admin"}),
        ("ana", "remove person", "vera", {"role": "admin"}, None),
    ]
    assert password not in str(done)


def test_a_name_is_shown_as_text(admin: Visitor) -> None:
    admin.page("/people")
    page = admin.post("/people", name=HOSTILE, role="viewer").text
    assert HOSTILE not in page + admin.page("/people") + admin.page("/audit")
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
