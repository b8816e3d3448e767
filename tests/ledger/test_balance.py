"""What is told of a sale's money: truth minus what was told, one event at a time or corrected in place."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update

from gateway.events import Chargeback, EventType, LumailEvent, Memo, Paid, Refund, RefundState, RefundTotal, decode_data
from gateway.ledger.database import Ledger
from gateway.ledger.facts import incidents
from gateway.ledger.facts.known_events import events_of
from gateway.ledger.outbox import expiry, transitions
from gateway.ledger.schema import events, groups
from tests.making import NOON, fact, record, record_facts, rows, submission, told

PENDING, SUCCEEDED, FAILED = RefundState


def sale(
    part: str, amount: str, *keys: str, column: str = "invoice", currency: str = "EUR", **given: Any
) -> LumailEvent:
    """A payment of `amount` in all, told by the object `part`."""
    options = {name: given.pop(name) for name in ("link_wait", "presented", "elsewhere") if name in given}
    data = {"amount": Decimal(amount), "product": given.pop("product", "Course"), "currency": currency}
    said = Paid(column, part, Decimal(amount), currency, **options)
    return fact(EventType.SUBSCRIBER_PAYMENT, data, *(keys or (part,)), sum=said, **given)


def refund(amount: str, *keys: str, at: int = 60, **given: Any) -> LumailEvent:
    """All that went back of the charge "ch" after `at` minutes."""
    data = {"amount": Decimal(amount), "product": "Stripe payment", "currency": "EUR"}
    options = {name: given.pop(name) for name in ("alone", "paid", "returns") if name in given}
    said = RefundTotal("ch", "ch", Decimal(amount), "EUR", NOON + timedelta(minutes=at), **options)
    return fact(EventType.SUBSCRIBER_REFUND, data, *keys, sum=said, **given)


def single(amount: str, state: RefundState, *keys: str, at: int = 60, **given: Any) -> LumailEvent:
    data = {"amount": Decimal(amount), "product": "Stripe payment", "currency": "EUR"}
    reported_at = NOON + timedelta(minutes=at)
    options = {name: given.pop(name) for name in ("alone", "returns") if name in given}
    said = Refund(
        "ch", "ch", "re_1", Decimal(amount), "EUR", state, NOON + timedelta(minutes=60), reported_at, **options
    )
    makes = state is RefundState.SUCCEEDED
    return fact(EventType.SUBSCRIBER_REFUND, data, *keys, sum=said, makes=makes, **given)


def chargeback(amount: str, state: RefundState, *keys: str, balance: str = "ch", at: int = 60) -> LumailEvent:
    data = {"amount": Decimal(amount), "product": "Stripe payment", "currency": "EUR"}
    said = Chargeback(balance, balance, "dp", Decimal(amount), "EUR", state, NOON + timedelta(minutes=at))
    return fact(EventType.SUBSCRIBER_REFUND, data, *keys, sum=said, makes=state is SUCCEEDED)


def shown(ledger: Ledger) -> list[tuple[Any, ...]]:
    """Type's last word, status, reason and amount of each event that is not superseded."""
    found = []
    for type_, status, reason, data in rows(ledger, events, "type", "status", "reason", "data"):
        if reason != "superseded":
            found.append((type_.rpartition("_")[2], status, reason, decode_data(data)["amount"]))
    return found


def deliver(ledger: Ledger, *identities: str, status: str = "delivered") -> None:
    """As settling does it: the events' end, and what follows from it."""
    with ledger.write(["main"]) as connection:
        for identity in identities:
            values = {"status": status, "reason": None, "first_attempt_at": NOON, "settled_at": NOON}
            connection.execute(update(events).where(events.c.id == identity).values(**values))
        moved = events_of(connection, identities).values()
        transitions.let_follow(connection, "main", moved, ledger.now(connection))


def test_the_same_sale_in_two_columns_is_one_payment(ledger: Ledger) -> None:
    record_facts(ledger, sale("pi", "50.00", "pi", column="intent"), sale("in", "50.00", "in", "pi"))
    assert shown(ledger) == [("PAYMENT", "waiting", None, 50)]


def test_a_larger_telling_corrects_what_waits(ledger: Ledger) -> None:
    record_facts(ledger, sale("order", "50.00"), sale("order", "70.00"))
    assert shown(ledger) == [("PAYMENT", "waiting", None, 70)]


