"""The gate: each view with each role and with none, forms without a token, headers."""

from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.routing import Rule

from gateway.desk.access import Role
from gateway.desk.setting import HEADERS
from tests.desk.conftest import Visitor

OPEN = {"desk.static", "access.sign_in", "access.take_sign_in"}
"""What answers without sign-in."""


def views(app: Flask) -> Iterator[tuple[str, Rule, str]]:
    """Every method of every path of the desk, with `x` for each of its variables."""
    for rule in app.url_map.iter_rules():
        path = "".join("x" if is_dynamic else part for is_dynamic, part in rule._trace).removeprefix("|")
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield method, rule, path


def test_without_sign_in_nothing_but_the_sign_in_answers(app: Flask, subscriber_answer: Visitor) -> None:
    subscriber_answer.get("/sign-in")
    found = {
        (method, path): subscriber_answer.client.open(
            path, method=method, data={"csrf_token": subscriber_answer.token}
        ).status_code
        for method, rule, path in views(app)
        if rule.endpoint not in OPEN
    }
    assert found == {(method, path): 302 if method == "GET" else 401 for method, path in found}


def test_each_view_is_open_to_its_role_and_those_above_and_closed_below(
    app: Flask, visitors: dict[Role | None, Visitor]
) -> None:
    """A view that lets somebody in answers anything but 403; what it answers is its own tests' business."""
    let_in, expected = {}, {}
    for method, rule, path in views(app):
        needed = getattr(app.view_functions[rule.endpoint], "allowed", None)
        if needed is None or rule.endpoint == "access.sign_out":
            continue
        for role in Role:
            visitor = visitors[role]
            answer = visitor.client.open(path, method=method, data={"csrf_token": visitor.token})
            let_in[method, path, role] = answer.status_code != 403
            expected[method, path, role] = role.covers(needed)
    assert let_in == expected


def test_every_form_without_a_token_is_refused(app: Flask, admin: Visitor) -> None:
    posts = [(method, path) for method, _, path in views(app) if method != "GET"]
    found = {(method, path): admin.client.open(path, method=method).status_code for method, path in posts}
    assert found == dict.fromkeys(posts, 400)


def test_a_token_of_another_session_is_refused(admin: Visitor, viewer: Visitor) -> None:
    admin.token = viewer.token
    assert admin.post("/sign-out").status_code == 400


def test_a_view_that_names_no_role_is_open_to_nobody(app: Flask) -> None:
    app.add_url_rule("/forgotten", endpoint="overview.forgotten", view_func=lambda: "open")
    admin = Visitor(app.test_client())
    assert admin.get("/forgotten").status_code == 403
    admin.sign_in("ana")
    assert admin.get("/forgotten").status_code == 403


@pytest.mark.parametrize(
    ("path", "kept"),
    [("/sign-in", "no-store"), ("/", "no-store"), ("/static/desk.css", "public, max-age=31536000, immutable")],
)
def test_pages_allow_no_inline_script_and_are_not_kept(admin: Visitor, path: str, kept: str) -> None:
    with admin.client.get(path) as answer:
        told = answer.headers
    assert {name: told[name] for name in HEADERS} == HEADERS
    assert (told["Cache-Control"], "unsafe" in told["Content-Security-Policy"]) == (kept, False)


def test_no_page_has_inline_script_or_style(app: Flask, admin: Visitor) -> None:
    for method, rule, path in views(app):
        if method == "GET" and rule.endpoint != "desk.static":
            text = admin.get(path).text
            assert "<style" not in text
            assert " style=" not in text
            assert text.count("<script") == text.count("<script src=")
