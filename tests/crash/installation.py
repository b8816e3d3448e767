"""A whole live installation as an operator starts it, the Lumail that it delivers to, and a provider that posts."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import psutil
import requests

from gateway.lumail.sandbox import Sandbox, SandboxServer, SandboxSettings, create_sandbox, sandbox_of
from gateway.translation.registry import adapters, default_sample
from gateway.translation.sample import freshen
from gateway.translation.webhook import Headers, Webhook
from tests.services import free_port
from tests.waiting import eventually

SECRET = "whsec_of_the_crash_test"
TOKEN = "lum_of_the_crash_test"
MAIL = adapters()["sendgrid"].scheme({}).generate()
PARTS = {"web": "web-", "worker": "worker-", "redis": "redis-server"}
"""How the name of each part of an installation begins."""

STRIPE = {
    "adapter": "stripe",
    "secrets": ["${STRIPE_WEBHOOK_SECRET}"],
    "settle_seconds": 0,
    "accept_test_events": True,
}
SENDGRID = {"adapter": "sendgrid", "secrets": ["${SENDGRID_KEY}"], "forward": "all"}


PASSING = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.argv[2], sys.argv[2:])
"""
"""A service manager that passes a socket, and becomes the command that follows."""


@dataclass(frozen=True)
class Setup:
    """How an installation is configured, and the Lumail that it finds.

    `destinations` are options beside token and address, `sources` is all of the section.
    """

    destinations: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"main": {}})
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"stripe": STRIPE})
    lumail: SandboxSettings = field(default_factory=lambda: SandboxSettings(api_tokens=(TOKEN,)))
    web: int = 2
    workers: int = 2

    def document(self, base_url: str) -> str:
        """The configuration file; JSON is YAML too."""
        usual = {
            "api_token": "${LUMAIL_API_TOKEN}",
            "base_url": base_url,
            "requests_per_minute": 100_000,
            "doubt_seconds": {"money": 5, "other": 5},
        }
        destinations = {name: {**usual, **options} for name, options in self.destinations.items()}
        return json.dumps({"destinations": destinations, "sources": self.sources}, indent=2)


_USUAL = Setup()


@dataclass(frozen=True)
class Installation:
    """`up`, running on a folder and a database."""

    process: "subprocess.Popen[bytes]"
    url: str
    log: Path
    base_url: str = ""
    sandbox: Sandbox = field(repr=False, default=None)  # type: ignore[assignment]  # set where Lumail is here too

    def parts(self, part: str) -> list[psutil.Process]:
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if child.name().startswith(PARTS[part]):
                    found.append(child)
        return found

    def kill(self, part: str) -> bool:
        """SIGKILL for one process of this kind; False where none lives, because all are being started again."""
        alive = self.parts(part)
        if not alive:
            return False
        with suppress(psutil.NoSuchProcess):
            random.choice(alive).kill()
        return True

    def lines(self, event: str) -> list[str]:
        """What it logged of one kind."""
        return [line for line in self.log.read_text().splitlines() if f'"event": "{event}"' in line]

    def is_ready(self) -> bool:
        assert self.process.poll() is None, f"it ended at once: {self.log.read_text()[-2000:]}"
        try:
            return requests.get(f"{self.url}/readyz", timeout=1).ok
        except requests.RequestException:
            return False


@contextmanager
def installation(
    folder: Path,
    database_url: str,
    setup: Setup = _USUAL,
    environ: Mapping[str, str] | None = None,
    within: Sequence[str] = (),
    listener: socket.socket | None = None,
) -> Iterator[Installation]:
    """Runs `lumail-gateway up`, live, against a sandbox in this process. `within` stands before the command."""
    with (
        stand_in(setup.lumail) as (sandbox, base_url),
        up(folder, database_url, setup, base_url, environ, within, listener) as running,
    ):
        yield replace(running, sandbox=sandbox)


@contextmanager
def stand_in(settings: SandboxSettings) -> Iterator[tuple[Sandbox, str]]:
    """Lumail, on a thread, with its base URL."""
    app = create_sandbox(settings)
    with SandboxServer(app) as lumail:
        yield sandbox_of(app), lumail.base_url
    sandbox_of(app).close()


@contextmanager
def up(
    folder: Path,
    database_url: str,
    setup: Setup,
    base_url: str,
    environ: Mapping[str, str] | None = None,
    within: Sequence[str] = (),
    listener: socket.socket | None = None,
) -> Iterator[Installation]:
    """Runs `lumail-gateway up` against whatever answers at the base URL; a `listener` is passed as systemd does."""
    file = folder / "gateway.yaml"
    file.write_text(setup.document(base_url))
    port = free_port()
    log = folder / "up.log"
    if listener is not None:
        port = listener.getsockname()[1]
        within = (*within, sys.executable, "-c", PASSING, str(listener.fileno()))
    with log.open("ab") as output:
        process = subprocess.Popen(
            [
                *within,
                sys.executable,
                "-m",
                "gateway.cli",
                "up",
                "--web",
                str(setup.web),
                "--workers",
                str(setup.workers),
            ],
            env={**os.environ, **_settings(file, folder, database_url, port), **(environ or {})},
            stdout=output,
            stderr=output,
            pass_fds=[] if listener is None else [listener.fileno()],
            start_new_session=True,  # no terminal, as a service
        )
    running = Installation(process, f"http://127.0.0.1:{port}", log, base_url)
    try:
        eventually(running.is_ready, within=120, what=f"the installation answers; see {log}")
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        finally:
            process.kill()


