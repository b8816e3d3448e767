"""The whole gateway as somebody tries it: `up --sandbox` with the shipped configuration, and a terminal beside it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from gateway.cli.first_admin import KEPT_AS
from gateway.config.sandbox import kept_secrets
from tests.cli.conftest import Terminal
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Started:
    """An `up --sandbox` with the shipped configuration, and a terminal that knows only its data folder."""

    process: "subprocess.Popen[bytes]"
    folder: Path
    port: int
    terminal: Terminal

    @property
    def said(self) -> str:
        return (self.folder / "stdout").read_text()

    @property
    def password(self) -> str:
        """Of the desk's admin, as the sandbox keeps it."""
        return kept_secrets(self.folder / "var" / "sandbox")[KEPT_AS]

    def fails_next(self, kind: str) -> None:
        """Lumail's stand-in fails the next event so."""
        url = f"http://127.0.0.1:{self.port + 1}/faults"
        requests.post(url, json={"kind": kind, "count": 1}, timeout=5).raise_for_status()


def two_free_ports() -> int:
    """A port that is free, and the one after it too."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


@contextmanager
def tryout(folder: Path) -> Iterator[Started]:
    port = two_free_ports()
    data = folder / "var"
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "PROMETHEUS_"))}
    environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"  # as in an activated environment
    line = [sys.executable, "-m", "gateway.cli", "up", "--sandbox", "--data", str(data), "--port", str(port)]
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as log:
        process = subprocess.Popen(line, env=environ, cwd=ROOT, stdout=out, stderr=log)
    started = Started(process, folder, port, Terminal({"GATEWAY_DATA": str(data)}))
    try:
        eventually(lambda: "Now type" in started.said, within=60, what="up greets")
        yield started
    finally:
        children = psutil.Process(process.pid).children() if process.poll() is None else []
        process.terminate()
        process.wait(30)
        psutil.wait_procs(children, timeout=5)
