"""Senders who take their time keep nobody else waiting: door, desk and health answer beside them."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import requests

from tests.attack.figures import cost_of
from tests.crash.installation import Installation, Setup, installation, signed_payment
from tests.waiting import eventually

HALF_SENT = 300
IDLE = 2000
GENUINE = 100


@pytest.fixture
def running(tmp_path: Path, installed_url: str) -> Iterator[Installation]:
    with installation(tmp_path, installed_url, Setup(workers=1)) as started:
        yield started


def opened(running: Installation, sent: bytes) -> socket.socket:
    host, _, port = running.url.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.sendall(sent)
    return connection


def half_sent(number: int) -> bytes:
    """Some to a source, some to one that is not there, some to the desk; some of a large body."""
    path = ("/webhooks/stripe", "/webhooks/nobody", "/sign-in")[number % 3]
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {10_000_000 if number % 2 else 2000}\r\n\r\n"
    return head.encode() + b"x" * (100_000 if number % 20 == 1 else 1000)


def test_genuine_webhooks_are_answered_beside_300_half_sent_bodies_and_2000_idle_connections(
    running: Installation,
) -> None:
    with ExitStack() as ends:
        idle = [ends.enter_context(closing(opened(running, b""))) for _ in range(IDLE)]
        slow = [ends.enter_context(closing(opened(running, half_sent(number)))) for number in range(HALF_SENT)]
        with cost_of(f"{HALF_SENT} half-sent bodies and {IDLE} idle connections", running) as cost:
            for _ in range(GENUINE):
                cost.genuine()
        assert cost.statuses == {200}
        assert requests.get(f"{running.url}/healthz", timeout=10).json() == {"status": "ok"}
        assert requests.get(f"{running.url}/sign-in", timeout=10).status_code == 200
        assert (len(idle), len(slow)) == (IDLE, HALF_SENT)
    eventually(lambda: len(running.sandbox.events()) == GENUINE, within=30, what="all are delivered")


def posted(name: str, running: Installation) -> requests.Response:
    webhook = signed_payment(name)
    return requests.post(f"{running.url}/webhooks/stripe", data=webhook.body, headers=dict(webhook.headers), timeout=20)


def test_sigterm_beside_half_sent_bodies_ends_cleanly(running: Installation) -> None:
    with ExitStack() as ends:
        for number in range(HALF_SENT):
            ends.enter_context(closing(opened(running, half_sent(number))))
        assert posted("00001", running).status_code == 200
        running.process.terminate()
        assert running.process.wait(40) == 0
    assert "child.killed" not in running.log.read_text()
