"""Other settings and other processes while webhooks come: nothing is refused, lost or doubled."""

import json
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import requests
import yaml

from gateway.desk import passwords
from gateway.ledger.accounts import users
from gateway.ledger.accounts.users import Role
from gateway.ledger.database import Ledger
from gateway.ledger.schema import audit
from gateway.runtime.supervised import last_reload
from tests.crash.installation import (
    Installation,
    Setup,
    installation,
    signed_payment,
    stand_in,
    up,
)
from tests.making import rows
from tests.waiting import eventually

A_SECOND = 60

PATIENCE = 250
"""Seconds that the provider waits for an answer, as long as a busy machine may take to start the next process."""


@dataclass
class Traffic:
    """Webhooks of a provider that never tries twice: each is answered 200, or it is refused."""

    url: str
    sent: int = 0
    refused: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, ends: threading.Event, threads: int) -> None:
        session = requests.Session()
        while not ends.is_set():
            with self._lock:
                self.sent += 1
                name = f"{self.sent:05d}"
            began = time.monotonic()
            webhook = signed_payment(name)
            try:
                answer = session.post(self.url, data=webhook.body, headers=dict(webhook.headers), timeout=PATIENCE)
                wrong = "" if answer.status_code == 200 else str(answer.status_code)
            except requests.RequestException as error:
                wrong = repr(error)
            if wrong:
                self.refused.append(wrong)
            ends.wait(max(0.0, threads / A_SECOND - (time.monotonic() - began)))


@contextmanager
def traffic(running: Installation, threads: int = 12) -> Iterator[Traffic]:
    """While the block lasts, so many webhooks a second."""
    ends, made = threading.Event(), Traffic(f"{running.url}/webhooks/stripe")
    senders = [threading.Thread(target=made.send, args=(ends, threads)) for _ in range(threads)]
    for one in senders:
        one.start()
    try:
        yield made
    finally:
        ends.set()
        for one in senders:
            one.join()


def reloaded(running: Installation) -> None:
    """Once it is done."""
    done = len(running.lines("reload.done"))
    running.process.send_signal(signal.SIGHUP)
    eventually(lambda: len(running.lines("reload.done")) > done, within=200, what="the processes are replaced")


def test_webhooks_pass_through_reloads(tmp_path: Path, sqlite_url: str) -> None:
    with installation(tmp_path, sqlite_url, Setup(web=1, workers=1)) as running:
        before = {one.pid for part in ("web", "worker") for one in running.parts(part)}
        with traffic(running) as made:
            reloaded(running)
        after = {one.pid for part in ("web", "worker") for one in running.parts(part)}
        assert (made.refused, before & after) == ([], set())
        eventually(lambda: len(running.sandbox.events()) >= made.sent, within=60, what="all are delivered")
        assert len(running.sandbox.events()) == made.sent


def test_webhooks_pass_through_restarts_on_a_passed_socket(tmp_path: Path, sqlite_url: str) -> None:
    setup = Setup(web=1, workers=1)
    with (
        socket.create_server(("127.0.0.1", 0), backlog=1024) as listener,
        stand_in(setup.lumail) as (sandbox, base_url),
        ExitStack() as first,
        ExitStack() as sending,
    ):
        running = first.enter_context(up(tmp_path, sqlite_url, setup, base_url, listener=listener))
        made = sending.enter_context(traffic(running))
        first.close()
        with up(tmp_path, sqlite_url, setup, base_url, listener=listener):
            sending.close()
            assert made.refused == []
            eventually(lambda: len(sandbox.events()) >= made.sent, within=100, what="all are delivered")
        assert len(sandbox.events()) == made.sent


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
        "import fcntl, os, sys, termios; terminal = os.open(sys.argv[1], os.O_RDWR); "
        "fcntl.ioctl(terminal, termios.TIOCSCTTY, 0); os.execv(sys.argv[2], sys.argv[2:])"
    )
    try:
        yield (sys.executable, "-c", code, os.ttyname(slave))
    finally:
        with suppress(OSError):
            os.close(master)
            os.close(slave)