def test_a_larger_telling_after_delivery_sends_the_difference(ledger: Ledger) -> None:
    deliver(ledger, *record_facts(ledger, sale("order", "50.00")))
    record_facts(ledger, sale("order", "70.50"))
    assert shown(ledger) == [("PAYMENT", "delivered", None, 50), ("PAYMENT", "waiting", None, Decimal("20.5"))]


def test_one_payment_of_two_invoices_is_two_events(ledger: Ledger) -> None:
    record_facts(ledger, sale("in_1", "30", "in_1", "pi", product="A"), sale("in_2", "20", "in_2", "pi", product="B"))
    assert [decode_data(data) for (data,) in rows(ledger, events, "data")] == [
        {"amount": 30, "product": "A", "currency": "EUR"},
        {"amount": 20, "product": "B", "currency": "EUR"},
    ]


def test_a_sale_told_in_another_currency_is_enriched_and_not_counted_twice(ledger: Ledger) -> None:
    record_facts(
        ledger,
        sale("pi", "10.00", "pi", column="intent", product="Stripe payment"),
        sale("in", "11.00", "in", "pi", currency="USD", product="Pro", detail_rank=3),
    )
    assert [decode_data(data) for (data,) in rows(ledger, events, "data")] == [
        {"amount": 10, "product": "Pro", "currency": "EUR"}
    ]


def test_two_delivered_payments_that_are_one_sale_are_an_incident_and_nothing_more_is_sent(ledger: Ledger) -> None:
    sent = record_facts(ledger, sale("in", "50.00"), sale("pi", "50.00", column="intent"))
    deliver(ledger, *sent)
    record(ledger, submission(told(links=(("in", "pi"),))))
    record_facts(ledger, sale("in", "60.00"))
    assert shown(ledger) == [("PAYMENT", "delivered", None, 50)] * 2
    with ledger.read() as connection:
        assert [one.text for one in incidents.newest(connection, 5)] == [f"sent for one fact: {', '.join(sent)}"]


def test_two_delivered_payments_of_two_invoices_are_right_though_one_intent_paid_both(ledger: Ledger) -> None:
    deliver(ledger, *record_facts(ledger, sale("in_1", "50.00"), sale("in_2", "50.00")))
    record(ledger, submission(told(links=(("in_1", "pi"), ("in_2", "pi")))))
    assert rows(ledger, groups, "incident") == [(None,)]


def test_a_refund_follows_the_payment_to_its_subscriber_and_product(ledger: Ledger) -> None:
    deliver(ledger, *record_facts(ledger, sale("in", "50.00", "in", "ch", product="Pro")))
    record_facts(ledger, refund("20.00", "ch", subscriber="new-address@example.com"))
    [(subscriber, data)] = [one for one in rows(ledger, events, "subscriber", "data") if "20" in one[1]]
    assert (subscriber, decode_data(data)["product"]) == ("ana@example.com", "Pro")


def test_a_refund_leaves_after_its_payment(ledger: Ledger) -> None:
    [payment] = record_facts(ledger, sale("in", "50.00", "in", "ch"))
    record_facts(ledger, refund("20.00", "ch"))
    held = ("REFUND", "held", "payment_not_left", 20)
    assert shown(ledger) == [("PAYMENT", "waiting", None, 50), held]
    deliver(ledger, payment)
    assert shown(ledger) == [("PAYMENT", "delivered", None, 50), ("REFUND", "waiting", None, 20)]


@pytest.mark.parametrize("status", ["waiting", "delivering", "unknown", "held"])
def test_a_refund_waits_while_its_payment_is_on_its_way_or_in_doubt(ledger: Ledger, status: str) -> None:
    [payment] = record_facts(ledger, sale("in", "50.00", "in", "ch"))
    record_facts(ledger, refund("20.00", "ch"))
    deliver(ledger, payment, status=status)
    assert shown(ledger)[1] == ("REFUND", "held", "payment_not_left", 20)


@pytest.mark.parametrize("status", ["failed", "dropped"])
def test_a_refund_of_a_payment_that_was_given_up_waits_until_that_is_told_again(ledger: Ledger, status: str) -> None:
    [payment] = record_facts(ledger, sale("in", "50.00", "in", "ch"))
    record_facts(ledger, refund("20.00", "ch"))
    deliver(ledger, payment, status=status)
    assert shown(ledger)[1] == ("REFUND", "held", "payment_not_delivered", 20)
    [again] = record_facts(ledger, sale("in", "50.00", "in", "ch"))
    deliver(ledger, again)
    assert sorted(shown(ledger), key=str) == [
        ("PAYMENT", "delivered", None, 50),
        ("PAYMENT", status, None, 50),
        ("REFUND", "waiting", None, 20),
    ]


