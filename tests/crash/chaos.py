"""Payments and mail events in a world where everything fails, and the count of what was lost or recorded twice."""

import json
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import func as sql
from sqlalchemy import select

from gateway.errors import LedgerUnavailableError
from gateway.ledger.database import Ledger
from gateway.ledger.schema import attempts, events, webhooks
from gateway.lumail.sandbox import Sandbox, SandboxSettings
from gateway.translation.registry import samples
from tests.crash.installation import (
    SENDGRID,
    STRIPE,
    TOKEN,
    Installation,
    Parcel,
    Provider,
    Setup,
    killing,
    signed_mail,
    signed_payment,
    stand_in,
)
from tests.crash.outages import Outage, changing, failing, silent_redis
from tests.crash.service import Service, service
from tests.making import rows
from tests.waiting import eventually

FAULTS: Mapping[str, tuple[float, Mapping[str, Any]]] = {
    "drop_before": (15, {}),
    "drop_after": (15, {}),
    "error_500_before": (15, {}),
    "error_500_after": (15, {}),
    "error_502": (15, {"recorded": False}),
    "garbage_200": (15, {}),
    "429": (4, {"retry_after": 1}),
    "hang": (2, {"recorded": True}),
    "drip": (4, {}),
}
"""Each kind of fault with its share of all faults; those that hold a thread for 20 s, or pause everybody, are rarer."""

BATCH = 50
"""Mail events in one webhook."""

SHARE_OF_PAYMENTS = 0.2
SOURCES: Mapping[str, Mapping[str, Any]] = {"stripe": STRIPE, "sendgrid": SENDGRID}
MAIL = ("delivered", "opened", "clicked", "bounced", "complained")

ON_TIME = timedelta(seconds=1)
"""A request that arrives later than this after its `send_before` slipped through the window that can't be closed."""

OPEN = ("waiting", "delivering", "unknown")


@dataclass(frozen=True)
class World:
    """What is done, and to what. `echo`: whether Lumail keeps our ids. `faults`: the share of requests that fail.

    `killed`, `stopped` and `rests` are seconds from to: between two deaths, between two stops, and how long a worker
    that is stopped stays so; `breaks` between two outages, each of which `lasts` so long, and `changes` between two
    reloads or restarts, of which there are `most_changes` of either. `gives_up` is when the failing ends, if not all is
    told and delivered before, and `patience` how long the rest may take then: what failed several times waits for
    minutes. `deaths`: it goes on until so many have died, and everything has failed once.
    """

    database_url: str
    events: int
    echo: bool = True
    faults: float = 0.2
    killed: tuple[float, float] = (2.0, 8.0)
    stopped: tuple[float, float] = (15.0, 30.0)
    rests: tuple[float, float] = (11.0, 31.0)
    gives_up: float = 900.0
    patience: float = 900.0
    deaths: int = 3
    outages: Mapping[str, Outage] = field(default_factory=dict)
    """What fails of the database; Redis does besides."""
    breaks: tuple[float, float] = (5.0, 15.0)
    lasts: tuple[float, float] = (3.0, 12.0)
    redis_lasts: tuple[float, float] = (30.0, 120.0)
    changes: tuple[float, float] = (10.0, 30.0)
    most_changes: int = 1000
    within: Sequence[str] = ()
    """What stands before the command, so that it finds the disk of the ledger."""
    look: Callable[[], str] | None = None
    """The URL of the ledger, or of a copy, where it can't be reached from here."""

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        opened = Ledger(self.database_url if self.look is None else self.look())
        try:
            yield opened
        finally:
            opened.close()

    destinations: Sequence[str] = ("main",)
    latency_ms: float = 50.0


