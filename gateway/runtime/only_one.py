"""One installation runs on a data folder at a time, and whoever comes second is told who was first."""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gateway.errors import StartError


class OnlyOne:
    """The right to run the processes of a data folder, held by the first `up` and by each child that it starts.

    So it is free again when the last of them has ended, also where the supervisor was killed and a child outlives it.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.fileno = file.fileno()

    def write(self, pids: Mapping[str, int]) -> None:
        """Whom to name to the next who asks."""
        self._file.seek(0)
        self._file.truncate()
        json.dump({"up": os.getpid(), **pids}, self._file)
        self._file.flush()


@contextmanager
def only_one(data: Path, wait: float = 25.0) -> Iterator[OnlyOne]:
    """Raises StartError where another `up` runs on this folder.

    Waits for the children of one that was killed, which end by themselves: a worker after its last request.
    """
    deadline = time.monotonic() + wait
    try:
        data.mkdir(parents=True, exist_ok=True)
        opened = (data / "up.lock").open("a+")
    except OSError as error:
        raise StartError(
            f"the data folder {data} can't be written: {error.strerror}. Give it to the user that runs the gateway, "
            "make room, or choose another with --data or GATEWAY_DATA."
        ) from error
    with opened as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                file.seek(0)
                holders = _holders(file.read())
                if _alive(holders.get("up")):
                    raise StartError(
                        f"{data} is in use: `lumail-gateway up` runs there with pid {holders['up']}. "
                        f"End it with `kill {holders['up']}`, or choose another folder with --data."
                    ) from None
                if time.monotonic() > deadline:
                    left = " ".join(str(pid) for pid in holders.values() if _alive(pid))
                    raise StartError(
                        f"{data} is in use by processes of an earlier `lumail-gateway up` that was killed. "
                        f"End them with `kill {left}`."
                    ) from None
                time.sleep(0.1)
        yield OnlyOne(file)


def _holders(text: str) -> dict[str, int]:
    try:
        holders: dict[str, int] = json.loads(text)
    except ValueError:  # being written just now
        return {}
    return holders


def _alive(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
