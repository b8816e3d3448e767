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
from gateway.ledger.facts import closed_facts, hashing, incidents
from gateway.ledger.retention.purge import Progress, purge
from gateway.ledger.schema import attempts, events, groups, keys, memory, single_uses, unknown_subscribers, webhooks
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


def sales_that_meet(ledger: Ledger) -> None:
    """An invoice and an intent of 30 and 20, which were delivered and purged before anybody told that they are one."""
    for key, amount in (("invoice:1", "30.00"), ("intent:1", "20.00")):
        paid = Paid(key.partition(":")[0], key, Decimal(amount), "EUR")
        record_facts(ledger, replace(payment(key, amount=Decimal(amount)), sum=paid))
    settle(ledger)
    purged(ledger)
    record(ledger, submission(told(links=(("invoice:1", "intent:1"),))))


def test_two_purged_sales_that_are_one_were_told_both(ledger: Ledger) -> None:
    sales_that_meet(ledger)
    paid = Paid("invoice", "invoice:1", Decimal("60.00"), "EUR")
    record_facts(ledger, replace(payment("invoice:1", amount=Decimal("60.00")), sum=paid))
    assert rows(ledger, events, "amount", "status") == [("10.00", "waiting")]


def test_what_several_events_of_a_sale_told_stays_in_its_sums(ledger: Ledger) -> None:
    record_facts(ledger, sale("30.00"))
    settle(ledger, first_attempt_at=NOON)
    record_facts(ledger, sale("49.99"))
    settle(ledger)
    assert [amount for (amount,) in rows(ledger, events, "amount")] == ["30.00", "19.99"]
    purged(ledger)
    assert rows(ledger, groups, "emitted") == [({"kept": {"paid": {"EUR": "49.99"}}, "shown": {}},)]


@pytest.mark.parametrize("first", ["a:1", "b:1"])
@pytest.mark.parametrize("closed", [("told", None), ("erased", None), ("erased", "told"), ("told", "erased")])
def test_what_closed_one_of_two_facts_closes_both(
    ledger: Ledger, first: str, closed: tuple[str | None, str | None]
) -> None:
    keys_of_both = ["a:1", "b:1"] if first == "a:1" else ["b:1", "a:1"]
    for key, why in zip(keys_of_both, closed, strict=True):
        record(ledger, submission(told(links=((key, f"{key}:too"),))))
        group = group_of(ledger, key)
        with ledger.write(["main"]) as connection:
            if why is not None and group is not None:
                closed_facts.close(connection, "main", {group: why})
    record(ledger, submission(told(links=(("a:1", "b:1"),))))
    assert record_facts(ledger, payment("a:1"), payment("b:1")) == []
    assert rows(ledger, groups, "closed") == [("erased" if "erased" in closed else "told",)]


def test_a_fact_of_an_erased_person_stays_closed_when_it_is_purged(ledger: Ledger) -> None:
    record_facts(ledger, payment("payment:1"))
    settle(ledger)
    with ledger.write(["main"]) as connection:
        closed_facts.close(connection, "main", {str(group_of(ledger, "payment:1")): "erased"})
    purged(ledger)
    assert (rows(ledger, events, "id"), rows(ledger, groups, "closed")) == ([], [("erased",)])


def test_what_was_cancelled_is_not_told_after_the_purge(ledger: Ledger) -> None:
    record_facts(ledger, payment("payment:1"))
    settle(ledger, "dropped", reason="cancelled")
    purged(ledger)
    assert (rows(ledger, events, "id"), record_facts(ledger, payment("payment:1"))) == ([], [])


def test_an_event_stays_as_long_as_another_of_its_fact(ledger: Ledger) -> None:
    record_facts(ledger, sale("30.00"))
    settle(ledger, first_attempt_at=NOON)
    [young] = record_facts(ledger, sale("49.99"))
    settle(ledger)
    with ledger.write(["main"]) as connection:
        yesterday = IN_TWO_YEARS - timedelta(days=1)
        connection.execute(update(events).where(events.c.id == young).values(settled_at=yesterday))
    purged(ledger)
    assert len(rows(ledger, events, "id")) == 2


def test_requests_keep_their_places_and_signatures_are_known_as_long_as_they_are_young(ledger: Ledger) -> None:
    record(ledger, submission(told()))
    yesterday = IN_TWO_YEARS - timedelta(days=1)
    for number, at in enumerate((NOON, yesterday)):
        add_attempt(ledger, None, at)
        used = {"secret": "s", "token": f"t{number}", "event": "e", "destination": "main", "at": at}
        with ledger.write(["main"]) as connection:
            connection.execute(single_uses.insert().values(used))
    purged(ledger)
    assert (rows(ledger, attempts, "taken_at"), rows(ledger, single_uses, "token")) == ([(yesterday,)], [("t1",)])


def test_what_another_destination_was_taught_under_the_same_key_stays(ledger: Ledger) -> None:
    old, new = Memo("a", {"email": "ana@example.com"}, NOON), Memo("a", {}, IN_TWO_YEARS)
    record(ledger, submission(told(memos=(old,))), submission(told(memos=(new,)), destination="other"))
    purged(ledger)
    assert rows(ledger, memory, "destination", "key") == [("other", "a")]


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
