"""The same web process as `up` runs, which also times its own steps; the door measured beside it does not."""

import atexit
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway import app
from gateway.intake import accept, endpoints
from gateway.ledger.recording.commit import Committer
from gateway.runtime.bridge import Served

FOLDER = "BENCHMARK_STEPS"

STEPS = ("read", "verify", "split and translate", "wait for the commit", "note", "answer and the rest", "commit")
"""In the order of the road; `commit` is done by the committer's thread, once a group, while the others wait."""


class Stopwatch:
    """Sums of wall and CPU seconds by step."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inner = threading.local()
        self.sums: dict[str, list[float]] = {}

    def timed(self, step: str, function: Callable[..., Any], *, whole: bool = False) -> Callable[..., Any]:
        """`function`, timed; of a `whole` only what its own timed parts did not take."""

        def call(*args: Any, **named: Any) -> Any:
            if whole:
                self._inner.taken = (0.0, 0.0)
            wall, cpu = time.perf_counter(), time.thread_time()
            try:
                return function(*args, **named)
            finally:
                self._add(step, time.perf_counter() - wall, time.thread_time() - cpu, whole=whole)

        return call

    def _add(self, step: str, wall: float, cpu: float, *, whole: bool) -> None:
        inner = getattr(self._inner, "taken", (0.0, 0.0))
        if whole:
            wall, cpu = wall - inner[0], cpu - inner[1]
        else:
            self._inner.taken = (inner[0] + wall, inner[1] + cpu)
        with self._lock:
            sums = self.sums.setdefault(step, [0, 0.0, 0.0])
            sums[0] += 1
            sums[1] += wall
            sums[2] += cpu


def application() -> Served:
    """`gateway.app.application` with a stopwatch at each step; at its end the sums are written into a folder."""
    watch = Stopwatch()
    places: tuple[tuple[Any, str, str], ...] = (
        (endpoints, "_body", "read"),
        (endpoints, "_note_receipt", "note"),
        (endpoints, "prove", "verify"),
        (accept, "submission", "split and translate"),
        (Committer, "submit", "wait for the commit"),
        (Committer, "_commit", "commit"),
    )
    for place, name, step in places:
        setattr(place, name, watch.timed(step, getattr(place, name)))
    made = app.application()
    timed = watch.timed("answer and the rest", made.application, whole=True)
    file = Path(os.environ[FOLDER]) / f"{os.getpid()}.json"
    atexit.register(lambda: file.write_text(json.dumps(watch.sums)))
    return replace(made, application=timed)


def read(folder: Path) -> dict[str, tuple[float, float, float]]:
    """By step: calls, wall seconds and CPU seconds, of all processes."""
    sums: dict[str, list[float]] = {step: [0, 0.0, 0.0] for step in STEPS}
    for file in folder.glob("*.json"):
        for step, told in json.loads(file.read_text()).items():
            sums[step] = [one + other for one, other in zip(sums[step], told, strict=True)]
    return {step: (told[0], told[1], told[2]) for step, told in sums.items()}
