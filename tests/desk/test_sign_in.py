"""Signing in and out: who gets in, for how long, and how often somebody may guess."""

from datetime import timedelta

import pytest
from sqlalchemy import text, update

from gateway.desk import Desk
from gateway.ledger.accounts import login_limit, users
from gateway.ledger.accounts.login_limit import PER_NAME_AND_ADDRESS, Try
from gateway.ledger.accounts.users import Role
from gateway.ledger.schema import audit, sign_in_tries
from tests.desk.conftest import Visitor
from tests.making import rows


def age(desk: Desk, **columns: timedelta) -> None:
    """Let all sessions look so much older."""
    with desk.ledger.write() as connection:
        for name, by in columns.items():
            set_back = text(f"UPDATE sessions SET {name} = {name} - :by")
            connection.execute(set_back, {"by": by // timedelta(microseconds=1)})


def test_a_stranger_is_sent_to_the_sign_in_and_back_to_the_page_that_was_meant(subscriber_answer: Visitor) -> None:
    answer = subscriber_answer.get("/?hours=24")
    assert (answer.status_code, answer.location) == (302, "/sign-in?next=/?hours%3D24")
    assert subscriber_answer.sign_in("ana", next="/?hours=24").location == "/?hours=24"


@pytest.mark.parametrize("there", ["https://example.com/", "//example.com", "/\\example.com", "", "/\nx"])
def test_signing_in_leads_to_no_other_host(subscriber_answer: Visitor, there: str) -> None:
    assert subscriber_answer.sign_in("ana", next=there).location == "/"


@pytest.mark.parametrize(("name", "password"), [("ana", "wrong password"), ("nobody", "correct horse battery")])
def test_a_wrong_password_and_an_unknown_name_are_told_alike(
    subscriber_answer: Visitor, name: str, password: str
) -> None:
    answer = subscriber_answer.sign_in(name, password)
    assert (answer.status_code, "Name or password is wrong." in answer.text) == (401, True)
    assert subscriber_answer.get("/").status_code == 302


def test_whoever_signs_out_is_out_also_with_a_cookie_that_was_kept(viewer: Visitor) -> None:
    cookie = viewer.client.get_cookie("lumail-gateway")
    assert cookie is not None
    assert viewer.post("/sign-out").location == "/sign-in"
    viewer.client.set_cookie("lumail-gateway", cookie.value)
    assert viewer.get("/").status_code == 302


def test_the_cookie_is_for_this_site_and_not_for_scripts(subscriber_answer: Visitor) -> None:
    subscriber_answer.get("/sign-in")
    told = subscriber_answer.post("/sign-in", name="ana", password="correct horse battery").headers["Set-Cookie"]
    assert told.split("; ")[1:] == ["HttpOnly", "Path=/", "SameSite=Lax"]


def test_a_session_ends_when_nobody_asked_for_anything_for_an_hour(desk_parts: Desk, viewer: Visitor) -> None:
    age(desk_parts, seen_at=timedelta(minutes=59))
    assert viewer.get("/").status_code == 200
    age(desk_parts, seen_at=timedelta(minutes=59))
    assert viewer.get("/").status_code == 200
    age(desk_parts, seen_at=timedelta(minutes=61))
    assert viewer.get("/").status_code == 302


def test_what_a_page_asks_for_by_itself_keeps_no_session_alive(desk_parts: Desk, viewer: Visitor) -> None:
    age(desk_parts, seen_at=timedelta(minutes=59))
    assert viewer.get("/", Desk_Live="1").status_code == 200
    age(desk_parts, seen_at=timedelta(minutes=2))
    answer = viewer.get("/", Desk_Live="1", HX_Request="true", HX_Current_URL="http://localhost/?hours=24")
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/sign-in?next=/?hours%3D24")


def test_a_session_ends_after_twelve_hours_however_much_it_is_used(desk_parts: Desk, viewer: Visitor) -> None:
    age(desk_parts, made_at=timedelta(hours=12))
    assert viewer.get("/").status_code == 302


def test_a_new_role_password_or_a_removal_ends_all_sessions_of_that_person(
    desk_parts: Desk, viewer: Visitor, operator: Visitor, admin: Visitor, password_hash: str
) -> None:
    users.change_role(desk_parts.ledger, "vera", Role.OPERATOR, "test")
    users.change_password(desk_parts.ledger, "ana", password_hash, "test")
    users.remove(desk_parts.ledger, "otto", "test")
    assert [visitor.get("/").status_code for visitor in (viewer, operator, admin)] == [302, 302, 302]


def test_after_five_failures_a_name_waits_at_that_address_and_not_at_another(subscriber_answer: Visitor) -> None:
    assert [subscriber_answer.sign_in("ana", "wrong password").status_code for _ in range(5)] == [401] * 5
    refused = subscriber_answer.sign_in("ana")
    assert (refused.status_code, "Too many tries. Try again in 1 second." in refused.text) == (429, True)
    subscriber_answer.client.environ_base["REMOTE_ADDR"] = "203.0.113.7"
    assert subscriber_answer.sign_in("ana").status_code == 303


def test_each_further_failure_doubles_the_wait_up_to_a_quarter_of_an_hour() -> None:
    waits = [PER_NAME_AND_ADDRESS.wait(failed).total_seconds() for failed in (0, 4, 5, 6, 9, 14, 15, 10_000)]
    assert waits == [0, 0, 1, 2, 16, 512, 900, 900]


def test_wrong_passwords_from_one_address_keep_nobody_else_there_out(subscriber_answer: Visitor) -> None:
    for number in range(30):
        subscriber_answer.sign_in(f"otto-{number}", "wrong password")
    assert subscriber_answer.sign_in("ana").status_code == 303


def test_a_refused_try_writes_nothing_and_made_up_names_fill_no_table(desk_parts: Desk) -> None:
    ledger, tried = desk_parts.ledger, Try("ana", "203.0.113.7")
    assert [login_limit.begin(ledger, tried) is None for _ in range(6)] == [True] * 5 + [False]
    before = rows(ledger, sign_in_tries, "subject", "failed")
    assert login_limit.begin(ledger, tried) is not None
    assert rows(ledger, sign_in_tries, "subject", "failed") == before
    subjects = {one for number in range(20_000) for one in Try(f"name {number}", "203.0.113.7").limits()}
    assert len(subjects) <= 2 * login_limit.DIFFERENT


def test_refused_sign_ins_and_sign_outs_stand_in_the_audit_log(desk_parts: Desk, viewer: Visitor) -> None:
    viewer.post("/sign-out")
    for name in ("ana", "a password in the wrong field"):
        viewer.sign_in(name, "wrong password")
    assert [row[:3] for row in rows(desk_parts.ledger, audit, "who", "action", "subject")][-3:] == [
        ("vera", "sign out", "vera"),
        ("somebody", "sign in refused", "ana"),
        ("somebody", "sign in refused", "a name that nobody has"),
    ]


def test_a_proxy_that_is_not_trusted_is_told(subscriber_answer: Visitor) -> None:
    subscriber_answer.client.environ_base["HTTP_X_FORWARDED_FOR"] = "198.51.100.7"
    assert "trusted_proxies" in subscriber_answer.sign_in("ana", "wrong password").text


def test_addresses_of_one_ipv6_network_count_as_one(desk_parts: Desk) -> None:
    tries = [Try("ana", f"2001:db8::{number}") for number in range(6)]
    assert [login_limit.begin(desk_parts.ledger, tried) is None for tried in tries] == [True] * 5 + [False]


def test_a_right_password_forgets_the_failures_and_counts_for_nothing(
    desk_parts: Desk, subscriber_answer: Visitor
) -> None:
    for _ in range(4):
        subscriber_answer.sign_in("ana", "wrong password")
    subscriber_answer.sign_in("ana")
    assert sorted(row[1] for row in rows(desk_parts.ledger, sign_in_tries, "subject", "failed")) == [4, 4]


def test_failures_are_forgotten_after_a_quarter_of_an_hour(desk_parts: Desk) -> None:
    ledger, tried = desk_parts.ledger, Try("ana", "203.0.113.7")
    for _ in range(5):
        login_limit.begin(ledger, tried)
    with ledger.write() as connection:
        connection.execute(update(sign_in_tries).values(until=ledger.now(connection)))
    assert login_limit.begin(ledger, tried) is None
    assert {row[1] for row in rows(ledger, sign_in_tries, "subject", "failed")} == {1}


def test_sign_ins_stand_in_the_audit_log(desk_parts: Desk, admin: Visitor) -> None:
    assert rows(desk_parts.ledger, audit, "who", "action", "subject", "after")[-1] == (
        "ana",
        "sign in",
        "ana",
        {"from": "127.0.0.1"},
    )