def test_a_refund_that_came_first_waits_for_the_sale_that_a_link_finds(ledger: Ledger) -> None:
    record_facts(ledger, single("20.00", RefundState.SUCCEEDED, "ch", subscriber=None, waits_for="customer:1"))
    assert shown(ledger) == [("REFUND", "held", "sale_unknown", 20)]
    [payment] = record_facts(ledger, sale("in", "50.00"))
    deliver(ledger, payment)
    record(ledger, submission(told(links=(("in", "ch"),))))
    assert shown(ledger) == [("REFUND", "waiting", None, 20), ("PAYMENT", "delivered", None, 50)]


def let_go(ledger: Ledger, *, days: int) -> None:
    """As a worker does it so many days from now."""
    with ledger.write(["main"]) as connection:
        expiry.let_go(connection, "main", ledger.now(connection) + timedelta(days=days))


def test_a_running_total_waits_for_its_sale_and_then_needs_none(ledger: Ledger) -> None:
    record_facts(ledger, refund("20.00", "ch"), refund("50.00", "ch", at=61))
    assert shown(ledger) == [("REFUND", "held", "sale_unknown", 50)]
    let_go(ledger, days=2)
    assert shown(ledger) == [("REFUND", "held", "sale_unknown", 50)]
    let_go(ledger, days=4)
    assert shown(ledger) == [("REFUND", "waiting", None, 50)]


def test_a_refund_that_may_not_leave_alone_does_not_though_its_buyer_becomes_known(ledger: Ledger) -> None:
    untold = single("20.00", RefundState.SUCCEEDED, "ch", subscriber=None, waits_for="customer:1")
    record_facts(ledger, untold)
    record(ledger, submission(told(memos=(Memo("customer:1", {"email": "ana@example.com"}, NOON),))))
    let_go(ledger, days=4)
    assert shown(ledger) == [("REFUND", "held", "sale_unknown", 20)]


@pytest.mark.parametrize("order", [1, -1])
def test_a_refund_of_a_sale_that_does_not_count_is_dropped_after_three_days(ledger: Ledger, order: int) -> None:
    bare = sale("pi", "50.00", "pi", column="intent", makes=False)
    record_facts(ledger, *[bare, refund("20.00", "ch", "pi")][::order])
    assert shown(ledger) == [("REFUND", "held", "sale_left_out", 20)]
    let_go(ledger, days=4)
    assert shown(ledger) == [("REFUND", "dropped", "sale_never_counted", 20)]


def test_a_refund_of_an_order_that_nobody_paid_is_dropped_after_three_days(ledger: Ledger) -> None:
    record_facts(ledger, sale("order", "0", "order", makes=False), refund("20.00", "order"))
    let_go(ledger, days=4)
    assert shown(ledger) == [("REFUND", "dropped", "sale_never_counted", 20)]


@pytest.mark.parametrize("days", [2, 4])
def test_a_refund_whose_sale_counts_later_follows_it(ledger: Ledger, days: int) -> None:
    record_facts(ledger, sale("pi", "50.00", "pi", column="intent", makes=False), refund("20.00", "ch", "pi"))
    let_go(ledger, days=days)
    deliver(ledger, *record_facts(ledger, sale("in", "50.00", "in", "pi", product="Pro")))
    assert shown(ledger) == [("REFUND", "waiting", None, 20), ("PAYMENT", "delivered", None, 50)]


@pytest.mark.parametrize("order", [1, -1])
def test_no_more_is_refunded_than_was_paid_in_whatever_books(ledger: Ledger, order: int) -> None:
    backs = [refund("40.00", "in"), chargeback("40.00", SUCCEEDED, "in", balance="other")]
    record_facts(ledger, *[sale("in", "50.00"), *backs][::order])
    assert sorted(amount for word, *_, amount in shown(ledger) if word == "REFUND") == [10, 40]


def test_what_was_paid_later_lets_the_rest_of_a_refund_leave(ledger: Ledger) -> None:
    record_facts(ledger, sale("in", "50.00"), refund("70.00", "in"), sale("in", "80.00"))
    assert [one[0::3] for one in shown(ledger)] == [("PAYMENT", 80), ("REFUND", 70)]


def test_a_chargeback_that_is_lost_adds_to_the_refunds_up_to_what_was_paid(ledger: Ledger) -> None:
    told_of = [chargeback("50.00", state, "in", at=at) for at, state in enumerate((PENDING, SUCCEEDED))]
    deliver(ledger, *record_facts(ledger, sale("in", "60.00"), refund("20.00", "in"), *told_of))
    assert [one[0::3] for one in shown(ledger)] == [("PAYMENT", 60), ("REFUND", 60)]


