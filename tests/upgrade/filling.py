"""Fills a ledger with data of every kind, by the functions that an installation fills it with."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Boolean, Column, Table, insert, select, update

from gateway.config import Destination
from gateway.events import Memo
from gateway.ledger import heartbeats
from gateway.ledger.accounts import login_limit, sessions, users
from gateway.ledger.accounts.login_limit import Try
from gateway.ledger.accounts.users import Role
from gateway.ledger.database import Ledger
from gateway.ledger.facts import dismissals, single_use
from gateway.ledger.facts.dismissals import Kind, Matter
from gateway.ledger.facts.single_use import SingleUse
from gateway.ledger.heartbeats import Condition, Identity
from gateway.ledger.jobs import privacy_requests
from gateway.ledger.jobs.jobs import EVENTS, WEBHOOKS
from gateway.ledger.jobs.privacy_requests import Origin
from gateway.ledger.retention import erasure
from gateway.ledger.scheduling import leases
from gateway.ledger.scheduling.pauses import Scope
from gateway.ledger.schema import SCHEMA, Instant, Json, destinations, events, metadata, rejections
from gateway.ledger.status import Status
from gateway.ledger.views import counters
from gateway.ledger.views.search import Filters
from gateway.lumail.sandbox import Sandbox
from gateway.lumail.transport import Transport
from gateway.privacy import Duty, PrivacyRequest, Subject
from gateway.replay import bulk, editing, resting
from gateway.replay.bulk import Replays
from gateway.replay.deciding import cancel_event
from gateway.replay.editing import Edit
from gateway.replay.selection import Selection
from gateway.translation.registry import adapters, default_sample, samples
from tests.adapters.test_at_the_door import Provider
from tests.making import NOON, add_destinations, complained, opened, payment, record, record_facts, submission, told
from tests.money.office import TOKEN, lumail
from tests.town import Town

ME = "ana (terminal)"

OF_EACH = 3
"""Cases of each adapter, its default besides."""

PASSWORD = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$" + "A" * 43
"""As the ledger keeps one; nobody knows what it is made from."""


def fill(ledger: Ledger) -> None:
    """An empty ledger that has its tables."""
    add_destinations(ledger, "main", "other")
    _webhooks(ledger)
    with lumail() as (sandbox, transport, base_url):
        _deliveries(ledger, sandbox, transport, base_url)
    _people(ledger)
    _work(ledger)
    _processes(ledger)
    counters.keep(ledger)
    _whatever_is_empty(ledger)


def _webhooks(ledger: Ledger) -> None:
    """Of every adapter: translated, taught, ignored, not understood, the same again, wrongly signed."""
    for adapter in adapters().values():
        known = samples(adapter.name)
        with closing(Provider(adapter, ledger, default_sample(adapter.name).options)) as provider:
            for one in [default_sample(adapter.name), *list(known.values())[:OF_EACH]]:
                if one.options == default_sample(adapter.name).options:
                    provider.post(one)
            provider.post(replace(default_sample(adapter.name), body=b'{"nobody": "knows this"}'))
            provider.client.post(f"/webhooks/{adapter.name}", data=b"{}")
            provider.client.post(f"/webhooks/{adapter.name}-misspelt", data=b"{}")
    record(ledger, submission(told(memos=(Memo("order:17", {"email": "ana@example.com"}, NOON),))))


def _deliveries(ledger: Ledger, sandbox: Sandbox, transport: Transport, base_url: str) -> None:
    """Events of every status, with their attempts and lines; whatever is not told of here was delivered."""
    with ledger.read() as connection:
        now = ledger.now(connection)
    town = Town(ledger, sandbox, transport, Destination("main", base_url, TOKEN, 100_000), now=now)
    record_facts(ledger, payment("p:known", subscriber="failed@example.com"))
    town.until(now + timedelta(minutes=1))
    sandbox.fail("400", subscriber="failed@example.com")
    record_facts(ledger, payment("p:failed", subscriber="failed@example.com"))
    record_facts(ledger, opened("o:stranger", subscriber="stranger@unknown.example.com"))
    town.until(town.now + timedelta(minutes=1))
    sandbox.fail("error_500_after")
    record_facts(ledger, payment("p:doubtful", subscriber="doubtful@example.com"))
    town.until(town.now + timedelta(seconds=1))
    sandbox.faults.clear()
    record_facts(ledger, complained("c:way", subscriber="on-her-way@example.com"))
    with ledger.write(["main"]) as connection:
        assert leases.take(connection, "main", "town", town.now)
    town._turn([])  # claimed by somebody who dies
    with ledger.write(["main"]) as connection:
        connection.execute(update(destinations).values(lease_until=now))
    record_facts(ledger, payment("p:held", subscriber=None, waits_for="order:18"))
    for number in range(3):
        record_facts(ledger, payment(f"p:{number}", subscriber=f"s{number}@example.com"), opened(f"o:{number}"))
    [dropped] = record_facts(ledger, payment("p:dropped"))
    cancel_event(ledger, dropped, ME)
    with ledger.read() as connection:
        found = set(connection.execute(select(events.c.status).distinct()).scalars())
    assert found == set(Status), f"missing: {set(Status) - found}"


def _people(ledger: Ledger) -> None:
    """Who may sign in, who is signed in, who tried to; whom the law is about."""
    for name, role in (("anna", Role.ADMIN), ("oscar", Role.OPERATOR), ("violet", Role.VIEWER)):
        users.add(ledger, name, role, PASSWORD, ME)
    login_limit.begin(ledger, Try("nobody", "192.0.2.1"))
    gone = PrivacyRequest(Duty.ERASE, Subject(("gone@example.com",)))
    record_facts(ledger, payment("p:gone", subscriber="gone@example.com"))
    with ledger.write(["main"]) as connection:
        now = ledger.now(connection)
        sessions.begin(connection, "anna", now)
        single_use.use(connection, [("main", SingleUse("secret", "token", "event"))], now)
        done = privacy_requests.record(connection, gone, Origin(ME), now)
    erasure.erase(ledger, done)
    with ledger.write(["main"]) as connection:
        for duty in Duty:
            demand = PrivacyRequest(duty, Subject((f"{duty.value}@example.com".replace(" ", "-"),)), "request-17")
            privacy_requests.record(connection, demand, Origin("stripe", "stripe", "wh_1"), now)


def _work(ledger: Ledger) -> None:
    """Pauses that are open and that have ended, a corrected event, many again: begun, cancelled, under way."""
    scopes = Scope("source", "main", "sendgrid"), Scope("lane", "main", "bulk")
    for scope in scopes:
        resting.pause(ledger, scope, ME, "to look at it")
    resting.resume(ledger, scopes[1], ME)
    plans = {"main": 600, "other": 600}
    worker = Replays(ledger, plans, dict)
    [again] = bulk.begin(ledger, plans, Selection(EVENTS, Filters(status="failed")), ME)
    worker.step(again.id)
    bulk.cancel(ledger, again.id, ME)
    bulk.begin(ledger, plans, Selection(WEBHOOKS, Filters(status="quarantined")), ME)
    with ledger.read() as connection:
        failed = connection.execute(select(events.c.id).where(events.c.status == "failed")).scalars().first()
    assert failed is not None
    editing.edit_event(ledger, failed, Edit(subscriber="corrected@example.com"), ME)
    with ledger.write(["main"]) as connection:  # what was corrected is not sent: it shall be found as it failed
        connection.execute(update(events).where(events.c.id == failed).values(status="failed", reason="retries_ended"))


def _processes(ledger: Ledger) -> None:
    with ledger.write() as connection:
        now = ledger.now(connection)
        for role in (heartbeats.WEB, heartbeats.WORKER):
            who = Identity(f"hb_{role}", role, "one.example.com", 17, "0", SCHEMA)
            heartbeats.beat(connection, who, Condition(timedelta(0), 10**9, None), now)
        misspelt = connection.execute(select(rejections.c.path).where(rejections.c.source.is_(None))).scalars().first()
        assert misspelt is not None
        assert dismissals.put(connection, Matter(Kind.PATH, misspelt), "a scanner", ME, now)


def _whatever_is_empty(ledger: Ledger) -> None:
    """A row for each table that nothing above fills, made up from its columns."""
    with ledger.write(["main", "other"]) as connection:
        for table in metadata.sorted_tables:
            if connection.execute(select(table).limit(1)).first() is None:
                print(f"made up: {table.name}")
                connection.execute(insert(table).values(_made_up(table)))


_VALUES: Mapping[type, Callable[[], Any]] = {Instant: lambda: NOON, Json: dict, Boolean: lambda: False}


def _made_up(table: Table) -> dict[str, Any]:
    return {column.name: _value(column) for column in table.columns if not column.nullable}


def _value(column: "Column[Any]") -> Any:
    made = _VALUES.get(type(column.type))
    if made is not None:
        return made()
    return 1 if column.type.python_type is int else "main" if column.name == "destination" else "x"
