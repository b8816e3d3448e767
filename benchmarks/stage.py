"""What a measurement runs on: new databases, a configured gateway's web processes, a Lumail that answers quickly."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import psutil
import requests

from benchmarks import samples
from gateway.cli.services import WEB_PROCESSES
from gateway.config import Config, Flags, child_environ
from gateway.runtime import web
from gateway.startup import METRICS_FOLDER, configured, prepare
from gateway.translation.signature import KeyPair
from tests.services import Postgres, postgres_server, redis_server

KINDS = ("sqlite", "postgresql")
TOKEN = "lum_of_the_benchmark"

_CONFIGURATION = """
destinations:
  main: {{api_token: "${{LUMAIL_API_TOKEN}}", base_url: "http://127.0.0.1:9/api/v1", requests_per_minute: 1000000}}
sources:
  stripe: {{adapter: stripe, secrets: ["${{STRIPE}}"]}}
  sendgrid: {{adapter: sendgrid, secrets: ["${{SENDGRID}}"], forward: all}}
"""


class Stage:
    """A folder, the databases in it, and what has to be ended when the measurements are over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ends = ExitStack()
        self._postgres: Postgres | None = None
        self._made = 0

    def database(self, kind: str) -> str:
        """The URL of an empty database; PostgreSQL waits for the disk too."""
        self._made += 1
        if kind == "sqlite":
            return f"sqlite:///{self.folder / f'ledger-{self._made}.db'}"
        postgres = self.postgres()
        return postgres.url(self._ends.enter_context(postgres.database()))

    def postgres(self) -> Postgres:
        if self._postgres is None:
            self._postgres = self._ends.enter_context(postgres_server(durable=True))
        return self._postgres

    def new_folder(self, name: str) -> Path:
        self._made += 1
        folder = self.folder / f"{name}-{self._made}"
        folder.mkdir()
        return folder

    def close(self) -> None:
        self._ends.close()


@contextmanager
def stage() -> Iterator[Stage]:
    """In the working directory's file system: a temporary folder may lie in memory, where nothing is durable."""
    folder = Path(mkdtemp(prefix=".benchmark-", dir=Path.cwd()))
    opened = Stage(folder)
    try:
        yield opened
    finally:
        opened.close()
        rmtree(folder)


@dataclass(frozen=True)
class Gateway:
    """A gateway that is configured and prepared, and the environment that its processes run with."""

    config: Config
    env: Mapping[str, str]
    keys: Mapping[str, KeyPair]


@contextmanager
def gateway(on: Stage, database_url: str) -> Iterator[Gateway]:
    """With a private Redis, for the bell to ring at; no worker answers."""
    folder = on.new_folder("gateway")
    keys = {name: samples.key_pair(name) for name in ("stripe", "sendgrid")}
    file = folder / "gateway.yaml"
    file.write_text(_CONFIGURATION.format())
    environ = {
        **os.environ,
        "GATEWAY_CONFIG": str(file),
        "GATEWAY_DATA": str(folder),
        "GATEWAY_SECRET_KEY": "key-of-the-tests" * 2,
        "DATABASE_URL": database_url,
        "LUMAIL_API_TOKEN": TOKEN,
        **{name.upper(): pair.verifying for name, pair in keys.items()},
    }
    environ.pop("REDIS_URL", None)
    config = configured(Flags(), environ)
    prepare(config)
    metrics = folder / METRICS_FOLDER
    metrics.mkdir()
    env = {**child_environ(config, environ), "PROMETHEUS_MULTIPROC_DIR": str(metrics)}
    with redis_server(config.data):
        yield Gateway(config, env, keys)


@dataclass(frozen=True)
class Web:
    """Web processes that answer on a port of this machine."""

    port: int
    processes: tuple[psutil.Process, ...]

    def cpu_seconds(self) -> float:
        times = [process.cpu_times() for process in self.processes]
        return sum(one.user + one.system for one in times)

    def switches(self) -> int:
        """How often their threads gave up their core, or lost it."""
        told = [
            (task / "status").read_text()
            for process in self.processes
            for task in Path(f"/proc/{process.pid}/task").iterdir()
        ]
        return sum(int(number) for one in told for number in re.findall(r"ctxt_switches:\s+(\d+)", one))


@contextmanager
def web_processes(on: Stage, application: str, env: Mapping[str, str]) -> Iterator[Web]:
    """Started as `up` starts them; what they log goes into a file."""
    listener = web.listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    with (on.folder / "web.log").open("ab") as log:
        running = [
            subprocess.Popen(
                child.command_line, env=dict(child.env), pass_fds=[listener.fileno()], stdout=log, stderr=log
            )
            for child in web.children(listener, WEB_PROCESSES, env, application)
        ]
    listener.close()
    try:
        requests.get(f"http://127.0.0.1:{port}/webhooks/nobody", timeout=120)
        time.sleep(0.5)  # one answers; the others, started with it, have this long
        yield Web(port, tuple(psutil.Process(one.pid) for one in running))
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.wait(30)


@contextmanager
def lumail(latency_ms: int) -> Iterator[str]:
    """The sandbox in a process of its own, everything in memory; its base URL."""
    running = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.lumail", str(latency_ms)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert running.stdout is not None
        found = re.search(r"http://\S+", running.stdout.readline())
        assert found is not None, "the sandbox did not start"
        yield f"{found[0]}/api/v1"
    finally:
        running.terminate()
        running.wait(30)
