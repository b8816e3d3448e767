"""A replay of many failed events while the door is busy: what of it Lumail gets, how often, and what must not wait."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import update

from benchmarks.stage import Stage
from gateway.ledger.database import Ledger
from gateway.ledger.jobs import jobs
from gateway.ledger.jobs.jobs import EVENTS, RUNNING, Job
from gateway.ledger.scheduling.pauses import Scope
from gateway.ledger.schema import events
from gateway.ledger.views.search import Filters
from gateway.replay import bulk, resting
from gateway.replay.selection import Selection
from tests.crash.installation import Installation, installation, signed_mail
from tests.load import traffic


@dataclass(frozen=True)
class Size:
    """`failed` events, a plan of so many requests a minute, and so many webhooks a second besides."""

    failed: int
    plan: int
    webhooks: int


FULL = Size(10_000, 2_000, 200)
QUICK = Size(1_000, 2_000, 50)


def measure(on: Stage, size: Size) -> dict[str, Any]:
    """Replay them while webhooks come, of which a complaint and a payment each second must leave at once."""
    url = on.database("sqlite")
    with installation(Path(on.new_folder("replay")), url, _setup(size.plan)) as running:
        ledger = Ledger(url)
        failed = add_failed(ledger, size.failed)
        [job] = bulk.begin(ledger, {"main": size.plan}, Selection(EVENTS, Filters(status="failed")), "benchmark")
        began = time.monotonic()
        ends, taken = threading.Event(), Counter[int]()
        load = threading.Thread(target=_post, args=(running, size.webhooks, ends, taken))
        load.start()
        seconds = size.failed * 60 / size.plan
        delays = traffic.delays(running.url, running.sandbox, int(seconds), seconds)
        last = _through(ledger, job, within=20 * seconds)
        took = time.monotonic() - began
        ends.set()
        load.join()
        recorded = Counter(one["data"]["gatewayEventId"] for one in running.sandbox.events())
        ledger.close()
    return {
        **{name: getattr(size, name) for name in ("failed", "plan", "webhooks")},
        "seconds": took,
        "status": last.status,
        "counts": dict(last.counts),
        "recorded": sum(1 for event in failed if recorded[event]),
        "twice": sum(1 for number in recorded.values() if number > 1),
        "taken_a_second": taken[200] / took,
        "turned_away": sum(number for status, number in taken.items() if status != 200),
        "urgent": [delays.urgent[len(delays.urgent) // 2], traffic.p99(delays.urgent), delays.urgent[-1]],
        "payments": [delays.payments[len(delays.payments) // 2], delays.payments[-1]],
    }


def add_failed(ledger: Ledger, number: int) -> list[str]:
    """So many events in bulk that Lumail has refused, none of which has left before; their ids."""
    main = Scope("destination", "main", "main")
    resting.pause(ledger, main, "benchmark")
    traffic.add_bulk(ledger, number, "failed")
    with ledger.write(["main"]) as connection:
        failed = update(events).where(events.c.status == "waiting").values(status="failed", reason="refused")
        found = list(connection.execute(failed.returning(events.c.id)).scalars())
    resting.resume(ledger, main, "benchmark")
    return found


def _setup(plan: int) -> Any:
    """What is opened meanwhile is taken, kept and not forwarded: the plan is for the replay and what is urgent."""
    usual = traffic.setup(plan)
    sources = {
        name: {key: one for key, one in told.items() if key != "forward"} for name, told in usual.sources.items()
    }
    return replace(usual, sources=sources)


def _through(ledger: Ledger, job: Job, within: float) -> Job:
    gives_up = time.monotonic() + within
    while True:
        with ledger.read() as connection:
            found = jobs.find(connection, job.id) or job
        if found.status != RUNNING or time.monotonic() > gives_up:
            return found
        time.sleep(0.5)


def _post(running: Installation, a_second: int, ends: threading.Event, taken: "Counter[int]") -> None:
    """Post mails that were opened, evenly, until it ends; answers by their status."""
    local = threading.local()

    def one(number: int) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        webhook = signed_mail(
            [
                {
                    "email": f"o{number}@example.com",
                    "timestamp": int(time.time()),
                    "event": "open",
                    "sg_event_id": f"o{number}",
                }
            ]
        )
        try:
            answer = local.session.post(
                f"{running.url}/webhooks/sendgrid", data=webhook.body, headers=dict(webhook.headers), timeout=10
            )
            taken[answer.status_code] += 1
        except requests.RequestException:
            taken[0] += 1

    began, number = time.monotonic(), 0
    with ThreadPoolExecutor(16) as pool:
        while not ends.wait(max(0.0, began + number / a_second - time.monotonic())):
            pool.submit(one, number)
            number += 1


def lines(told: Mapping[str, Any]) -> list[str]:
    median, p99, most = told["urgent"]
    size = f"{told['failed']:,} failed events at a plan of {told['plan']:,}"
    urgent = f"urgent events after {median:.2f} s (median), {p99:.2f} s (p99), at most {most:.2f} s"
    payments = f"payments, which settle for 5 s, after {told['payments'][0]:.2f} s, at most {told['payments'][1]:.2f} s"
    return [
        f"Replay of {size}, with {told['webhooks']} webhooks a second besides; SQLite",
        f"  {told['status']} after {told['seconds']:.0f} s: {told['counts']}",
        f"  {told['recorded']:,} of them recorded by Lumail, {told['twice']} events twice",
        f"  {told['taken_a_second']:.0f} webhooks a second taken, {told['turned_away']} turned away",
        f"  recorded: {urgent}; {payments}",
        "",
    ]