@dataclass
class Found:
    """What the sandbox's records say against the ledger.

    `lost`: not recorded, though the ledger takes it for delivered, or is not in the ledger at all. `undecided`: left
    to a person. `late`: recorded after it should have been sent at the latest.
    """

    events: int
    statuses: "Counter[tuple[str, str | None]]"
    recorded: int
    lost: list[str]
    doubled: list[str]
    undecided: list[str]
    late: list[str]
    quarantined: int
    killed: "Counter[str]"
    stopped: int
    outages: "Counter[str]"
    changes: "Counter[str]"
    failed: "Counter[str]"
    refused: "Counter[int]"
    seconds: float

    def told(self) -> str:
        statuses = ", ".join(f"{count} {status}" for (status, _), count in sorted(self.statuses.items(), key=str))
        requests = sum(self.failed.values())
        faults = sum(count for kind, count in self.failed.items() if kind != "none")
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.failed.items()) if kind != "none")
        slipped = set(self.late) & set(self.doubled)
        return "\n".join(
            [
                f"  events    {self.events} expected, {self.recorded} recorded at Lumail; ledger: {statuses}",
                f"  lost      {len(self.lost)}",
                f"  doubled   {len(self.doubled)}",
                f"  quarantined {self.quarantined}",
                f"  undecided {len(self.undecided)} (held for a person)",
                f"  window    {len(self.late)} requests left too late ({len(slipped)} of the doubled among them)",
                f"  requests  {requests}, of which {faults} ({faults / max(1, requests):.0%}) failed: {kinds}",
                f"  killed    {_words(self.killed)}; stopped and continued: {self.stopped}",
                f"  outages   {_words(self.outages)}; {_words(self.changes)}",
                f"  door      {_words(self.refused) or 'refused nothing'} (posted again until taken)",
                f"  took      {self.seconds:.0f} s",
            ]
        )


def _words(counted: "Counter[Any]") -> str:
    return ", ".join(f"{name}: {count}" for name, count in sorted(counted.items()))


def run(folder: Path, world: World) -> Found:
    """Post everything while all that can fail fails, then let what is left be delivered, and count."""
    began = time.monotonic()
    setup = Setup(
        destinations={name: {} for name in world.destinations},
        sources={
            kind if len(world.destinations) == 1 else f"{kind}-{name}": {**options, "destination": name}
            for name in world.destinations
            for kind, options in SOURCES.items()
        },
        lumail=SandboxSettings(api_tokens=(TOKEN,), echo=world.echo, latency_ms=world.latency_ms),
    )
    with (
        stand_in(setup.lumail) as (sandbox, base_url),
        service(folder, world.database_url, setup, base_url, world.within) as running,
    ):
        inject(sandbox, world.faults)
        provider = Provider(running.url)
        outages = {**world.outages, "Redis silent": silent_redis(running)}
        lasts = {name: world.redis_lasts if "Redis" in name else world.lasts for name in outages}
        parcels, expected = traffic(world.events, setup.sources)
        ends = began + world.gives_up
        whole = world.gives_up + world.patience
        with (
            ThreadPoolExecutor(1) as posting,
            killing(running, ("web", "worker", "worker", "redis"), every=world.killed) as killed,
            stopping(running, world.stopped, world.rests) as stopped,
            failing(outages, world.breaks, lasts) as failed,
            changing(running, world.changes, world.most_changes, world.patience) as changed,
        ):
            posted = posting.submit(provider.post_all, parcels, gives_up_after=whole)
            while (
                (time.monotonic() < ends and not (posted.done() and _open_in(world) <= expected * 0.02))
                or killed.total() < world.deaths
                or set(failed) != set(outages)
                or not changed["restarts"]
            ):
                time.sleep(0.5)
        sandbox.faults.clear()
        posted.result()
        eventually(lambda: _open_in(world) == 0, within=world.patience, what=f"all is settled; see {running.log}")
        with world.ledger() as ledger:
            found = judge(ledger, sandbox, expected)
    found.killed, found.stopped, found.refused = killed, len(stopped), Counter(provider.refused)
    found.outages, found.changes = failed, changed
    found.seconds = time.monotonic() - began
    return found


def inject(sandbox: Sandbox, share: float) -> None:
    """Rules are asked one after the other, so each one's probability is of what those before it let pass."""
    whole = sum(weight for weight, _ in FAULTS.values())
    passed = 1.0
    for kind, (weight, rule) in FAULTS.items():
        wanted = share * weight / whole
        sandbox.fail(kind, call="any", probability=wanted / passed, **rule)
        passed -= wanted