def _settings(file: Path, folder: Path, database_url: str, port: int) -> dict[str, str]:
    return {
        "GATEWAY_CONFIG": str(file),
        "GATEWAY_DATA": str(folder / "data"),
        "DATABASE_URL": database_url,
        "PORT": str(port),
        "GATEWAY_SECRET_KEY": "key-of-the-tests" * 2,
        "LUMAIL_API_TOKEN": TOKEN,
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "SENDGRID_KEY": MAIL.verifying,
    }


def settings_of(running: Installation, folder: Path, database_url: str) -> dict[str, str]:
    """The environment of a command beside it."""
    return _settings(folder / "gateway.yaml", folder, database_url, int(running.url.rpartition(":")[2]))


@dataclass(frozen=True)
class Parcel:
    """A webhook that is signed afresh whenever it is posted."""

    name: str
    source: str
    signed: Callable[[], Webhook]


@dataclass
class Provider:
    """Posts webhooks as providers do: signed afresh at each try, until it is answered 200, and now and then again."""

    url: str
    posted: int = 0
    refused: list[int] = field(default_factory=list)
    acknowledged: dict[str, str] = field(default_factory=dict)
    """Name of a parcel to the id of the webhook that was acknowledged."""
    events: dict[str, set[str]] = field(default_factory=dict)
    """Name of a parcel to the ids of events that receipts named."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def post_all(self, parcels: Sequence[Parcel], *, threads: int = 12, gives_up_after: float = 120) -> None:
        waiting = iter(enumerate(parcels))
        deadline = time.monotonic() + gives_up_after

        def work() -> None:
            session = requests.Session()
            while True:
                with self._lock:
                    number, parcel = next(waiting, (0, None))
                if parcel is None:
                    return
                self._post_until_acknowledged(session, parcel, deadline)
                time.sleep(random.uniform(0, 0.2))
                if number % 10 == 0:
                    self._post(session, parcel)

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for one in workers:
            one.start()
        for one in workers:
            one.join()
        missing = [one.name for one in parcels if one.name not in self.acknowledged]
        assert not missing, f"never acknowledged: {missing[:10]}"

    def _post_until_acknowledged(self, session: requests.Session, parcel: Parcel, deadline: float) -> None:
        while not self._post(session, parcel) and time.monotonic() < deadline:
            time.sleep(random.uniform(0.05, 0.3))

    def _post(self, session: requests.Session, parcel: Parcel) -> bool:
        webhook = parcel.signed()
        url = f"{self.url}/webhooks/{parcel.source}"
        try:
            answer = session.post(url, data=webhook.body, headers=dict(webhook.headers), timeout=6)
        except requests.RequestException:
            return False
        with self._lock:
            self.posted += 1
            if answer.status_code != 200:
                self.refused.append(answer.status_code)
                return False
            receipt = answer.json()
            self.acknowledged[parcel.name] = receipt["webhook"]
            self.events.setdefault(parcel.name, set()).update(receipt["events"])
        return True


def payments(numbers: range) -> list[Parcel]:
    """A payment each, of a subscriber of its own."""
    names = [f"{number:05d}" for number in numbers]
    return [Parcel(name, "stripe", partial(signed_payment, name)) for name in names]


def signed_payment(
    number: str, subscriber: str | None = None, cents: int | None = None, source: str = "stripe"
) -> Webhook:
    """The sample payment as one of its own, by this number, signed now."""
    stripe = adapters()["stripe"]
    now = datetime.now(UTC)
    sample = freshen(default_sample("stripe"), now, number).webhook(source, "", now)
    body = sample.body.replace(b"Ana@Example.com", (subscriber or f"s{number}@example.com").encode())
    if cents is not None:
        body = body.replace(b":4999", b":%d" % cents)
    return stripe.scheme({}).sign(replace(sample, body=body), SECRET, now)


def signed_mail(told: Sequence[Mapping[str, Any]], source: str = "sendgrid") -> Webhook:
    """What SendGrid tells in one webhook, signed now."""
    body = json.dumps(told, separators=(",", ":")).encode()
    now = datetime.now(UTC)
    webhook = Webhook(source, "", Headers({"Content-Type": "application/json"}), body, now)
    return adapters()["sendgrid"].scheme({}).sign(webhook, MAIL.signing, now)


class Killable(Protocol):
    """What processes can be killed of."""

    def kill(self, part: str) -> bool: ...

    def is_ready(self) -> bool: ...


@contextmanager
def killing(running: Killable, parts: tuple[str, ...], every: tuple[float, float]) -> Iterator["Counter[str]"]:
    """While the block lasts, something dies every so many seconds; what died is counted."""
    ends = threading.Event()
    killed: Counter[str] = Counter()

    def kill() -> None:
        while not ends.wait(random.uniform(*every)):
            part = random.choice(parts)
            killed[part] += running.kill(part)
            # However slow the machine is, what died comes back before the next one dies.
            while not (running.is_ready() or ends.wait(0.1)):
                continue

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        ends.set()
        thread.join()
