"""The note that `up` leaves in its data folder, so that other commands find what runs there and with which settings."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.config import Config, child_environ

NOTE = "up.json"
LAST = "last.json"
"""The note of the last `up` that ended, so that its configuration is still known."""

LOCK = "up.lock"
"""Held by `up` and its children, see `gateway.runtime.only_one`."""

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
        with suppress(OSError):
            file.replace(config.data / LAST)


def find(data: Path) -> Running | None:
    """The `up` that runs on this folder now; None where none does."""
    note = _read(data / NOTE)
    return note if note is not None and _held(data / LOCK) else None


def last(data: Path) -> Running | None:
    """The `up` that ran on this folder last, ended or killed; None where none did or its configuration is gone."""
    note = _read(data / NOTE) or _read(data / LAST)
    return note if note is not None and note.config.exists() else None


def _read(file: Path) -> Running | None:
    try:
        return Running(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _held(lock: Path) -> bool:
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
