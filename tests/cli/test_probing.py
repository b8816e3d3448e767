"""`probe`: says what it does before it does it, and what it found."""

from collections.abc import Iterator

import pytest

from gateway.ledger.database import Ledger
from gateway.ledger.schema import destinations
from gateway.lumail.client import Lumail, SubscriberDetails
from gateway.lumail.sandbox import Sandbox, SandboxServer, SandboxSettings, create_sandbox, sandbox_of
from tests.cli.conftest import Terminal
from tests.making import rows

WORDS = ("probe", "--subscriber", "Me@example.com", "--destination", "main")


@pytest.fixture
def lumail() -> Iterator[tuple[Sandbox, str]]:
    app = create_sandbox(SandboxSettings(api_tokens=("lum_for_tests",)))
    with SandboxServer(app) as server:
        yield sandbox_of(app), server.base_url
    sandbox_of(app).close()


@pytest.fixture
def standing(terminal: Terminal, lumail: tuple[Sandbox, str], ledger: Ledger) -> Terminal:
    client = Lumail(lumail[1], "lum_for_tests")
    client.upsert_subscriber(SubscriberDetails("me@example.com"))
    client.close()
    return Terminal({**terminal.environ, "LUMAIL_URL": lumail[1]})


def test_it_tells_what_it_would_send_and_sends_nothing_unasked(standing: Terminal, lumail: tuple[Sandbox, str]) -> None:
    told = standing.run(*WORDS, status=2).output
    assert ("real events are recorded for me@example.com" in told, "add --yes" in told) == (True, True)
    assert lumail[0].events() == []


def test_it_says_a_line_for_each_question(standing: Terminal, ledger: Ledger) -> None:
    lines = standing.lines(*WORDS, "--yes")
    assert [line.split()[0] for line in lines[:6]] == ["found", "found", "found", "found", "unknown", "unknown"]
    assert lines[6] == "6 requests, 2 events recorded; kept for main"
    assert [name for name, at in rows(ledger, destinations, "name", "probed_at") if at is not None] == ["main"]


@pytest.mark.parametrize(
    ("named", "words"),
    [((), "say which with --destination: there is main, other"), (("--destination", "x"), "no destination x")],
)
def test_where_there_are_several_one_is_named(standing: Terminal, named: tuple[str, ...], words: str) -> None:
    assert words in standing.run(*WORDS[:3], *named, "--yes", status=2).output