@pytest.mark.parametrize(("policy", "status"), [("hold", "held"), ("drop", "dropped")])
def test_money_in_another_currency_than_the_destinations_does_not_leave(
    ledger: Ledger, policy: str, status: str
) -> None:
    dollars = sale("in", "50.00", currency="USD", currencies=("EUR", policy))
    record_facts(ledger, dollars, sale("other", "20.00", currencies=("EUR", policy)), dollars)
    assert shown(ledger) == [("PAYMENT", status, "other_currency", 50), ("PAYMENT", "waiting", None, 20)]


def test_a_chargeback_that_is_won_again_is_left_out_while_it_waits(ledger: Ledger) -> None:
    record_facts(ledger, sale("in", "60.00"), chargeback("60", SUCCEEDED, "in"), chargeback("60", FAILED, "in", at=90))
    assert shown(ledger) == [("PAYMENT", "waiting", None, 60)]


def test_a_chargeback_that_is_won_after_delivery_is_shown(ledger: Ledger) -> None:
    [payment] = record_facts(ledger, sale("in", "60.00"))
    deliver(ledger, payment, *record_facts(ledger, chargeback("60.00", SUCCEEDED, "in")))
    record_facts(ledger, chargeback("60.00", FAILED, "in", at=90))
    with ledger.read() as connection:
        assert incidents.newest(connection, 5)[0].text.startswith("60.00 EUR of the refund came back after it was told")


def test_a_refund_that_fails_while_it_waits_is_left_out(ledger: Ledger) -> None:
    record_facts(ledger, refund("20.00", "ch"), single("20.00", RefundState.FAILED, "ch", at=62))
    assert shown(ledger) == []


def test_a_refund_that_fails_after_delivery_is_shown_once_and_set_against_the_next(ledger: Ledger) -> None:
    deliver(ledger, *record_facts(ledger, refund("20.00", "ch")))
    record_facts(ledger, *[single("20.00", RefundState.FAILED, "ch", at=62)] * 2)
    with ledger.read() as connection:
        [incident] = incidents.newest(connection, 5)
    assert incident.text.startswith("20.00 EUR of the refund came back after it was told: ev_")
    record_facts(ledger, refund("50.00", "ch", at=70))
    assert shown(ledger) == [("REFUND", "delivered", None, 20), ("REFUND", "held", "sale_unknown", 30)]


def test_a_refund_that_fails_after_delivery_may_be_returned_as_a_payment(ledger: Ledger) -> None:
    deliver(ledger, *record_facts(ledger, refund("20.00", "ch", returns=True)))
    record_facts(ledger, *[single("20.00", RefundState.FAILED, "ch", at=62, returns=True)] * 2)
    assert shown(ledger) == [("REFUND", "delivered", None, 20), ("PAYMENT", "waiting", None, 20)]
    assert decode_data(rows(ledger, events, "data")[1][0])["product"] == "Refund returned"


def test_a_payment_that_may_be_told_better_waits_and_then_leaves_by_itself(ledger: Ledger) -> None:
    record_facts(ledger, sale("pi", "50.00", column="intent", link_wait=timedelta(days=3)))
    assert shown(ledger) == [("PAYMENT", "held", "link_missing", 50)]
    with ledger.write(["main"]) as connection:
        now = ledger.now(connection)
        for days in (2, 4):
            expiry.let_go(connection, "main", now + timedelta(days=days))
            status = connection.execute(select(events.c.status)).scalar_one()
            assert status == {2: "held", 4: "waiting"}[days]


def test_the_better_telling_takes_the_place_of_the_one_that_waits(ledger: Ledger) -> None:
    record_facts(ledger, sale("pi", "50.00", column="intent", link_wait=timedelta(days=3), product="Stripe payment"))
    [invoice] = record_facts(ledger, sale("in", "50.00", product="Pro"))
    record(ledger, submission(told(links=(("in", "pi"),))))
    assert rows(ledger, events, "id", "status")[1:] == [(invoice, "waiting")]
    assert shown(ledger) == [("PAYMENT", "waiting", None, 50)]


def test_what_only_others_tell_makes_nothing_and_is_counted(ledger: Ledger) -> None:
    record_facts(ledger, sale("pi", "50.00", "pi", column="intent", makes=False))
    assert (shown(ledger), [at is not None for (at,) in rows(ledger, groups, "heard_at")]) == ([], [True])
    record_facts(ledger, sale("in", "50.00", "in", "pi"))
    assert (shown(ledger), rows(ledger, groups, "heard_at")) == ([("PAYMENT", "waiting", None, 50)], [(None,)])


