"""A ledger that was restored: what its original may have sent is looked for at Lumail before anything leaves."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from gateway.ledger.database import Ledger
from gateway.ledger.outbox import uncertain
from gateway.ledger.schema import attempts, events, lines
from tests.ledger.test_claims import Drain
from tests.making import NOON, complained, opened, payment, record_facts, rows


@pytest.fixture
def soon(ledger: Ledger) -> datetime:
    with ledger.read() as connection:
        return ledger.now(connection) + timedelta(seconds=5)


def restored(ledger: Ledger, now: datetime) -> int:
    with ledger.write(["main"]) as connection:
        return uncertain.mark_all_unconfirmed(connection, "main", now)


def test_whatever_its_original_may_have_sent_is_read_back_and_nothing_is_sent_before(
    ledger: Ledger, soon: datetime
) -> None:
    sent, fresh = opened("o:1"), opened("o:2", "bo@example.com")
    made = record_facts(ledger, payment("p:1"), complained("c:1"), sent, fresh)
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).where(events.c.id == made[2]).values(first_attempt_at=NOON))
    assert restored(ledger, soon) == 3
    claimed = Drain(ledger).claimed(soon)
    assert sorted((one.kind.value, one.event_id) for one in claimed) == sorted(
        [("read", made[0]), ("read", made[1]), ("read", made[2]), ("event", made[3])]
    )


def test_a_request_that_was_under_way_at_the_backup_is_lost_and_its_event_in_doubt(
    ledger: Ledger, soon: datetime
) -> None:
    record_facts(ledger, payment("p:1"))
    Drain(ledger).claimed(soon)
    restored(ledger, soon)
    assert rows(ledger, attempts, "outcome") == [("lost",)]
    assert rows(ledger, events, "status", "reason") == [("unknown", "ledger_restored")]


def test_what_comes_after_the_restore_stays_behind_what_is_in_doubt(ledger: Ledger, soon: datetime) -> None:
    record_facts(ledger, complained("c:2"))
    restored(ledger, soon)
    assert rows(ledger, lines, "due_at") == [(None,)]
    record_facts(ledger, complained("c:1", occurred_at=NOON - timedelta(hours=1)))
    assert [one.kind.value for one in Drain(ledger).claimed(soon + timedelta(seconds=5))] == ["read"]
