"""The note that `up` leaves in its data folder, so that other commands find what runs there and with which settings."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.config import Config, child_environ

NOTE = "up.json"
LOCK = "up.lock"
"""Held by `up` and its children, see `gateway.runtime.supervisor.only_one`."""

STAND_IN = "GATEWAY_SANDBOX_URL"
"""The variable that says where Lumail's stand-in is."""

_SETTINGS = ("GATEWAY_CONFIG", "GATEWAY_DATA", "GATEWAY_HOST", "PORT", STAND_IN)
"""What of a child's environment stands in the note: no secret."""


@dataclass(frozen=True)
class Running:
    """A running `up`: where it takes webhooks, and the environment variables that give its configuration."""

    url: str
    pid: int
    sandbox: bool
    environ: Mapping[str, str]

    @property
    def config(self) -> Path:
        return Path(self.environ["GATEWAY_CONFIG"])


@contextmanager
def noted(config: Config, url: str) -> Iterator[None]:
    """The note stands as long as the block lasts. One that a killed `up` left is replaced."""
    told = child_environ(config, {})
    running = Running(url, os.getpid(), config.sandbox, {name: told[name] for name in _SETTINGS if name in told})
    file = config.data / NOTE
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(running), indent=2) + "\n")
    fresh.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def find(data: Path) -> Running | None:
    """The `up` that runs on this folder now; None where none does."""
    try:
        note = Running(**json.loads((data / NOTE).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return note if _held(data / LOCK) else None


def _held(lock: Path) -> bool:
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
