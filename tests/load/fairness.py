"""Many destinations at once, of which one never answers and one refuses connections."""

import socket
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from gateway.ledger.database import Ledger
from gateway.ledger.migration import migrate
from gateway.lumail.sandbox import Sandbox, SandboxSettings
from tests.crash.installation import STRIPE, TOKEN, Installation, Setup, installation
from tests.making import add_destinations, opened, record, submission, told

HANGING, REFUSING = "hanging", "refusing"

Record = tuple[str, float]
"""The destination of what Lumail recorded, and when."""


def answering(number: int) -> list[str]:
    """The destinations of so many that answer."""
    return [f"d{one}" for one in range(number - 2)]


@contextmanager
def silence() -> Iterator[str]:
    """The base URL of a host that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(200)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"


@contextmanager
def crowd(folder: Path, database_url: str, number: int, each: int, workers: int = 2) -> Iterator[Installation]:
    """So many destinations with `each` events waiting at every one, and one request a second that it may make."""
    names = answering(number)
    _fill(database_url, (HANGING, REFUSING, *names), each)
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
            yield running


def _fill(database_url: str, names: Sequence[str], each: int) -> None:
    """Before anything runs, so that all begin together."""
    ledger = Ledger(database_url)
    migrate(ledger)
    add_destinations(ledger, *names)
    now = datetime.now(UTC)
    for name in names:
        facts = [
            opened(f"{name}:{one}", subscriber=f"{name}-{one}@example.com", occurred_at=now) for one in range(each)
        ]
        record(ledger, submission(*(told(one) for one in facts), destination=name))
    ledger.close()


def records(sandbox: Sandbox) -> list[Record]:
    """What Lumail recorded, in order."""
    return [(one["subscriber"].partition("-")[0], one["recordedAt"]) for one in sandbox.events()]


def through_too_soon(found: Sequence[Record], each: int) -> list[str]:
    """Destinations that had all of their events recorded before every other one had its first."""
    others = {name for name, _ in found}
    begun: Counter[str] = Counter()
    early = []
    for name, _ in found:
        begun[name] += 1
        if begun[name] == each and len(begun) < len(others):
            early.append(name)
    return early


def longest_waits(found: Sequence[Record], names: Sequence[str], begins: float, ends: float) -> Mapping[str, float]:
    """Seconds that each went without a record, of a time in which something waited at all of them."""
    times: dict[str, list[float]] = {name: [begins, ends] for name in names}
    for name, at in found:
        if begins <= at <= ends:
            times[name].append(at)
    return {name: max(later - earlier for earlier, later in pairwise(sorted(at))) for name, at in times.items()}
