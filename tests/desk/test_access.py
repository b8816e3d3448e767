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


NEEDED: dict[str, Role] = {
    "access.sign_out": Role.VIEWER,
    "adapters.page": Role.VIEWER,
    "adapters.show": Role.VIEWER,
    "adapters.try_out": Role.VIEWER,
    "audit.page": Role.OPERATOR,
    "changes.actions": Role.VIEWER,
    "changes.again": Role.OPERATOR,
    "changes.cancel": Role.OPERATOR,
    "changes.decide_event": Role.OPERATOR,
    "changes.edit": Role.OPERATOR,
    "changes.replay": Role.OPERATOR,
    "changes.take_edit": Role.OPERATOR,
    "changes.translate_again": Role.OPERATOR,
    "destinations.accept": Role.OPERATOR,
    "destinations.mix": Role.OPERATOR,
    "destinations.pause": Role.OPERATOR,
    "destinations.resume": Role.OPERATOR,
    "destinations.show": Role.VIEWER,
    "dismissals.page": Role.VIEWER,
    "dismissals.put": Role.OPERATOR,
    "dismissals.undo": Role.OPERATOR,
    "events.look": Role.OPERATOR,
    "events.news": Role.VIEWER,
    "events.page": Role.VIEWER,
    "events.show": Role.VIEWER,
    "overview.charts": Role.VIEWER,
    "overview.page": Role.VIEWER,
    "replays.begin": Role.OPERATOR,
    "replays.cancel": Role.OPERATOR,
    "replays.new": Role.OPERATOR,
    "replays.page": Role.VIEWER,
    "replays.show": Role.VIEWER,
    "settings.page": Role.ADMIN,
    "settings.reload": Role.ADMIN,
    "sources.show": Role.VIEWER,
    "users.add": Role.ADMIN,
    "users.change_own": Role.VIEWER,
    "users.change_password": Role.ADMIN,
    "users.change_role": Role.ADMIN,
    "users.own": Role.VIEWER,
    "users.page": Role.ADMIN,
    "users.remove": Role.ADMIN,
    "webhooks.explain": Role.VIEWER,
    "webhooks.news": Role.VIEWER,
    "webhooks.page": Role.VIEWER,
    "webhooks.show": Role.VIEWER,
}
"""The least role that each view is for, written down a second time: whoever changes one has to mean it."""

COVERED = {
    Role.VIEWER: {Role.VIEWER},
    Role.OPERATOR: {Role.VIEWER, Role.OPERATOR},
    Role.ADMIN: {Role.VIEWER, Role.OPERATOR, Role.ADMIN},
}
"""For which roles' views a role is enough."""


def test_each_endpoint_is_for_the_role_that_the_table_says(app: Flask, visitors: dict[Role | None, Visitor]) -> None:
    """A view that lets somebody in answers anything but 403; what it answers is its own tests' business."""
    asked = [one for one in views(app) if one[1].endpoint not in OPEN]
    assert {rule.endpoint for _, rule, _ in asked} == NEEDED.keys()
    let_in, expected = {}, {}
    for method, rule, path in asked:
        if rule.endpoint == "access.sign_out":
            continue  # it would end the session; who is signed in at all may
        for role in Role:
            visitor = visitors[role]
            answer = visitor.client.open(path, method=method, data={"csrf_token": visitor.token})
            let_in[rule.endpoint, role] = answer.status_code != 403
            expected[rule.endpoint, role] = NEEDED[rule.endpoint] in COVERED[role]
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
