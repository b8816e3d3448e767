"""What a process says to the supervisor that started it: that it stands, and that the settings are to be read again."""

import json
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.errors import CommandError

READY = "GATEWAY_READY"
"""The variable with the descriptor of a pipe into which a child writes once it stands."""

SUPERVISED_BY = "GATEWAY_SUPERVISOR"
"""The variable with the pid of the supervisor that started this child, and that can replace it."""

RELOADED = "reload.json"
"""In the data folder: how the last reload went."""


@dataclass(frozen=True)
class Reloaded:
    """The last reload. `faults` are those for which nothing was changed, `unchangeable` the variables that the
    environment itself sets.
    """

    at: datetime
    faults: Sequence[str]
    unchangeable: Sequence[str]


def tell_ready() -> None:
    """The supervisor waits for that where this process is to replace another."""
    descriptor = os.environ.pop(READY, None)
    if descriptor is not None:
        with suppress(OSError):
            os.write(int(descriptor), b"1")
            os.close(int(descriptor))


def ask_reload() -> None:
    """Raises CommandError where nobody is there who could do it."""
    parent = os.getppid()
    if os.environ.get(SUPERVISED_BY) != str(parent):
        raise CommandError("this process was not started by `lumail-gateway up` or `web`: restart it by hand")
    os.kill(parent, signal.SIGUSR1)


def last_reload(data: Path) -> Reloaded | None:
    """None where there was none yet."""
    try:
        told = json.loads((data / RELOADED).read_text())
        return Reloaded(datetime.fromisoformat(told["at"]), tuple(told["faults"]), tuple(told["unchangeable"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
