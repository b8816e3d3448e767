"""A purge or an erasure that stops anywhere, or is killed: what has to stay is there, and the rest goes later."""

import subprocess
import sys
from datetime import timedelta
from functools import partial
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from gateway.config import Retention
from gateway.ledger.database import Ledger
from gateway.ledger.facts import hashing
from gateway.ledger.jobs import privacy_requests
from gateway.ledger.jobs.privacy_requests import Origin
from gateway.ledger.retention import erasure
from gateway.ledger.retention.purge import purge
from gateway.ledger.schema import events, groups, keys, webhooks
from gateway.privacy import Duty, PrivacyRequest, Subject
from tests.making import NOON, opened, payment, record, record_facts, rows, submission, told

IN_TWO_YEARS = NOON + timedelta(days=730)
SETTLED = {"delivered": True, "failed": False, "dropped": False}

EXAMPLE = count()
"""Tells the facts of one generated example from those of the others, which the same ledger holds."""

PURGE = """
import sys
from datetime import timedelta
from gateway.config import Retention
from gateway.ledger.database import Ledger
from gateway.ledger.retention.purge import purge
from tests.making import NOON
for step in purge(Ledger(sys.argv[1]), Retention(), NOON + timedelta(days=730), stopping=lambda: False):
    print(step, flush=True)
"""

ERASURE = """
import sys
from gateway.ledger import erasure
from gateway.ledger.database import Ledger
def tell():
    print("step", flush=True)
    return False
erasure.erase(Ledger(sys.argv[1]), sys.argv[2], stopping=tell)
"""


def killed_after(steps: int, script: str, *arguments: str) -> None:
    """Run it in a process of its own, which is killed while it is at the step after these."""
    with subprocess.Popen([sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(steps):
            process.stdout.readline()
        process.kill()


def url_of(ledger: Ledger) -> str:
    return ledger.url


def is_used_up(left: list[int]) -> bool:
    return not left or left.pop() < 0


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    facts=st.lists(
        st.tuples(st.sampled_from(sorted(SETTLED)), st.integers(1, 3), st.booleans()), min_size=1, max_size=12
    ),
    stops=st.lists(st.integers(0, 4), max_size=6),
)
def test_wherever_a_purge_stops_no_key_and_no_sum_is_lost(
    ledger: Ledger, facts: list[tuple[str, int, bool]], stops: list[int]
) -> None:
    salt = next(EXAMPLE)
    told_keys: dict[str, bool] = {}
    for number, (status, of_keys, is_paid) in enumerate(facts):
        names = [f"{salt}:{number}:{key}" for key in range(of_keys)]
        (event,) = record_facts(ledger, payment(*names, subscriber=f"{number}@example.com"))
        told_keys |= dict.fromkeys(names, SETTLED[status])
        sums = {"balance": "paid", "amount": "1.50", "currency": "EUR"} if is_paid else {}
        with ledger.write(["main"]) as connection:
            changes = update(events).where(events.c.id == event)
            connection.execute(changes.values(status=status, settled_at=NOON, created_at=NOON, **sums))
    before = dict(rows(ledger, keys, "key", "group"))
    for stop in [*stops, 1000]:
        list(purge(ledger, Retention(), IN_TWO_YEARS, stopping=partial(is_used_up, list(range(stop)))))
    assert rows(ledger, events, "id") == []
    with ledger.read() as connection:
        found = hashing.groups_of(connection, "main", told_keys)
        why = {row.id: row for row in connection.execute(select(groups))}
    assert found == {key: before[key] for key in told_keys}
    for number, (status, _, is_paid) in enumerate(facts):
        row = why.get(found[f"{salt}:{number}:0"])
        assert (row is not None and row.closed == "told") == SETTLED[status]
        kept = {"kept": {"paid": {"EUR": "1.50"}}} if is_paid and SETTLED[status] else None
        assert (None if row is None else row.emitted) == kept
    again = record_facts(ledger, *(payment(key, subscriber="new@example.com") for key in told_keys))
    assert len(again) == len({found[key] for key, was_told in told_keys.items() if not was_told})
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).values(status="failed", settled_at=NOON, created_at=NOON))


@pytest.mark.parametrize("steps", [1, 3, 6])
def test_a_purge_that_is_killed_leaves_the_rest_to_the_next(ledger: Ledger, steps: int) -> None:
    record(ledger, *(submission(told(opened(f"open:{number}", f"{number}@example.com"))) for number in range(700)))
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).values(status="delivered", settled_at=NOON, created_at=NOON))
    before = dict(rows(ledger, keys, "key", "group"))
    killed_after(steps, PURGE, url_of(ledger))
    list(purge(ledger, Retention(), IN_TWO_YEARS, stopping=lambda: False))
    assert (rows(ledger, events, "id"), rows(ledger, webhooks, "id")) == ([], [])
    with ledger.read() as connection:
        assert hashing.groups_of(connection, "main", before) == before
    assert set(rows(ledger, groups, "closed")) == {("told",)}


@pytest.mark.parametrize("steps", [2, 5, 9])
def test_an_erasure_that_is_killed_is_gone_on_with(ledger: Ledger, steps: int) -> None:
    record(ledger, *(submission(told(opened(f"open:{number}")), body=b"ana@example.com") for number in range(300)))
    with ledger.write(["main"]) as connection:
        now = ledger.now(connection)
        demand = PrivacyRequest(Duty.ERASE, Subject(addresses=("ana@example.com",)))
        identity = privacy_requests.record(connection, demand, Origin("Dora"), now)
    killed_after(steps, ERASURE, url_of(ledger), identity)
    done = erasure.erase(ledger, identity)
    assert (done.is_done, done.counts["events"], done.counts["webhooks"]) == (True, 300, 300)
    assert set(rows(ledger, events, "subscriber")) == {(None,)}
    assert set(rows(ledger, webhooks, "body")) == {(None,)}