def traffic(number: int, sources: Mapping[str, Mapping[str, Any]]) -> tuple[list[Parcel], int]:
    """Parcels in random order, and how many events they must become."""
    parcels: list[Parcel] = []
    expected = 0
    mine = 2 * number // len(sources)  # of each destination, which has a source of either kind
    paid, batches = int(mine * SHARE_OF_PAYMENTS), int(mine * (1 - SHARE_OF_PAYMENTS)) // BATCH
    for source in sources:
        if sources[source]["adapter"] == "stripe":
            parcels += [_payment(source, number, subscribers=max(1, paid // 4)) for number in range(paid)]
            expected += paid
        else:
            parcels += [_batch(source, number) for number in range(batches)]
            expected += batches * BATCH
    random.shuffle(parcels)
    return parcels, expected


def _payment(source: str, number: int, subscribers: int) -> Parcel:
    """Several payments a subscriber, some of one amount: those can be told apart by our id alone."""
    subscriber = f"s{number % subscribers}@example.com"
    cents = 1000 + 100 * (number % 97)
    return Parcel(
        f"{source}-{number}", source, partial(signed_payment, f"{number:05d}", subscriber, cents, source=source)
    )


def _batch(source: str, batch: int) -> Parcel:
    kinds = samples("sendgrid")
    told = [
        {
            **json.loads(kinds[MAIL[number % len(MAIL)]].body)[0],
            "email": f"s{(batch * 17 + number) % 2000}@example.com",
            "timestamp": int(time.time()) - 60 + number // 10,
            "sg_event_id": f"{source}-{batch}-{number}",
            "sg_message_id": f"{batch}.filter0001.{number % len(MAIL)}",
        }
        for number in range(BATCH)
    ]
    return Parcel(f"{source}-{batch}", source, partial(signed_mail, told, source))


@contextmanager
def stopping(
    running: Installation | Service, every: tuple[float, float], lasts: tuple[float, float]
) -> Iterator["list[float]"]:
    """While the block lasts, now and then a worker stands still past its lease, and goes on as if nothing were."""
    ends = threading.Event()
    stopped: list[float] = []

    def stop() -> None:
        while not ends.wait(random.uniform(*every)):
            for process in running.parts("worker")[:1]:
                with suppress(psutil.NoSuchProcess):
                    seconds = random.uniform(*lasts)
                    process.suspend()
                    stopped.append(seconds)
                    ends.wait(seconds)
                    process.resume()

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        yield stopped
    finally:
        ends.set()
        thread.join()


def open_events(ledger: Ledger) -> float:
    """Endless while the ledger can't be asked."""
    try:
        with ledger.read() as connection:
            query = select(sql.count()).select_from(events).where(events.c.status.in_(OPEN))
            return int(connection.execute(query).scalar_one())
    except LedgerUnavailableError:
        return float("inf")


def _open_in(world: World) -> float:
    try:
        with world.ledger() as ledger:
            return open_events(ledger)
    except subprocess.SubprocessError:  # there is no copy to be had now
        return float("inf")


def judge(ledger: Ledger, sandbox: Sandbox, expected: int) -> Found:
    """The sandbox's records against the ledger's events."""
    recorded: Counter[str] = Counter()
    times: dict[str, list[float]] = {}
    for one in sandbox.events():
        event = one["data"]["gatewayEventId"]
        recorded[event] += 1
        times.setdefault(event, []).append(one["recordedAt"])
    known = {event: (status, reason) for event, status, reason in rows(ledger, events, "id", "status", "reason")}
    delivered = {event for event, (status, _) in known.items() if status == "delivered"}
    undecided = [event for event, (status, _) in known.items() if status == "held"]
    lost = [event for event, (status, _) in known.items() if not recorded[event] and status != "held"]
    lost += [f"never in the ledger: {expected - len(known)}"] if len(known) != expected else []
    return Found(
        events=expected,
        statuses=Counter(known.values()),
        recorded=len(delivered & set(recorded)),
        lost=lost,
        doubled=[event for event, count in recorded.items() if count > 1],
        undecided=undecided,
        late=_late(ledger, times),
        quarantined=sum(count for (count,) in rows(ledger, webhooks, "quarantined")),
        killed=Counter(),
        stopped=0,
        outages=Counter(),
        changes=Counter(),
        failed=Counter(str(one["fault"] or "none") for one in sandbox.requests()),
        refused=Counter(),
        seconds=0,
    )


def _late(ledger: Ledger, times: Mapping[str, Sequence[float]]) -> list[str]:
    """Events recorded at a time at which no attempt of theirs should have been sent."""
    allowed: dict[str, list[tuple[float, float]]] = {}
    for event, taken_at, send_before in rows(ledger, attempts, "event", "taken_at", "send_before"):
        allowed.setdefault(event, []).append((taken_at.timestamp() - 1, (send_before + ON_TIME).timestamp()))
    return [
        event
        for event, found in times.items()
        for at in found
        if not any(begin <= at <= end for begin, end in allowed.get(event, []))
    ]
