"""`check`: what is right and what is wrong, each on a line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ledger.database import Ledger
from gateway.ledger.scheduling import places
from gateway.ledger.schema import attempts
from gateway.lumail.sandbox import Sandbox, SandboxServer, SandboxSettings, create_sandbox, sandbox_of
from tests.adapters.cases import ADAPTERS
from tests.cli.conftest import NOWHERE, Terminal
from tests.lumail.proxy import proxy, saying
from tests.making import rows


@pytest.fixture
def lumail() -> Iterator[tuple[Sandbox, str]]:
    app = create_sandbox(SandboxSettings(api_tokens=("lum_for_tests",)))
    with SandboxServer(app) as server:
        yield sandbox_of(app), server.base_url
    sandbox_of(app).close()


def found(terminal: Terminal, status: int) -> dict[str, tuple[bool, str]]:
    document = terminal.document("check", status=status)
    return {one["name"]: (one["ok"], one["detail"]) for one in document["checks"]}


def test_where_all_is_right_every_line_says_so(
    terminal: Terminal, redis_url: str, lumail: tuple[Sandbox, str], ledger: Ledger
) -> None:
    standing = Terminal({**terminal.environ, "REDIS_URL": redis_url, "LUMAIL_URL": lumail[1]})
    checked = found(standing, status=0)
    assert {name: ok for name, (ok, _) in checked.items()} == {
        "adapters": True,
        "configuration": True,
        "database": True,
        "redis": True,
        "source stripe": True,
        "source sendgrid": True,
        "destination main": True,
        "destination other": True,
    }
    assert checked["destination main"][1] == f"{lumail[1]} takes the API token, and answers as Lumail does"
    assert [line.split()[0] for line in standing.lines("check")] == ["ok"] * 8


def test_asking_lumail_counts_against_the_plan(terminal: Terminal, lumail: tuple[Sandbox, str], ledger: Ledger) -> None:
    found(Terminal({**terminal.environ, "LUMAIL_URL": lumail[1]}), status=0)
    assert sorted(rows(ledger, attempts, "destination", "kind", "outcome", "status")) == [
        ("main", "check", "answered", 404),
        ("other", "check", "answered", 404),
    ]


def test_where_the_plan_is_used_up_lumail_is_left_alone(terminal: Terminal, ledger: Ledger) -> None:
    with ledger.write(["other"]) as connection:
        for _ in range(100):
            places.take(connection, "other", "event", 100, ledger.now(connection))
    assert found(terminal, status=1)["destination other"] == (
        True,
        f"{NOWHERE}: not asked, the plan is used up for the moment",
    )


def test_each_fault_is_told_for_itself(live_environ: dict[str, str], lumail: tuple[Sandbox, str]) -> None:
    broken = Terminal(
        {
            **live_environ,
            "DATABASE_URL": "postgresql://nobody:secret@127.0.0.1:9/none",
            "REDIS_URL": "redis://127.0.0.1:9/0",
            "LUMAIL_URL": lumail[1],
            "LUMAIL_API_TOKEN": "lum_revoked",
        }
    )
    checked = found(broken, status=1)
    assert {name: ok for name, (ok, _) in checked.items() if not ok} == {
        "database": False,
        "redis": False,
        "destination main": False,
        "destination other": False,
    }
    assert checked["destination main"][1].endswith(
        "the API token is refused: compare it with the one in Lumail's settings"
    )
    assert "secret" not in str(checked)
    assert "lum_revoked" not in str(checked)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("redirect", "it answered 302, which leads elsewhere"),
        ("elsewhere_404", "the path in base_url is wrong"),
        ("error_502", "it answered 502 with an answer that is not of Lumail's form: a proxy"),
        ("garbage_200", "it answered 200 with an answer that is not of Lumail's form: a proxy"),
        ("403", "the API token lacks a permission"),
        ("error_500_before", "it answered 500"),
    ],
)
def test_what_is_not_lumail_is_told_by_what_it_answers(
    terminal: Terminal, lumail: tuple[Sandbox, str], fault: str, words: str
) -> None:
    lumail[0].fail(fault, call="any")
    ok, detail = found(Terminal({**terminal.environ, "LUMAIL_URL": lumail[1]}), status=1)["destination main"]
    assert (ok, words in detail) == (False, True)


def test_nobody_at_lumails_address_is_a_fault(terminal: Terminal) -> None:
    ok, detail = found(terminal, status=1)["destination main"]
    assert (ok, "no answer from Lumail (Connection refused)" in detail) == (False, True)


def test_what_a_proxy_says_is_told_as_the_proxys(terminal: Terminal) -> None:
    file = Path(terminal.environ["GATEWAY_CONFIG"])
    with proxy(saying(b"HTTP/1.1 407 Who are you\r\n\r\n")) as through:
        file.write_text(
            f"outgoing: {{proxy: 'http://gateway:${{PASSWORD}}@127.0.0.1:{through.port}'}}\n{file.read_text()}"
        )
        checked = found(Terminal({**terminal.environ, "PASSWORD": "hidden"}), status=1)
    told = "no answer from Lumail (the proxy refuses its user and password (407)); nothing was sent"
    assert told in checked["destination main"][1]
    assert "hidden" not in str(checked)


def test_faults_of_the_configuration_are_told_all_at_once(live_environ: dict[str, str]) -> None:
    environ = {**live_environ, "LUMAIL_API_TOKEN": " lum_x", "STRIPE_WEBHOOK_SECRET": "no_prefix"}
    lines = [line for line in Terminal(environ).lines("check", status=1) if line.startswith("fault")]
    place = f"fault  configuration: {live_environ['GATEWAY_CONFIG']}"
    assert lines == [
        f"{place}:3: destinations.main.api_token: has spaces or line ends around it",
        f"{place}:7: destinations.other.api_token: has spaces or line ends around it",
        f"{place}:13: sources.stripe.secrets: should begin with whsec_",
    ]


def test_a_ledger_that_is_not_made_yet_is_no_fault(live_environ: dict[str, str], tmp_path: Path) -> None:
    ok, detail = found(Terminal(live_environ), status=1)["database"]
    assert (ok, detail.endswith("not made yet, the first start makes it")) == (True, True)
    assert not (tmp_path / "var" / "gateway.db").exists()


def test_a_secret_that_could_be_guessed_is_a_fault_and_needs_a_person(terminal: Terminal) -> None:
    weak = Terminal({**terminal.environ, "STRIPE_WEBHOOK_SECRET": "whsec_hunter2"})
    ok, detail = found(weak, status=1)["source stripe"]
    assert not ok
    assert detail.startswith("secret 1 is weak: it is 7 characters long and can be guessed; 32 are the least")
    assert "hunter2" not in detail
    [need] = weak.document("status")["needs_a_person"]
    assert (need["code"], need["subject"], "hunter2" in str(need)) == ("weak_secret", "stripe", False)


PUBLISHED = [(adapter.name, secret) for adapter in ADAPTERS for secret in sorted(adapter.published_secrets)]


def test_there_are_providers_who_publish_a_secret() -> None:
    assert [name for name, _ in PUBLISHED] == ["mailersend", "mandrill"]


@pytest.mark.parametrize(("adapter", "secret"), PUBLISHED)
def test_a_secret_that_a_provider_publishes_is_refused(
    live_environ: dict[str, str], tmp_path: Path, adapter: str, secret: str
) -> None:
    file = tmp_path / "published.yaml"
    file.write_text(
        'destinations: {main: {api_token: "${LUMAIL_API_TOKEN}", base_url: "${LUMAIL_URL}"}}\n'
        f'sources: {{mail: {{adapter: {adapter}, secrets: ["${{PUBLISHED}}"]}}}}\n'
    )
    lines = Terminal({**live_environ, "GATEWAY_CONFIG": str(file), "PUBLISHED": secret}).lines("check", status=1)
    assert any("sources.mail.secrets" in line and "anybody could sign with it" in line for line in lines)
    assert not any(secret in line for line in lines)


def test_a_placeholder_is_refused_by_its_place(live_environ: dict[str, str]) -> None:
    for placeholder in ("whsec_…", "whsec_", "whsec_...", "changeme"):
        lines = Terminal({**live_environ, "STRIPE_WEBHOOK_SECRET": placeholder}).lines("check", status=1)
        assert any("sources.stripe.secrets" in line and "is a placeholder" in line for line in lines)
