"""Other settings and other processes while webhooks come: nothing is refused, lost or doubled."""

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import requests
import yaml

from gateway.desk import passwords
from gateway.ledger.accounts import users
from gateway.ledger.accounts.users import Role
from gateway.ledger.database import Ledger
from gateway.ledger.schema import audit
from gateway.runtime.supervised import last_reload
from tests.crash import steady
from tests.crash.installation import (
    Installation,
    Setup,
    installation,
    stand_in,
    up,
)
from tests.making import rows
from tests.waiting import eventually


def test_webhooks_pass_through_reloads_and_restarts_on_a_passed_socket(tmp_path: Path, sqlite_url: str) -> None:
    found = steady.through_changes(tmp_path, sqlite_url, reloads=1, restarts=1, patience=250)
    print(found.told())
    assert (found.refused, found.lost, found.doubled, found.reloads) == ((), 0, 0, 1)


def test_settings_that_are_at_fault_change_nothing_and_are_told(tmp_path: Path, sqlite_url: str) -> None:
    with installation(tmp_path, sqlite_url, Setup(web=1, workers=1)) as running:
        before = {one.pid for part in ("web", "worker") for one in running.parts(part)}
        file = tmp_path / "gateway.yaml"
        good = file.read_text()
        file.write_text(good.replace('"adapter": "stripe"', '"adapter": "strife"'))
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda: running.lines("reload.refused"))
        told = last_reload(tmp_path / "data")
        assert told is not None
        assert "no such adapter" in told.faults[0]
        assert "STRIPE_WEBHOOK_SECRET" in told.unchangeable
        assert {one.pid for part in ("web", "worker") for one in running.parts(part)} == before
        assert requests.get(f"{running.url}/webhooks/stripe", timeout=10).ok
        file.write_text(good)


def test_a_secret_file_and_a_new_source_are_in_force_after_a_reload(tmp_path: Path, sqlite_url: str) -> None:
    with installation(tmp_path, sqlite_url, Setup(web=1, workers=1)) as running:
        file, secret = tmp_path / "gateway.yaml", tmp_path / "secret"
        secret.write_text("whsec_of_the_second_source")
        document = yaml.safe_load(file.read_text())
        document["sources"]["second"] = {**document["sources"]["stripe"], "secrets": [f"${{file:{secret}}}"]}
        assert requests.get(f"{running.url}/webhooks/second", timeout=10).status_code == 404
        file.write_text(json.dumps(document))
        asked_at_the_desk(running, sqlite_url)
        eventually(lambda: running.lines("reload.done"), within=200, what="the processes are replaced")
        assert requests.get(f"{running.url}/webhooks/second", timeout=10).status_code == 200


def asked_at_the_desk(running: Installation, database_url: str) -> None:
    """By an admin in a browser; it is in the audit log."""
    ledger = Ledger(database_url)
    users.add(ledger, "ana", Role.ADMIN, passwords.hashed("a long password"), "test")
    session = requests.Session()
    form = {"name": "ana", "password": "a long password"}
    for page, action in (("/sign-in", "/sign-in"), ("/settings", "/settings/reload")):
        token = re.search(r'name="csrf_token" value="([^"]+)"', session.get(f"{running.url}{page}", timeout=30).text)
        assert token is not None
        answer = session.post(f"{running.url}{action}", data={"csrf_token": token[1], **form}, timeout=30)
        assert answer.status_code == 200
    assert ("ana", "reload") in rows(ledger, audit, "who", "action")
    ledger.close()


def test_what_only_a_restart_can_change_is_named(tmp_path: Path, sqlite_url: str) -> None:
    (tmp_path / ".env").write_text("GATEWAY_HOST=127.0.0.1\n")
    with installation(tmp_path, sqlite_url, Setup(web=1, workers=1)) as running:
        (tmp_path / ".env").write_text("GATEWAY_HOST=127.0.0.2\n")
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda: running.lines("reload.refused"))
        assert "GATEWAY_HOST was 127.0.0.1 and would be 127.0.0.2: restart" in running.log.read_text()


def test_where_there_is_a_terminal_sighup_tells_of_its_end(tmp_path: Path, sqlite_url: str) -> None:
    setup = Setup(web=1, workers=1)
    with stand_in(setup.lumail) as (_, base_url), in_a_terminal() as within:
        with up(tmp_path, sqlite_url, setup, base_url, within=within) as running:
            os.kill(running.process.pid, signal.SIGHUP)
            assert running.process.wait(40) == 0
        assert running.lines("reload.done") == []


@contextmanager
def in_a_terminal() -> Iterator[tuple[str, ...]]:
    """What makes the command that follows have a controlling terminal."""
    master, slave = os.openpty()
    code = (
        "import fcntl, os, signal, sys, termios; terminal = os.open(sys.argv[1], os.O_RDWR); "
        "signal.signal(signal.SIGHUP, signal.SIG_DFL); "  # who runs the tests may ignore it
        "fcntl.ioctl(terminal, termios.TIOCSCTTY, 0); os.execv(sys.argv[2], sys.argv[2:])"
    )
    try:
        yield (sys.executable, "-c", code, os.ttyname(slave))
    finally:
        with suppress(OSError):
            os.close(master)
            os.close(slave)
