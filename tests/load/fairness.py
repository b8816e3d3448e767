"""Many destinations at once, of which one never answers and one refuses connections."""

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from gateway.ledger.database import Ledger
from gateway.lumail.sandbox import SandboxSettings
from tests.crash.installation import STRIPE, TOKEN, Setup, installation
from tests.making import opened, record, submission, told

HANGING, REFUSING = "hanging", "refusing"


@dataclass(frozen=True)
class Served:
    """The longest time in which a destination that had something waiting was not served, by destination."""

    longest: Mapping[str, float]
    requests: int


@contextmanager
def silence() -> Iterator[str]:
    """The base URL of a host that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(200)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"


def run(folder: Path, database_url: str, number: int, seconds: float, workers: int = 2) -> Served:
    """More waits at every destination than its plan lets leave in this time."""
    names = [f"d{one}" for one in range(number - 2)]
    with silence() as silent:
        usual = {"requests_per_minute": 60}
        setup = Setup(
            destinations={
                **dict.fromkeys(names, usual),
                HANGING: {**usual, "base_url": silent},
                REFUSING: {**usual, "base_url": "http://127.0.0.1:9/api/v1"},
            },
            sources={"stripe": {**STRIPE, "destination": names[0]}},
            lumail=SandboxSettings(api_tokens=(TOKEN,), latency_ms=50),
            web=1,
            workers=workers,
        )
        with installation(folder, database_url, setup) as running:
            ledger = Ledger(database_url)
            now = datetime.now(UTC)
            for name in (HANGING, REFUSING, *names):
                facts = [
                    opened(f"{name}:{one}", subscriber=f"{name}-{one}@example.com", occurred_at=now)
                    for one in range(int(seconds * 2))
                ]
                record(ledger, submission(*(told(one) for one in facts), destination=name))
            begins = time.time()
            time.sleep(seconds)
            ends = time.time()
            ledger.close()
            recorded = [one for one in running.sandbox.events() if begins <= one["recordedAt"] <= ends]
    times: dict[str, list[float]] = {name: [begins, ends] for name in names}
    for one in recorded:
        times[one["subscriber"].partition("-")[0]].append(one["recordedAt"])
    longest = {
        name: max(later - earlier for earlier, later in pairwise(sorted(found))) for name, found in times.items()
    }
    return Served(longest, len(recorded))
