"""What this machine refuses is told as a sentence with its cure, never as a traceback, with exit status 1."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.tryout import ROOT
from tests.disks import on_a_small_disk
from tests.services import free_port


def refusal(*command: str, within: Sequence[str] = (), **environ: str) -> str:
    """What is said by a command that has to fail: one line of error, or a page that shows the trouble."""
    done = subprocess.run(
        [*within, sys.executable, "-m", "gateway.cli", *command],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    return done.stderr.splitlines()[-1] if done.stderr else done.stdout


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        stand_in = f"http://127.0.0.1:{free_port()}/api/v1"
        said = refusal("up", "--sandbox", "--data", str(tmp_path), "--port", str(port), GATEWAY_SANDBOX_URL=stand_in)
    assert said == f"can't listen on 127.0.0.1:{port}: Address already in use. Choose another port with --port or PORT."


@pytest.mark.parametrize("command", [("up",), ("events", "list"), ("status",)])
def test_a_ledger_that_is_damaged(tmp_path: Path, command: Sequence[str]) -> None:
    (tmp_path / "sandbox").mkdir()
    (tmp_path / "sandbox" / "gateway.db").write_text("no database " * 500)
    said = refusal(*command, "--sandbox", "--data", str(tmp_path), PORT="18999")
    assert "the ledger's database can't be used now: file is not a database" in said
    assert "The ledger's file is damaged or something else: put a backup in its place" in said


def test_a_data_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = refusal("up", "--sandbox", "--data", str(tmp_path / "file" / "var"))
    assert said == (
        f"the data folder {tmp_path}/file/var/sandbox can't be written: Not a directory. "
        "Choose another with --data or GATEWAY_DATA."
    )


def test_a_database_that_nobody_answers_for(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    source = "{adapter: sendgrid, enabled: false, secrets: ['${S}']}"
    file.write_text(f"destinations: {{main: {{api_token: '${{TOKEN}}'}}}}\nsources: {{a: {source}}}")
    said = refusal(
        "status",
        *("--config", str(file), "--data", str(tmp_path)),
        DATABASE_URL="postgresql://nobody@127.0.0.1:9/none",
        GATEWAY_SECRET_KEY="made-up-for-one-test-4f9c1e7a-2b8d6035",
        TOKEN="lum_for_tests_only",
    )
    assert "See whether the database of DATABASE_URL runs and takes connections from here." in said


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    said = refusal("up", "--sandbox", "--data", str(tmp_path), within=on_a_small_disk(tmp_path, "64k"), PORT="18999")
    assert "make room" in said.lower()
