"""A terminal in front of an installation: its configuration, its ledger, and commands as somebody types them."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.ledger.database import Ledger
from gateway.translation.registry import adapters
from tests.making import beat_all

CONFIGURATION = """\
destinations:
  main:
    api_token: ${LUMAIL_API_TOKEN}
    base_url: ${LUMAIL_URL}
    plan: premium
  other:
    api_token: ${LUMAIL_API_TOKEN}
    base_url: ${LUMAIL_URL}
sources:
  stripe:
    adapter: stripe
    destination: main
    secrets: ["${STRIPE_WEBHOOK_SECRET}"]
    accept_test_events: true
  sendgrid:
    adapter: sendgrid
    destination: main
    secrets: ["${SENDGRID_WEBHOOK_PUBLIC_KEY}"]
"""

NOWHERE = "http://127.0.0.1:9/api/v1"
"""Where nobody answers (the port of `discard`)."""


@dataclass(frozen=True)
class Terminal:
    """Runs commands with this environment on top of the process's own."""

    environ: Mapping[str, str] = field(default_factory=dict)

    def run(self, *words: str, status: int | None = 0, stdin: str | bytes | None = None) -> Result:
        """`status` None: any that is no crash."""
        result = CliRunner().invoke(main, words, input=stdin, env=dict(self.environ), prog_name="lumail-gateway")
        if status is None:
            assert result.exception is None or isinstance(result.exception, SystemExit), result.output
            return result
        assert (result.exit_code, result.exception if result.exit_code not in (0, 1, 2) else None) == (status, None), (
            result.output
        )
        return result

    def document(self, *words: str, status: int = 0, stdin: str | bytes | None = None) -> Any:
        """What a command says with --json."""
        return json.loads(self.run(*words, "--json", status=status, stdin=stdin).stdout)

    def lines(self, *words: str, status: int = 0) -> list[str]:
        return self.run(*words, status=status).stdout.splitlines()


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC, on whatever machine."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def live_environ(tmp_path: Path) -> dict[str, str]:
    """A live installation's environment; its ledger is SQLite in the data folder and not made yet."""
    file = tmp_path / "gateway.yaml"
    file.write_text(CONFIGURATION)
    return {
        "GATEWAY_CONFIG": str(file),
        "GATEWAY_DATA": str(tmp_path / "var"),
        "GATEWAY_SECRET_KEY": "key-of-the-tests" * 2,
        "LUMAIL_API_TOKEN": "lum_for_tests",
        "LUMAIL_URL": NOWHERE,
        "STRIPE_WEBHOOK_SECRET": "whsec_for_tests_of_commands_and_other_things",
        "SENDGRID_WEBHOOK_PUBLIC_KEY": adapters()["sendgrid"].scheme({}).generate().verifying,
    }


@pytest.fixture
def terminal(live_environ: dict[str, str], database_url: str, ledger: Ledger) -> Terminal:
    """A terminal in front of the fixture `ledger`, on each kind of database, whose processes live."""
    beat_all(ledger)
    return Terminal({**live_environ, "DATABASE_URL": database_url})
