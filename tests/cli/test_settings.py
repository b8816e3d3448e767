"""Which installation a command works on: what was named, what runs, what there is."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.cli import running
from gateway.cli.running import NOTE, noted
from gateway.config import Config, Flags
from gateway.runtime.only_one import only_one
from gateway.startup import configured, prepare
from tests.cli.conftest import NOWHERE, Terminal


@pytest.fixture
def started() -> Iterator[ExitStack]:
    """What is entered here runs until the test is over."""
    with ExitStack() as stack:
        yield stack


def run_up(started: ExitStack, environ: dict[str, str], *, sandbox: bool, port: int = 8000) -> Config:
    """What `up` leaves for others to see, and a destination that can be recognised."""
    config = configured(Flags(sandbox=sandbox, port=port), environ)
    prepare(config)
    started.enter_context(only_one(config.data))
    started.enter_context(noted(config, f"http://127.0.0.1:{port}"))
    return config


def base_url(terminal: Terminal, *words: str) -> str:
    """By which the installation is recognised that a command works on."""
    url: str = terminal.document("destinations", "list", *words)["destinations"][0]["base_url"]
    return url


def test_nothing_was_started_yet(live_environ: dict[str, str], tmp_path: Path) -> None:
    said = Terminal(live_environ).run("status", status=2).stderr
    assert said.startswith(f"no ledger at {tmp_path}/var/gateway.db: nothing was started on this data folder yet")
    assert not (tmp_path / "var").exists()


def test_a_database_without_tables_is_told_in_words(live_environ: dict[str, str], postgresql_url: str) -> None:
    said = Terminal({**live_environ, "DATABASE_URL": postgresql_url}).run("status", status=1).stderr
    assert said.startswith("the database is empty, this version works with schema ")


def test_the_sandbox_that_runs_is_found_without_a_word(started: ExitStack, live_environ: dict[str, str]) -> None:
    file = Path(live_environ["GATEWAY_CONFIG"])
    file.write_text(file.read_text().replace("${LUMAIL_URL}", NOWHERE))  # a stranger's shell has no such variable
    run_up(started, live_environ, sandbox=True, port=8500)
    anybody = Terminal({name: live_environ[name] for name in ("GATEWAY_DATA",)})
    assert base_url(anybody) == "http://127.0.0.1:8501/api/v1"
    folder = f"{live_environ['GATEWAY_DATA']}/sandbox"
    assert anybody.run("status").stderr == f"sandbox in {folder} (`lumail-gateway up` runs there)\n"


def test_the_live_one_comes_first_and_the_sandbox_when_it_is_asked_for(
    started: ExitStack, live_environ: dict[str, str]
) -> None:
    live = run_up(started, live_environ, sandbox=False)
    run_up(started, live_environ, sandbox=True, port=8500)
    terminal = Terminal(live_environ)
    assert base_url(terminal) == live.destinations["main"].base_url
    assert base_url(terminal, "--sandbox") == "http://127.0.0.1:8501/api/v1"


def test_a_live_ledger_is_not_passed_over_for_a_sandbox_that_runs(
    started: ExitStack, live_environ: dict[str, str]
) -> None:
    run_up(started, live_environ, sandbox=True, port=8500)
    terminal = Terminal(live_environ)
    assert base_url(terminal) == "http://127.0.0.1:8501/api/v1"
    prepare(configured(Flags(), live_environ))
    assert base_url(terminal) == live_environ["LUMAIL_URL"]


def test_another_configuration_than_the_running_one_is_obeyed(
    started: ExitStack, live_environ: dict[str, str], tmp_path: Path
) -> None:
    run_up(started, live_environ, sandbox=True)
    prepare(configured(Flags(), live_environ))
    copy = tmp_path / "other.yaml"
    copy.write_text(Path(live_environ["GATEWAY_CONFIG"]).read_text())
    assert base_url(Terminal(live_environ), "--config", str(copy)) == live_environ["LUMAIL_URL"]


def test_a_sandbox_that_does_not_run_is_hinted_at(live_environ: dict[str, str]) -> None:
    prepare(configured(Flags(sandbox=True), live_environ))
    del live_environ["LUMAIL_API_TOKEN"]
    terminal = Terminal(live_environ)
    said = terminal.run("status", status=2).stderr.splitlines()
    assert said[-1] == f"There is a sandbox in {live_environ['GATEWAY_DATA']}/sandbox: add --sandbox if you mean that."
    terminal.run("status", "--sandbox")


def test_the_note_holds_no_secret_and_goes_with_the_one_who_wrote_it(
    live_environ: dict[str, str], tmp_path: Path
) -> None:
    with ExitStack() as started:
        config = run_up(started, live_environ, sandbox=False)
        note = json.loads((config.data / NOTE).read_text())
        assert set(note["environ"]) == {"GATEWAY_CONFIG", "GATEWAY_DATA", "GATEWAY_HOST", "PORT"}
        assert running.find(config.data) == running.Running(**note)
    assert not (tmp_path / "var" / NOTE).exists()


def test_the_note_of_one_that_was_killed_is_not_believed(live_environ: dict[str, str]) -> None:
    config = configured(Flags(sandbox=True), live_environ)
    config.data.mkdir(parents=True, exist_ok=True)
    with noted(config, "http://127.0.0.1:8000"):
        assert running.find(config.data) is None
