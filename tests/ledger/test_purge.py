"""What retention removes, what it leaves for ever, and that it may stop anywhere."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update

from gateway.config import Retention
from gateway.events import EventType, LumailEvent, Memo, Paid, Refund, RefundState
from gateway.ledger.database import Ledger
from gateway.ledger.facts import hashing, incidents
from gateway.ledger.retention.purge import Progress, purge
from gateway.ledger.schema import attempts, events, groups, keys, memory, unknown_subscribers, webhooks
from tests.making import NOON, add_attempt, fact, opened, payment, record, record_facts, rows, submission, told

IN_TWO_YEARS = NOON + timedelta(days=730)
RETENTION = Retention()


def settle(ledger: Ledger, status: str = "delivered", **changes: object) -> None:
    """All events end so, at noon."""
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).values(status=status, settled_at=NOON, created_at=NOON, **changes))


def purged(ledger: Ledger, at: datetime = IN_TWO_YEARS) -> list[Progress]:
    return list(purge(ledger, RETENTION, at, stopping=lambda: False))


def group_of(ledger: Ledger, key: str) -> str | None:
    with ledger.read() as connection:
        plain = connection.execute(select(keys.c.group).where(keys.c.key == key)).scalar_one_or_none()
        return plain or hashing.groups_of(connection, "main", [key]).get(key)


def test_what_is_young_stays(ledger: Ledger) -> None:
    record_facts(ledger, payment("payment:1"))
    settle(ledger)
    assert purged(ledger, NOON + timedelta(days=29)) == []


def test_bodies_go_first_and_their_webhooks_stay(ledger: Ledger) -> None:
    record(ledger, *(submission(told(payment(f"payment:{n}")), headers={"a": "b"}) for n in range(3)))
    settle(ledger)
    assert purged(ledger, NOON + timedelta(days=31)) == [Progress("bodies", "main", 3)]
    assert rows(ledger, webhooks, "body", "headers") == [(None, {})] * 3


def test_attempts_go_before_their_events_unless_one_is_in_doubt(ledger: Ledger) -> None:
    settled, doubtful = record_facts(ledger, payment("payment:1"), payment("payment:2", subscriber="ben@example.com"))
    for event in (settled, doubtful):
        add_attempt(ledger, event, NOON)
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).where(events.c.id == doubtful).values(status="unknown"))
    purged(ledger, NOON + timedelta(days=100))
    assert rows(ledger, attempts, "event") == [(doubtful,)]


def test_events_go_with_their_webhooks_and_keys_stay_as_hashes(ledger: Ledger) -> None:
    record_facts(ledger, payment("payment:1", "invoice:1"))
    (group,) = {group for (group,) in rows(ledger, keys, "group")}
    settle(ledger)
    purged(ledger)
    assert (rows(ledger, events, "id"), rows(ledger, webhooks, "id")) == ([], [])
    assert [key[:1] for (key,) in rows(ledger, keys, "key")] == ["#", "#"]
    assert {group_of(ledger, key) for key in ("payment:1", "invoice:1")} == {group}
    assert rows(ledger, groups, "id", "closed") == [(group, "told")]


@pytest.mark.parametrize("status", ["waiting", "delivering", "unknown", "held"])
def test_what_is_not_settled_never_goes_nor_does_its_webhook(ledger: Ledger, status: str) -> None:
    record(ledger, submission(told(payment("payment:1")), told(opened("open:1"))))
    settle(ledger)
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).where(events.c.type == "SUBSCRIBER_PAYMENT").values(status=status))
    purged(ledger)
    assert (len(rows(ledger, events, "id")), len(rows(ledger, webhooks, "id"))) == (2, 1)
    assert sorted(rows(ledger, keys, "key")) == [("open:1",), ("payment:1",)]


def test_an_event_that_was_settled_late_is_as_old_as_that(ledger: Ledger) -> None:
    record_facts(ledger, payment("payment:1"))
    settle(ledger)
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).values(settled_at=IN_TWO_YEARS - timedelta(days=1)))
    purged(ledger)
    assert len(rows(ledger, events, "id")) == 1


def test_what_a_person_has_to_decide_stays(ledger: Ledger) -> None:
    record_facts(ledger, payment("payment:1"))
    settle(ledger)
    ((group,),) = rows(ledger, keys, "group")
    with ledger.write(["main"]) as connection:
        incidents.record(connection, "main", group, "sent for one fact: twice")
    purged(ledger)
    assert len(rows(ledger, events, "id")) == 1


def test_what_was_told_stays_in_the_sums_when_its_events_go(ledger: Ledger) -> None:
    record(ledger, submission(told(payment("payment:1"))))
    record(ledger, submission(told(opened("open:1"))))
    settle(ledger)
    with ledger.write(["main"]) as connection:
        paid = {"balance": "paid", "amount": "49.99", "currency": "EUR"}
        connection.execute(update(events).where(events.c.type == "SUBSCRIBER_PAYMENT").values(**paid))
    purged(ledger)
    sums = [emitted for (emitted,) in rows(ledger, groups, "emitted")]
    assert sorted(sums, key=str) == [None, {"kept": {"paid": {"EUR": "49.99"}}}]


def test_what_nobody_heard_of_may_be_told_again_after_the_purge(ledger: Ledger) -> None:
    record_facts(ledger, payment("payment:1"), payment("payment:2", subscriber="ben@example.com"))
    settle(ledger, "failed")
    purged(ledger)
    assert rows(ledger, groups, "closed") == []


def test_a_fact_that_was_told_is_known_by_any_of_its_keys_after_the_purge(ledger: Ledger) -> None:
    record_facts(ledger, opened("open:1"), payment("payment:1", "invoice:1"))
    settle(ledger)
    purged(ledger)
    assert record_facts(ledger, opened("open:1"), payment("payment:1"), payment("invoice:1", "invoice:2")) == []
    assert record_facts(ledger, payment("invoice:2")) == []
    assert [key[:1] for (key,) in rows(ledger, keys, "key")] == ["#"] * 4


def test_a_fact_that_nobody_heard_of_is_told_after_the_purge(ledger: Ledger) -> None:
    record_facts(ledger, payment("payment:1"))
    settle(ledger, "failed")
    purged(ledger)
    assert len(record_facts(ledger, payment("payment:1"))) == 1


def test_a_fact_that_turns_out_to_be_one_that_was_told_before_the_purge_is_left_out(ledger: Ledger) -> None:
    record_facts(ledger, payment("payment:1"))
    settle(ledger)
    purged(ledger)
    record_facts(ledger, payment("invoice:1"))
    record(ledger, submission(told(links=(("payment:1", "invoice:1"),))))
    assert rows(ledger, events, "status", "reason") == [("dropped", "superseded")]
    assert record_facts(ledger, payment("invoice:1")) == []


def sale(amount: str, **given: Any) -> LumailEvent:
    paid = Paid("invoices", "in_1", Decimal(amount), "EUR")
    return replace(payment("invoice:1", amount=Decimal(amount), **given), sum=paid)


def refund(amount: str) -> LumailEvent:
    reported_at = IN_TWO_YEARS
    back = Refund(
        "ch_1", "ch_1", "re_1", Decimal(amount), "EUR", RefundState.SUCCEEDED, reported_at, reported_at, alone=True
    )
    data = {"amount": Decimal(amount), "product": "Course"}
    return replace(fact(EventType.SUBSCRIBER_REFUND, data, "invoice:1"), sum=back, occurred_at=reported_at)


def test_a_refund_after_the_purge_finds_its_sale_and_what_was_told(ledger: Ledger) -> None:
    record_facts(ledger, sale("49.99"))
    settle(ledger)
    purged(ledger)
    assert record_facts(ledger, sale("49.99")) == []
    record_facts(ledger, sale("59.99"), refund("20"))
    assert rows(ledger, events, "type", "amount", "status") == [
        ("SUBSCRIBER_PAYMENT", "10.00", "waiting"),
        ("SUBSCRIBER_REFUND", "20", "held"),
    ]


def test_lessons_go_by_the_age_of_what_was_said_last(ledger: Ledger) -> None:
    memos = (Memo("a", {"email": "ana@example.com"}, NOON), Memo("b", {}, NOON + timedelta(days=400)))
    record(ledger, submission(told(memos=memos)))
    purged(ledger, NOON + timedelta(days=500))
    assert rows(ledger, memory, "key") == [("b",)]


def test_what_lumail_said_of_a_subscriber_is_not_believed_for_ever(ledger: Ledger) -> None:
    with ledger.write(["main"]) as connection:
        for name in ("ana@example.com", "ben@example.com"):
            connection.execute(
                unknown_subscribers.insert().values(destination="main", subscriber=name, since=NOON, times_asked=0)
            )
    record_facts(ledger, payment("payment:1", subscriber="ben@example.com"))
    settle(ledger, "held")
    purged(ledger)
    assert rows(ledger, unknown_subscribers, "subscriber") == [("ben@example.com",)]


def test_no_step_is_longer_than_500_rows_and_all_of_them_end(ledger: Ledger) -> None:
    batch = tuple(told(opened(f"open:{n}", f"{n % 40}@example.com")) for n in range(450))
    record(ledger, submission(*batch))
    record(ledger, *(submission(told(opened(f"single:{n}"))) for n in range(300)))
    settle(ledger)
    steps = purged(ledger)
    assert max(step.rows for step in steps) <= 500
    assert (rows(ledger, events, "id"), rows(ledger, webhooks, "id")) == ([], [])
    assert len(rows(ledger, keys, "key")) == 750
