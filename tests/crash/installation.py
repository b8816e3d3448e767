"""A whole live installation as an operator starts it, the Lumail that it delivers to, and a provider that posts."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
import requests

from gateway.lumail.sandbox import Sandbox, SandboxServer, SandboxSettings, create_sandbox, sandbox_of
from gateway.translation.registry import adapters, default_sample
from gateway.translation.sample import freshen
from gateway.translation.webhook import Webhook
from tests.waiting import eventually

SECRET = "whsec_of_the_crash_test"
TOKEN = "lum_of_the_crash_test"
PARTS = {
    "web": "gateway.server",
    "worker": "gateway.cli worker",
    "redis": "unixsocket:",
}
"""How each part of an installation is known by its command line."""

CONFIGURATION = """
destinations:
  main:
    api_token: "${{LUMAIL_API_TOKEN}}"
    base_url: "{base_url}"
    requests_per_minute: 100000
    doubt_seconds: {{money: 5, other: 5}}
sources:
  stripe: {{adapter: stripe, secrets: ["${{STRIPE_WEBHOOK_SECRET}}"], settle_seconds: 0, accept_test_events: true}}
"""


@dataclass(frozen=True)
class Installation:
    """`up`, running on a folder and a database."""

    process: "subprocess.Popen[bytes]"
    url: str
    log: Path
    sandbox: Sandbox

    def parts(self, part: str) -> list[psutil.Process]:
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if PARTS[part] in " ".join(child.cmdline()):
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

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=1).ok
        except requests.RequestException:
            return False


@contextmanager
def installation(
    folder: Path, database_url: str, *, web: int = 2, workers: int = 2, environ: Mapping[str, str] | None = None
) -> Iterator[Installation]:
    """Runs `lumail-gateway up`, live, against a sandbox in this process."""
    app = create_sandbox(SandboxSettings(api_tokens=(TOKEN,)))
    with SandboxServer(app) as lumail:
        file = folder / "gateway.yaml"
        file.write_text(CONFIGURATION.format(base_url=lumail.base_url))
        port = free_port()
        log = folder / "up.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "gateway.cli", "up", "--web", str(web), "--workers", str(workers)],
                env={**os.environ, **_settings(file, folder, database_url, port), **(environ or {})},
                stdout=output,
                stderr=output,
            )
        running = Installation(process, f"http://127.0.0.1:{port}", log, sandbox_of(app))
        try:
            eventually(running.is_ready, within=30, what=f"the installation answers; see {log}")
            yield running
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(40)
            finally:
                process.kill()
    sandbox_of(app).close()


def _settings(file: Path, folder: Path, database_url: str, port: int) -> dict[str, str]:
    return {
        "GATEWAY_CONFIG": str(file),
        "GATEWAY_DATA": str(folder / "data"),
        "DATABASE_URL": database_url,
        "PORT": str(port),
        "GATEWAY_SECRET_KEY": "x" * 32,
        "LUMAIL_API_TOKEN": TOKEN,
        "STRIPE_WEBHOOK_SECRET": SECRET,
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Stripe:
    """Posts webhooks as Stripe does: signed afresh at each try, until it is answered 200, and now and then again."""

    url: str
    posted: int = 0
    refused: list[int] = field(default_factory=list)
    acknowledged: dict[str, str] = field(default_factory=dict)
    """Payment number to the id of the webhook that was acknowledged."""
    events: dict[str, set[str]] = field(default_factory=dict)
    """Payment number to the ids of events that receipts named."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def post_all(self, numbers: range, *, threads: int = 12, gives_up_after: float = 120) -> None:
        waiting = iter(numbers)
        deadline = time.monotonic() + gives_up_after

        def work() -> None:
            session = requests.Session()
            while True:
                with self._lock:
                    number = next(waiting, None)
                if number is None:
                    return
                self._post_until_acknowledged(session, f"{number:05d}", deadline)
                time.sleep(random.uniform(0, 0.2))
                if number % 10 == 0:
                    self._post(session, f"{number:05d}")

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for one in workers:
            one.start()
        for one in workers:
            one.join()

    def _post_until_acknowledged(self, session: requests.Session, number: str, deadline: float) -> None:
        while not self._post(session, number):
            assert time.monotonic() < deadline, f"payment {number} was never acknowledged"
            time.sleep(random.uniform(0.05, 0.3))

    def _post(self, session: requests.Session, number: str) -> bool:
        webhook = signed_payment(number)
        try:
            answer = session.post(
                f"{self.url}/webhooks/stripe", data=webhook.body, headers=dict(webhook.headers), timeout=6
            )
        except requests.RequestException:
            return False
        with self._lock:
            self.posted += 1
            if answer.status_code != 200:
                self.refused.append(answer.status_code)
                return False
            receipt = answer.json()
            self.acknowledged[number] = receipt["webhook"]
            self.events.setdefault(number, set()).update(receipt["events"])
        return True


def signed_payment(number: str) -> Webhook:
    """The sample payment as one of its own, by this number and of a subscriber of its own, signed now."""
    stripe = adapters()["stripe"]
    now = datetime.now(UTC)
    sample = freshen(default_sample("stripe"), now, number).webhook("stripe", "", now)
    body = sample.body.replace(b"Ana@Example.com", f"s{number}@example.com".encode())
    return stripe.scheme({}).sign(replace(sample, body=body), SECRET, now)


@contextmanager
def killing(running: Installation, parts: tuple[str, ...], every: tuple[float, float]) -> Iterator["Counter[str]"]:
    """While the block lasts, something dies every so many seconds; what died is counted."""
    ends = threading.Event()
    killed: Counter[str] = Counter()

    def kill() -> None:
        while not ends.wait(random.uniform(*every)):
            part = random.choice(parts)
            killed[part] += running.kill(part)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        ends.set()
        thread.join()
