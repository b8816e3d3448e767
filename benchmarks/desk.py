"""How long the server takes for each page of the desk, with millions of events in the ledger."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any
from urllib.parse import urlencode

from flask.testing import FlaskClient
from sqlalchemy import Connection, Table, insert, text

from benchmarks.stage import KINDS, Stage, gateway
from gateway.app import create_app
from gateway.desk import passwords
from gateway.ledger.accounts import users
from gateway.ledger.accounts.users import Role
from gateway.ledger.database import Ledger
from gateway.ledger.paging import Place
from gateway.ledger.schema import attempts, destinations, events, keys, to_microseconds, webhooks
from gateway.ledger.views import counters

AIM = 200
"""Milliseconds that a page may take."""

DAYS = 60
"""Over which what is in the ledger has come."""

WAITING = 50
"""One of so many events, the newest, waits still."""

A_WEBHOOK = 5
"""Events of one webhook."""

PASSWORD = "correct horse battery"  # of nobody


@dataclass(frozen=True)
class Size:
    events: Mapping[str, int]
    rounds: int


FULL = Size({"sqlite": 1_000_000, "postgresql": 5_000_000}, rounds=5)
QUICK = Size({"sqlite": 20_000, "postgresql": 50_000}, rounds=2)


def measure(on: Stage, size: Size) -> dict[str, Any]:
    """Both databases, by name: how many events, and of each page the median and the longest time in milliseconds."""
    return {kind: _on_database(on, kind, size) for kind in KINDS}


def _on_database(on: Stage, kind: str, size: Size) -> dict[str, Any]:
    number = size.events[kind]
    with gateway(on, on.database(kind)) as ready:
        ledger = Ledger(ready.config.database_url)
        began = time.monotonic()
        _fill(ledger, number)
        filled = time.monotonic() - began
        counted = _count(ledger)
        users.add(ledger, "bench", Role.ADMIN, passwords.hashed(PASSWORD), "benchmark")
        client = create_app(ready.config).test_client()
        _sign_in(client)
        with _awake(ledger):
            pages = {name: _timed(client, path, size.rounds) for name, path in _paths(number).items()}
        ledger.close()
    return {"events": number, "filled_s": filled, "count_ms": counted, "pages": pages}


def _timed(client: FlaskClient, path: str, rounds: int) -> dict[str, float]:
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        answer = client.get(path)
        taken.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
    return {"median": median(taken), "longest": max(taken)}


def _sign_in(client: FlaskClient) -> None:
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/sign-in").text)
    assert token is not None
    answer = client.post("/sign-in", data={"csrf_token": token[1], "name": "bench", "password": PASSWORD})
    assert answer.status_code == 303, answer.status_code


@contextmanager
def _awake(ledger: Ledger) -> Iterator[None]:
    """With a connection open already, as in a process that serves."""
    with ledger.read():
        yield


def _paths(number: int) -> Mapping[str, str]:
    """What operators ask for, by a name."""
    middle = number // 2
    at = datetime.now(UTC) - timedelta(days=DAYS / 2)
    place = Place(at, "")
    one = f"ev_{middle:014x}0000000000ab"
    of_webhook = f"wh_{middle // A_WEBHOOK:014x}0000000000ab"
    day = {"since": (at - timedelta(days=1)).isoformat(), "until": at.isoformat()}
    lists: Mapping[str, Mapping[str, object]] = {
        "events": {},
        "events: failed": {"status": "failed"},
        "events: delivered": {"status": "delivered"},
        "events: held, standard": {"status": "held", "lane": "standard"},
        "events: waiting, bulk": {"status": "waiting", "lane": "bulk"},
        "events: urgent": {"lane": "urgent"},
        "events: refunds": {"type": "SUBSCRIBER_REFUND"},
        "events: opens": {"type": "EMAIL_OPENED"},
        "events: stripe": {"source": "stripe"},
        "events: a rare source": {"source": "legacy"},
        "events: a rare source, failed": {"source": "legacy", "status": "failed"},
        "events: a rare source, delivered opens": {"source": "legacy", "status": "delivered", "type": "EMAIL_OPENED"},
        "events: stripe, failed payments": {"source": "stripe", "status": "failed", "type": "SUBSCRIBER_PAYMENT"},
        "events: a destination": {"destination": "second"},
        "events: a destination, refunds of stripe": {
            "destination": "second",
            "type": "SUBSCRIBER_REFUND",
            "source": "stripe",
        },
        "events: an error": {"error": "402"},
        "events: an error that nothing has": {"error": "no such words"},
        "events: a subscriber": {"subscriber": "s77@example.com"},
        "events: a subscriber, failed": {"subscriber": "s77@example.com", "status": "failed"},
        "events: search: an address": {"q": "s77@example.com"},
        "events: search: a part of one": {"q": "s77"},
        "events: search: nothing": {"q": "nobody-has-this"},
        "events: search: an id of the provider": {"q": f"pi_{middle}"},
        "events: search: an id": {"q": one},
        "events: of a day": {"age": "24h"},
        "events: of a day, delivered, refunds": {"age": "24h", "status": "delivered", "type": "SUBSCRIBER_REFUND"},
        "events: of a day a month ago": day,
        "events: of a day a month ago, failed": {**day, "status": "failed"},
        "events: in the middle": {"older": place},
        "events: in the middle, stripe": {"older": place, "source": "stripe"},
        "events: back from the middle": {"newer": place},
    }
    received: Mapping[str, Mapping[str, object]] = {
        "webhooks": {},
        "webhooks: in quarantine": {"status": "quarantined"},
        "webhooks: in quarantine, stripe": {"status": "quarantined", "source": "stripe"},
        "webhooks: merged": {"status": "merged"},
        "webhooks: taught, sendgrid": {"status": "taught", "source": "sendgrid"},
        "webhooks: a rare source": {"source": "legacy"},
        "webhooks: search: a delivery id": {"q": f"evt_{middle // A_WEBHOOK}"},
        "webhooks: search: an address": {"q": "s77@example.com"},
        "webhooks: search: nothing": {"q": "nobody-has-this"},
        "webhooks: of a day": {"age": "24h"},
        "webhooks: in the middle": {"older": place},
    }
    return {
        "overview, 1 h": "/",
        "overview, 24 h": "/?span=24h",
        "overview, 7 d": "/?span=7d",
        **{name: f"/events?{urlencode(asked)}" for name, asked in lists.items()},
        "events: what is new": f"/events/news?{urlencode({'newer': Place(datetime.now(UTC), '')})}",
        "an event": f"/events/{one}",
        **{name: f"/received?{urlencode(asked)}" for name, asked in received.items()},
        "a webhook": f"/received/{of_webhook}",
        "a webhook explained": f"/received/{of_webhook}/explain",
        "a source": "/sources/stripe",
    }


# A ledger that was in use


def _fill(ledger: Ledger, number: int) -> None:
    now = to_microseconds(datetime.now(UTC))
    span = DAYS * 86_400_000_000
    sqlite = ledger.is_sqlite
    tables: Sequence[Table] = (events, webhooks, attempts, keys)
    with ledger.write(["main"]) as connection:
        connection.execute(insert(destinations), [{"name": "second", "fingerprint": "benchmark"}])
        indexes = [index for table in tables for index in table.indexes]
        for index in indexes:
            index.drop(connection)
        told = {"now": now, "step": span // number, "number": number}
        for statement in _statements(sqlite, number):
            connection.execute(text(statement), told)
        for index in indexes:
            index.create(connection)
    if sqlite:
        with ledger.engine.connect() as plain:
            plain.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    else:
        with ledger.engine.connect() as plain:
            plain.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM ANALYZE")


def _statements(sqlite: bool, number: int) -> Iterator[str]:
    def identity(kind: str, which: str) -> str:
        written = f"printf('%014x', {which})" if sqlite else f"lpad(to_hex({which}), 14, '0')"
        return f"'{kind}_' || {written} || '0000000000ab'"

    def row(count: int) -> str:
        if sqlite:
            return (
                f"(WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < {count}) "
                "SELECT n FROM counted) AS numbers"
            )
        return f"generate_series(1::bigint, {count}) AS numbers(n)"

    at = "(:now - (:number - n) * :step)"
    chance = "((n * 7919) % 1000)"
    kind = (
        f"CASE WHEN {chance} < 600 THEN 'EMAIL_OPENED' WHEN {chance} < 780 THEN 'EMAIL_SENT' "
        f"WHEN {chance} < 850 THEN 'EMAIL_CLICKED' WHEN {chance} < 970 THEN 'SUBSCRIBER_PAYMENT' "
        f"WHEN {chance} < 972 THEN 'SUBSCRIBER_REFUND' WHEN {chance} < 980 THEN 'UNSUBSCRIBED' ELSE 'TAG_ADDED' END"
    )
    lane = f"CASE WHEN {chance} < 850 THEN 3 WHEN {chance} < 972 THEN 1 WHEN {chance} < 980 THEN 0 ELSE 2 END"
    other = "((n * 104729) % 1000)"
    status = (
        f"CASE WHEN n > :number - :number / {WAITING} AND {chance} < 850 THEN 'waiting' WHEN {other} < 4 THEN 'failed' "
        f"WHEN {other} < 10 THEN 'held' WHEN {other} < 30 THEN 'dropped' ELSE 'delivered' END"
    )
    source = f"CASE WHEN {chance} < 850 THEN 'sendgrid' WHEN {chance} < 999 THEN 'stripe' ELSE 'legacy' END"
    people_ = max(1, number // 12)
    reason = (
        f"CASE WHEN {other} < 4 THEN 'plan_limit_reached' "
        f"WHEN {other} < 10 THEN 'not_in_lumail' WHEN {other} < 30 THEN 'superseded' END"
    )
    yield (
        "INSERT INTO events (id, webhook, source, destination, type, subscriber, data, occurred_at, lane, status, "
        'reason, due_at, tries, step, reads, found_by_read, "group", detail_rank, lumail_event_id, created_at, '
        "settled_at, held_at) "
        f"SELECT {identity('ev', 'n')}, {identity('wh', f'n / {A_WEBHOOK}')}, {source}, "
        f"CASE WHEN n % 10 = 0 THEN 'second' ELSE 'main' END, {kind}, 's' || (n * 31 % {people_}) || '@example.com', "
        '\'{"amount": 49.99, "product": "Course"}\', '
        f"{at}, {lane}, {status}, {reason}, {at}, 1, 'post', 0, {'0' if sqlite else 'false'}, {identity('gr', 'n')}, "
        f"0, CASE WHEN {status} = 'delivered' THEN 'lum_' || n END, {at}, "
        f"CASE WHEN {status} NOT IN ('waiting', 'held') THEN {at} + 2000000 END, "
        f"CASE WHEN {status} = 'held' THEN {at} END FROM {row(number)}"
    )
    outcome = (
        "CASE WHEN n % 1000 = 0 THEN 'quarantined' WHEN n % 10 = 1 THEN 'merged' WHEN n % 50 = 2 THEN 'taught' "
        "ELSE 'translated' END"
    )
    padding = "hex(zeroblob(500))" if sqlite else "repeat('0', 1000)"
    head = '{"id": "evt_'
    written = f"""'{head}' || n || '", "type": "unheard.of", "padding": "' || {padding} || '"}}'"""
    encoded = f"CAST({written} AS BLOB)" if sqlite else f"convert_to({written}, 'UTF8')"
    yield (
        "INSERT INTO webhooks (id, source, adapter, destination, delivery_id, received_at, url, headers, body, secret, "
        "outcome, events_made, merged, taught, ignored, quarantined, notes) "
        f"SELECT {identity('wh', 'n')}, CASE WHEN n % 100 < 85 THEN 'sendgrid' WHEN n % 1000 < 999 THEN 'stripe' ELSE "
        "'legacy' END, 'stripe', 'main', 'evt_' || n, "
        f"(:now - (:number / {A_WEBHOOK} - n) * :step * {A_WEBHOOK}), 'https://hooks.example.com/webhooks/stripe', "
        f"'{{\"content-type\": \"application/json\"}}', {encoded}, 'abcdef0123456789', {outcome}, {A_WEBHOOK}, 0, 0, "
        f"0, CASE WHEN n % 1000 = 0 THEN 1 ELSE 0 END, '[]' FROM {row(number // A_WEBHOOK)}"
    )
    yield (
        'INSERT INTO keys (destination, key, "group") '
        "SELECT CASE WHEN n % 10 = 0 THEN 'second' ELSE 'main' END, 'stripe\\:-\\:payment\\:pi_' || n, "
        f"{identity('gr', 'n')} FROM {row(number)}"
    )
    yield (
        "INSERT INTO attempts (id, destination, event, kind, taken_at, send_before, ends_by, place_until, sent, "
        "answered_at, outcome, status, body, duration_ms) "
        f"SELECT {identity('at', 'n')}, 'main', {identity('ev', 'n')}, 'event', {at}, {at}, {at}, {at} + 61000000, "
        f"'{{\"eventType\": \"EMAIL_OPENED\"}}', {at}, 'recorded', 200, '{{\"success\": true}}', 87 FROM {row(number)}"
    )


def _count(ledger: Ledger) -> dict[str, float]:
    """Milliseconds of what the tick counts: of the longest call while it catches up, and of one each minute."""
    longest = 0.0
    while True:
        before = _until(ledger)
        began = time.perf_counter()
        counters.keep(ledger)
        longest = max(longest, (time.perf_counter() - began) * 1000)
        if _until(ledger) == before:
            break
    with ledger.write() as connection:
        connection.execute(text("UPDATE counted SET until = until - 60000000"))
        connection.execute(text("DELETE FROM counters WHERE minutes = 1 AND at >= (SELECT min(until) FROM counted)"))
    began = time.perf_counter()
    counters.keep(ledger)
    return {"catching_up": longest, "a_minute": (time.perf_counter() - began) * 1000}


def _until(ledger: Ledger) -> object:
    with ledger.read() as connection:
        return _read(connection)


def _read(connection: Connection) -> object:
    return connection.execute(text("SELECT until FROM counted WHERE name = 'tallies'")).scalar_one_or_none()


def lines(told: Mapping[str, Any]) -> list[str]:
    """A table for people."""
    shown = [f"Desk: milliseconds at the server for a page, median and longest; {AIM} are allowed"]
    heads = (f"{kind}, {one['events']:,} events" for kind, one in told.items())
    shown.append(" " * 46 + "".join(f"{head:>32}" for head in heads))
    for name in next(iter(told.values()))["pages"]:
        figures = [told[kind]["pages"][name] for kind in told]
        cells = "".join(f"{one['median']:>22.0f}{one['longest']:>8.0f}  " for one in figures)
        slow = "  too slow" if any(one["median"] > AIM for one in figures) else ""
        shown.append(f"  {name:<44}{cells}{slow}")
    for kind, one in told.items():
        counts = one["count_ms"]
        shown.append(
            f"  {kind}: the tick counts a minute and all levels in {counts['a_minute']:.0f} ms "
            f"(catching up {counts['catching_up']:.0f}); filled in {one['filled_s']:.0f} s"
        )
    return [*shown, ""]
