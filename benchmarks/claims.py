"""What a claim and the tick cost with a long backlog beside a short one, and how long 100,000 events take."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from statistics import median
from typing import Any

from sqlalchemy import Connection, text

from benchmarks.drain import drained
from benchmarks.stage import KINDS, Stage, lumail
from gateway.events import Lane
from gateway.ledger.database import Ledger
from gateway.ledger.migration import migrate
from gateway.ledger.outbox import cycle, deferral, settling, unknown_subscribers
from gateway.ledger.outbox.unknown_subscribers import UnknownSubscriberPolicy
from gateway.ledger.scheduling import leases, pauses
from gateway.ledger.scheduling.attempt import Claimed, Settlement
from gateway.ledger.scheduling.pauses import Scope
from gateway.ledger.schema import to_microseconds
from tests.making import add_destinations

OWNER = "benchmark"
NO_PLAN = 10_000_000
WANTED = 8
"""Requests claimed and settled in one turn: as many as 100 ms of latency bring together."""

RETRYING = "s0@example.com"
AT_REST = "sendgrid"
MOST = 1.5
"""A long backlog may cost at most this many times what a short one does."""


@dataclass(frozen=True)
class Backlog:
    """`lane` of `events` events of `subscribers` people; besides, `behind` events wait behind one who is retried, and
    `at_rest` events in bulk are of a source that rests.
    """

    lane: Lane
    events: int
    subscribers: int
    behind: int = 0
    at_rest: int = 0


@dataclass(frozen=True)
class Size:
    long: int
    behind: int
    turns: int
    plan: int


FULL = Size(long=1_000_000, behind=100_000, turns=60, plan=100_000)
QUICK = Size(long=100_000, behind=10_000, turns=30, plan=20_000)
SHORT = 1_000


def _backlogs(size: Size) -> Mapping[str, tuple[Backlog, Backlog]]:
    """By name: the long one and the short one that it is compared with."""
    return {
        "bulk": (Backlog(Lane.BULK, size.long, size.long // 10), Backlog(Lane.BULK, SHORT, SHORT // 10)),
        "lines": (Backlog(Lane.STANDARD, size.long, size.long // 2), Backlog(Lane.STANDARD, SHORT, SHORT // 2)),
        "behind one": (
            Backlog(Lane.STANDARD, SHORT, SHORT // 2, size.behind),
            Backlog(Lane.STANDARD, SHORT, SHORT // 2, 1),
        ),
        "at rest": (
            Backlog(Lane.BULK, SHORT, SHORT // 10, at_rest=size.behind),
            Backlog(Lane.BULK, SHORT, SHORT // 10, at_rest=1),
        ),
    }


def measure(on: Stage, size: Size) -> dict[str, Any]:
    """Both databases, by name: milliseconds of each step, long and short, and what a place costs on a large plan."""
    return {kind: _on_database(on, kind, size) for kind in KINDS}


def _on_database(on: Stage, kind: str, size: Size) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name, backlogs in _backlogs(size).items():
        opened = [_opened(on.database(kind), backlog) for backlog in backlogs]
        taken: list[dict[str, list[float]]] = [{}, {}]
        for number in range(-5, size.turns):  # some to warm up
            for ledger, steps in zip(opened, taken, strict=True):
                _turn(ledger, steps if number >= 0 else {})
        long, short = ({step: median(values) for step, values in steps.items()} for steps in taken)
        told[name] = {step: {"long": long[step], "short": short[step]} for step in long}
        for ledger in opened:
            ledger.close()
    told["plan"] = _on_a_large_plan(_opened(on.database(kind), Backlog(Lane.BULK, SHORT, SHORT)), size)
    return told


def _turn(ledger: Ledger, steps: dict[str, list[float]]) -> None:
    """Claim and settle once, and all that a drain does besides."""
    with ledger.write(["main"]) as connection:
        now = ledger.now(connection)
        leases.take(connection, "main", OWNER, now)
        claimed = _timed(steps, "claim", lambda: _claim(connection, now, NO_PLAN))
        assert claimed, "nothing was due"
    with ledger.write(["main"]) as connection:
        settled = [_recorded(one) for one in claimed]
        _timed(steps, "settle", lambda: settling.settle(connection, "main", settled, now))
        _timed(steps, "known", lambda: unknown_subscribers.is_known(connection, "main", RETRYING))
        _timed(steps, "release", lambda: cycle.release(connection, "main", OWNER, now, NO_PLAN))
    with ledger.read() as connection:
        _timed(steps, "tick", lambda: leases.due(connection, now))


def _timed(steps: dict[str, list[float]], step: str, work: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    found = work()
    steps.setdefault(step, []).append((time.perf_counter() - began) * 1000)
    return found


def _claim(connection: Connection, now: datetime, limit: int) -> Sequence[Claimed]:
    return cycle.run(
        connection,
        "main",
        OWNER,
        now,
        settlements=(),
        wanted=WANTED,
        limit=limit,
        compose=lambda request: request.event.data,
        unknown_policy=lambda _: UnknownSubscriberPolicy.HELD,
    ).claimed


def _recorded(one: Claimed) -> Settlement:
    return Settlement(one, "recorded", recorded=True, failed=False, lumail_event_id=one.event_id, http_status=200)


def _on_a_large_plan(ledger: Ledger, size: Size) -> dict[str, float]:
    """Milliseconds of a claim while all but a few places of a large plan are taken."""
    taken = size.plan * 9 // 10
    numbers = _numbers(ledger, taken)
    with ledger.write(["main"]) as connection:
        now = to_microseconds(ledger.now(connection))
        connection.execute(
            text(
                "INSERT INTO attempts (id, destination, kind, taken_at, send_before, ends_by, place_until, outcome) "
                f"SELECT 'at_' || n, 'main', 'event', :now, :now, :now, :until, 'recorded' FROM {numbers}"
            ),
            {"now": now, "until": now + 600_000_000},
        )
    _tidy(ledger)
    times: dict[str, list[float]] = {}
    for _ in range(size.turns):
        with ledger.write(["main"]) as connection:
            at = ledger.now(connection)
            leases.take(connection, "main", OWNER, at)
            _timed(times, "claim", partial(_claim, connection, at, size.plan))
    ledger.close()
    return {"places": size.plan, "claim": median(times["claim"])}


# Making a backlog


def _opened(url: str, backlog: Backlog) -> Ledger:
    ledger = Ledger(url)
    migrate(ledger)
    add_destinations(ledger, "main")
    _fill(ledger, backlog)
    return ledger


def _fill(ledger: Ledger, backlog: Backlog) -> None:
    now = to_microseconds(datetime.now(UTC))
    hour = round(timedelta(hours=1) / timedelta(microseconds=1))
    kind = "EMAIL_OPENED" if backlog.lane is Lane.BULK else "TAG_ADDED"
    with ledger.write(["main"]) as connection:
        somebody = f"'s' || (n % {backlog.subscribers} + 1) || '@example.com'"
        for count, subscriber, source, prefix, due in (
            (backlog.events, somebody, "stripe", "a", now - hour),
            (backlog.behind, f"'{RETRYING}'", "stripe", "b", now + hour),
            (backlog.at_rest, somebody, AT_REST, "c", now - 2 * hour),
        ):
            connection.execute(
                text(
                    "INSERT INTO events (id, webhook, source, destination, type, subscriber, data, occurred_at, lane, "
                    'status, due_at, "group", created_at) '
                    f"SELECT 'ev_{prefix}' || n, 'wh_' || n, '{source}', 'main', '{kind}', {subscriber}, "
                    """'{"emailId": "e", "subject": "s"}', :now + n, """
                    f"{int(backlog.lane)}, 'waiting', :due, 'gr_{prefix}' || n, :now FROM {_numbers(ledger, count)}"
                ),
                {"now": now - hour, "due": due},
            )
        if backlog.lane is not Lane.BULK:
            connection.execute(
                text(
                    "INSERT INTO lines (destination, lane, subscriber, head, head_occurred_at, due_at) "
                    "SELECT destination, lane, subscriber, id, occurred_at, due_at FROM (SELECT *, row_number() OVER "
                    "(PARTITION BY subscriber ORDER BY occurred_at, id) AS place FROM events) AS placed WHERE place = 1"
                )
            )
        connection.execute(text("UPDATE destinations SET wake_at = :now"), {"now": now - hour})
    if backlog.at_rest:
        _let_rest(ledger)
    _tidy(ledger)


def _let_rest(ledger: Ledger) -> None:
    """Until all of it is set aside."""
    more = True
    while more:
        with ledger.write(["main"]) as connection:
            now = ledger.now(connection)
            pauses.rest(connection, Scope("source", "main", AT_REST), "by hand", now)
            more = deferral.defer_and_restore(connection, "main", now)


def _numbers(ledger: Ledger, count: int) -> str:
    if not ledger.is_sqlite:
        return f"generate_series(1, {count}) AS n"
    return f"(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {count}) SELECT n FROM c)"


def _tidy(ledger: Ledger) -> None:
    """What the databases do by themselves some time after so many rows came."""
    with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if ledger.is_sqlite:
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        else:
            connection.execute(text("VACUUM ANALYZE"))


# Draining a backlog


def drain_backlog(on: Stage, events: int) -> dict[str, Any]:
    """Both databases, by name: seconds until one drain of one worker, without a plan or latency, has sent them all."""
    found: dict[str, Any] = {"events": events}
    with lumail(0) as base_url:
        for kind in KINDS:
            url = on.database(kind)
            _opened(url, Backlog(Lane.BULK, events, events)).close()
            with ProcessPoolExecutor(1, get_context("spawn")) as process:
                rate, cpu = process.submit(drained, url, base_url, events).result()
            found[kind] = {"seconds": events / rate, "cpu": cpu}
    return found


def backlog_lines(told: Mapping[str, Any]) -> list[str]:
    shown = [f"Until {told['events']:,} waiting events are sent by one drain, without a plan or latency"]
    shown += [
        f"  {kind:12} {told[kind]['seconds']:.0f} s: {told['events'] / told[kind]['seconds']:.0f}/s,"
        f" CPU {told[kind]['cpu']:.2f} ms each"
        for kind in KINDS
    ]
    return [*shown, ""]


def lines(told: Mapping[str, Any]) -> list[str]:
    text_ = [f"Claims of {WANTED}: milliseconds with a long backlog, a short one, and how many times that is"]
    for kind, found in told.items():
        for name, steps in found.items():
            if name == "plan":
                text_.append(
                    f"  {kind:12} claim while 90 % of {steps['places']:,} places are taken: {steps['claim']:.2f}"
                )
                continue
            shown = "   ".join(
                f"{step} {one['long']:.2f} / {one['short']:.2f} = {one['long'] / one['short']:.1f}"
                for step, one in steps.items()
            )
            text_.append(f"  {kind:12} {name:10} {shown}")
    return [*text_, ""]
