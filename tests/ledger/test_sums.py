"""What is true of a sale's money, whatever was told first."""

from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.events import Paid, Refund, RefundState, RefundTotal, Sum
from gateway.ledger.money.sums import NOTHING, Money, Sums
from tests.making import NOON

PENDING, SUCCEEDED, FAILED = RefundState


def paid(column: str, part: str, amount: int, currency: str = "EUR", **given: Any) -> Paid:
    return Paid(column, part, Decimal(amount), currency, **given)


def refund(identity: str, amount: int, state: RefundState = SUCCEEDED, at: int = 0, created: int = 0) -> Refund:
    reported_at, created_at = NOON + timedelta(minutes=at), NOON + timedelta(minutes=created)
    return Refund("ch", "ch", identity, Decimal(amount), "EUR", state, created_at, reported_at)


def total(amount: int, at: int = 0, paid: int | None = None) -> RefundTotal:
    reported_at = NOON + timedelta(minutes=at)
    return RefundTotal("ch", "ch", Decimal(amount), "EUR", reported_at, None if paid is None else Decimal(paid))


def taught(*told: Sum, makes: bool = True) -> Sums:
    sums = Sums()
    for one in told:
        sums.learn(one, makes=makes)
    return sums


def refunded(*told: Sum) -> Decimal:
    found = taught(*told).went_back("ch")
    assert found is not None
    return found.amount


def test_columns_tell_the_same_sale_and_parts_of_a_column_add_up() -> None:
    sums = taught(paid("invoice", "in_1", 60), paid("invoice", "in_2", 40), paid("intent", "pi_1", 70))
    assert sums.paid("EUR") == 100


def test_of_one_object_told_twice_the_larger_amount_counts() -> None:
    assert taught(paid("order", "o", 100), paid("order", "o", 120), paid("order", "o", 90)).paid("EUR") == 120


def test_another_currency_adds_nothing() -> None:
    sums = taught(paid("intent", "pi", 10, "EUR"), paid("invoice", "in", 11, "USD"))
    assert [sums.paid("EUR"), sums.paid("USD")] == [Decimal(10), Decimal(11)]


def test_what_only_others_tell_is_heard_and_not_paid() -> None:
    sums = taught(paid("intent", "pi", 10), makes=False)
    assert (sums.paid("EUR"), sums.is_heard_only) == (NOTHING, True)


def test_a_part_that_another_object_tells_counts_for_nothing() -> None:
    sums = taught(paid("intent", "pi", 10), paid("intent", "pi", 10, elsewhere=True))
    assert (sums.paid("EUR"), sums.is_heard_only) == (NOTHING, False)


def test_a_sale_whose_object_is_named_is_missed_until_that_tells() -> None:
    claimed = taught(paid("intent", "pi", 10, elsewhere=True, named=True), makes=False)
    assert claimed.is_heard_only
    claimed.learn(paid("invoice", "in", 10), makes=True)
    assert not claimed.is_heard_only


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([refund("r1", 20)], 20),
        ([refund("r1", 20, PENDING)], 0),
        ([refund("r1", 20, PENDING), refund("r1", 20, SUCCEEDED, at=1)], 20),
        ([refund("r1", 20), refund("r1", 20, FAILED, at=1)], 0),
        ([refund("r1", 20, FAILED, at=1), refund("r1", 20, SUCCEEDED, at=2)], 0),
        ([refund("r1", 20), refund("r2", 30)], 50),
        ([total(20)], 20),
        ([total(20), total(50, at=1)], 50),
        ([total(20), total(30)], 30),  # two in one second: the larger is the later
        ([total(20), refund("r1", 20)], 20),
        ([total(20), refund("r1", 20, PENDING)], 0),
        ([total(20), refund("r1", 20, FAILED, at=1)], 0),
        ([total(30, at=2), refund("r1", 20, FAILED, at=1)], 30),  # the total knew of the failure
        ([total(20), refund("r2", 30, created=1, at=1)], 50),
        ([total(20), refund("r2", 30, PENDING, created=1, at=1)], 20),
        ([total(80, paid=70)], 70),
        ([refund("r1", 80), total(0, paid=70)], 70),
        ([total(80, at=1, paid=70), total(30, paid=30)], 70),  # captured in parts: the largest is all of it
    ],
)
def test_refunds_add_up_in_any_order(told: list[Sum], expected: int) -> None:
    assert {refunded(*order) for order in permutations(told)} == {Decimal(expected)}


def test_a_refund_in_the_buyers_currency_is_put_into_the_sellers_to_the_cent() -> None:
    sums = taught(Paid("intent", "pi", Decimal("10.00"), "USD", presented=(Decimal("9.37"), "EUR")))
    parts = [Decimal("3.12"), Decimal("6.25"), Decimal("9.37")]
    shown = [sums.in_currency(Money(part, "EUR"), "USD").amount for part in parts]
    assert shown == [Decimal("3.33"), Decimal("6.67"), Decimal("10.00")]


def test_what_no_rate_leads_to_stays_as_it_is() -> None:
    assert Sums().in_currency(Money(Decimal(5), "EUR"), "USD") == Money(Decimal(5), "EUR")


STATES = st.sampled_from(list(RefundState))
PAID = st.builds(paid, st.sampled_from(["invoice", "intent"]), st.sampled_from("abc"), st.integers(1, 500))
REFUND = st.builds(refund, st.sampled_from("xyz"), st.just(20), STATES, st.integers(0, 5), st.integers(0, 5))
TOTAL = st.builds(total, st.integers(0, 500), st.integers(0, 5), st.none() | st.integers(0, 500))
REPEATED = st.lists(PAID | REFUND | TOTAL, max_size=8)


def truth(sums: Sums) -> tuple[Decimal, Money | None]:
    return sums.paid("EUR"), sums.went_back("ch")


@given(REPEATED, st.randoms())
def test_truth_does_not_depend_on_the_order(told: list[Sum], random: Any) -> None:
    shuffled = told + told[:3]
    random.shuffle(shuffled)
    assert truth(taught(*shuffled)) == truth(taught(*told))


@given(REPEATED, st.integers(0, 8))
def test_two_sales_that_are_one_know_what_both_were_told(told: list[Sum], cut: int) -> None:
    united = taught(*told[:cut])
    united.merge(taught(*told[cut:]))
    assert truth(united) == truth(taught(*told))


@given(REPEATED)
def test_sums_are_kept_as_they_are(told: list[Sum]) -> None:
    sums = taught(*told)
    assert Sums.from_json(sums.as_json()) == sums
