"""The memory of an installation at rest: what its processes take together, shared pages counted once."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import requests

from benchmarks.stage import Stage
from tests.services import free_port
from tests.waiting import eventually

REST = 3.0
"""Seconds after the start until it is looked at."""


def measure(on: Stage) -> dict[str, Any]:
    """Megabytes of proportional set size (smaps_rollup, Linux) by process of `up --sandbox`, and their sum."""
    data, port = on.new_folder("at-rest"), free_port()
    env = {name: value for name, value in os.environ.items() if name not in ("GATEWAY_CONFIG", "REDIS_URL")}
    with (on.folder / "up.log").open("ab") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "up", "--sandbox", "--port", str(port), "--data", str(data)],
            env=env,
            stdout=log,
            stderr=log,
        )
    try:
        eventually(partial(_answers, port), what="`up` answers")
        children = psutil.Process(running.pid).children()
        time.sleep(REST)
        sizes = {_name(one): _proportional(one.pid) for one in [psutil.Process(running.pid), *children]}
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(40)
    return {"processes": sizes, "sum": sum(sizes.values())}


def _answers(port: int) -> bool:
    with suppress(requests.RequestException):
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).ok
    return False


def _name(process: psutil.Process) -> str:
    if "lumail.sandbox" in " ".join(process.cmdline()):
        return "sandbox"
    return "up" if process.name().startswith("python") else process.name()


def _proportional(pid: int) -> float:
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def lines(told: Mapping[str, Any]) -> list[str]:
    text = [f"Memory of `up --sandbox` at rest: {told['sum']:.0f} MB (proportional set size)"]
    text += [f"  {name:16} {size:5.0f} MB" for name, size in told["processes"].items()]
    return [*text, ""]