def test_a_name_that_is_taught_before_a_payment_leaves_goes_into_it(ledger: Ledger) -> None:
    record_facts(ledger, sale("in", "50.00", named_by="product:1"))
    record(ledger, submission(told(memos=(Memo("product:1", {"name": "Pro plan"}, NOON),))))
    assert decode_data(rows(ledger, events, "data")[0][0])["product"] == "Pro plan"


def test_a_payment_whose_person_never_came_leaves_once_another_telling_names_one(ledger: Ledger) -> None:
    record_facts(ledger, sale("in", "50.00", "in", "pi", subscriber=None, waits_for="customer:1"))
    with ledger.write(["main"]) as connection:
        expiry.drop_held(connection, "main", ledger.now(connection) + timedelta(days=31), timedelta(days=30))
    record_facts(ledger, sale("pi", "50.00", "pi", column="intent", makes=False))
    assert rows(ledger, events, "status", "subscriber") == [("waiting", "ana@example.com")]


def test_a_sale_that_a_link_finds_is_missed_no_more(ledger: Ledger) -> None:
    record_facts(ledger, sale("pi", "50.00", "pi", column="intent", makes=False), sale("in", "50.00"))
    assert sorted(at is None for (at,) in rows(ledger, groups, "heard_at")) == [False, True]
    record(ledger, submission(told(links=(("in", "pi"),))))
    assert rows(ledger, groups, "heard_at") == [(None,)]


def test_a_payment_that_was_sent_keeps_what_was_sent(ledger: Ledger) -> None:
    deliver(ledger, *record_facts(ledger, sale("in", "50.00", "in", "pi", product="Sent")), status="unknown")
    record_facts(ledger, sale("pi", "50.00", "pi", column="intent", product="Better", detail_rank=9))
    assert [decode_data(data)["product"] for (data,) in rows(ledger, events, "data")] == ["Sent"]


def test_a_refund_of_a_purged_payment_leaves_though_its_sums_call_it_unpaid(ledger: Ledger) -> None:
    record_facts(ledger, sale("in", "50.00", "in", "ch", makes=False))
    with ledger.write(["main"]) as connection:
        connection.execute(update(groups).values(emitted={"kept": {"paid": {"EUR": "50.00"}}, "shown": {}}))
    record_facts(ledger, refund("20.00", "ch"))
    assert shown(ledger) == [("REFUND", "waiting", None, 20)]


def test_a_chargeback_that_is_open_is_not_told(ledger: Ledger) -> None:
    deliver(ledger, *record_facts(ledger, sale("in", "60.00"), refund("20.00", "in")))
    record_facts(ledger, chargeback("40.00", PENDING, "in"))
    record_facts(ledger, refund("30.00", "in", at=61))
    assert sorted(amount for word, *_, amount in shown(ledger) if word == "REFUND") == [10, 20]


def test_sums_outlive_the_events(ledger: Ledger) -> None:
    deliver(ledger, *record_facts(ledger, sale("in", "50.00", "in", "ch")))
    with ledger.write(["main"]) as connection:
        connection.execute(update(groups).values(emitted={"kept": {"paid": {"EUR": "50.00"}}, "shown": {}}))
        connection.execute(events.delete())
    record_facts(ledger, sale("in", "50.00", "in", "ch"), refund("20.00", "ch"))
    assert shown(ledger) == [("REFUND", "waiting", None, 20)]


def test_a_second_translation_of_a_webhook_corrects_what_the_first_read_wrongly(ledger: Ledger) -> None:
    [first] = record(ledger, submission(told(sale("in", "4999.00", product="Wrong"))))
    record(ledger, submission(told(sale("in", "49.99", product="Right")), existing_webhook=first.webhook))
    assert [decode_data(data) for (data,) in rows(ledger, events, "data")] == [
        {"amount": Decimal("49.99"), "product": "Right", "currency": "EUR"}
    ]


def test_a_second_translation_does_not_undo_what_was_told_since(ledger: Ledger) -> None:
    [first] = record(ledger, submission(told(sale("order", "50.00"))))
    record_facts(ledger, sale("order", "70.00"))
    record(ledger, submission(told(sale("order", "50.00")), existing_webhook=first.webhook))
    assert shown(ledger) == [("PAYMENT", "waiting", None, 70)]
