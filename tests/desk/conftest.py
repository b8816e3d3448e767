"""The desk as Flask serves it: people of every role in front of one ledger, on each kind of database."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.config import Flags
from gateway.desk import Desk, desk, passwords
from gateway.intake.route import routes
from gateway.ledger.accounts import users
from gateway.ledger.accounts.users import Role
from gateway.ledger.database import Ledger
from gateway.runtime.wakeups import Wakeups
from gateway.startup import configured
from gateway.translation.registry import adapters
from tests.cli.conftest import CONFIGURATION, NOWHERE
from tests.making import beat_all

PASSWORD = "correct horse battery"
NAMES = {Role.VIEWER: "vera", Role.OPERATOR: "otto", Role.ADMIN: "ana"}


@dataclass
class Visitor:
    """Somebody's browser: it keeps cookies, and sends the token of the last page with each form."""

    client: FlaskClient
    token: str = field(default="")

    def get(self, path: str, **headers: str) -> TestResponse:
        answer = self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        found = re.search(r'name="csrf_token" value="([^"]+)"', answer.text)
        self.token = found[1] if found else self.token
        return answer

    def post(self, path: str, **fields: Any) -> TestResponse:
        return self.client.post(path, data={"csrf_token": self.token, **fields})

    def page(self, path: str) -> str:
        answer = self.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return answer.text

    def sign_in(self, name: str, password: str = PASSWORD, **fields: str) -> TestResponse:
        self.get("/sign-in")
        answer = self.post("/sign-in", name=name, password=password, **fields)
        self.get("/")  # for the token of the new session
        return answer


@pytest.fixture(scope="session")
def password_hash() -> str:
    """Of PASSWORD; made once, since making one takes its time."""
    return passwords.hashed(PASSWORD)


@pytest.fixture
def desk_parts(ledger: Ledger, tmp_path: Path) -> Desk:
    file = tmp_path / "gateway.yaml"
    file.write_text(CONFIGURATION)
    environ = {
        "GATEWAY_SECRET_KEY": "key-of-the-tests" * 2,
        "LUMAIL_API_TOKEN": "lum_for_tests",
        "LUMAIL_URL": NOWHERE,
        "STRIPE_WEBHOOK_SECRET": "whsec_for_tests_of_commands_and_other_things",
        "SENDGRID_WEBHOOK_PUBLIC_KEY": adapters()["sendgrid"].scheme({}).generate().verifying,
    }
    config = configured(Flags(file=file, data=tmp_path / "var"), environ)
    known = adapters()
    beat_all(ledger)
    return Desk(ledger, config, routes(config, known), known, Wakeups("redis://127.0.0.1:9"))


@pytest.fixture
def app(desk_parts: Desk, password_hash: str) -> Flask:
    """The desk alone, with one person of each role."""
    for role, name in NAMES.items():
        users.add(desk_parts.ledger, name, role, password_hash, "test")
    made = Flask("test", static_folder=None)
    made.secret_key = desk_parts.config.secret_key
    for blueprint in desk(desk_parts):
        made.register_blueprint(blueprint)
    return made


@pytest.fixture
def subscriber_answer(app: Flask) -> Visitor:
    return Visitor(app.test_client())


def _signed_in(app: Flask, role: Role) -> Visitor:
    visitor = Visitor(app.test_client())
    assert visitor.sign_in(NAMES[role]).status_code == 303
    return visitor


@pytest.fixture
def viewer(app: Flask) -> Visitor:
    return _signed_in(app, Role.VIEWER)


@pytest.fixture
def operator(app: Flask) -> Visitor:
    return _signed_in(app, Role.OPERATOR)


@pytest.fixture
def admin(app: Flask) -> Visitor:
    return _signed_in(app, Role.ADMIN)


@pytest.fixture
def visitors(app: Flask) -> dict[Role | None, Visitor]:
    """One of each role, and a stranger under None."""
    signed_in: dict[Role | None, Visitor] = {role: _signed_in(app, role) for role in NAMES}
    return {None: Visitor(app.test_client()), **signed_in}
