"""What Shopify's webhooks come to in the ledger, whichever of them come and in whichever order."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import count, permutations

import pytest

from gateway.ledger.database import Ledger
from gateway.ledger.schema import events, jobs
from gateway.ledger.status import Reason
from gateway.translation.registry import adapters, samples
from tests.adapters.test_at_the_door import Provider
from tests.making import rows

CASES = samples("shopify")
SHOP = "moulin-papier.myshopify.com"
Told = tuple[str, str | None, Decimal]
Shop = Callable[..., None]


@pytest.fixture
def tell(ledger: Ledger) -> Iterator[Shop]:
    """Post cases one after the other, each as a delivery of its own, each shop at a source of its own; all are
    understood."""
    opened: list[Provider] = []
    deliveries = count()

    def post(*cases: str, options: dict[str, str] | None = None, shop: str = SHOP) -> None:
        provider = Provider(adapters()["shopify"], ledger, options, source=shop.partition(".")[0])
        opened.append(provider)
        for name in cases:
            named = {"X-Shopify-Shop-Domain": shop, "X-Shopify-Webhook-Id": f"delivery-{next(deliveries)}"}
            sample = replace(CASES[name], headers={**CASES[name].headers, **named})
            assert provider.receipt(sample)["quarantined"] == 0

    yield post
    for provider in opened:
        provider.close()


def tell_in_any_order(tell: Shop, *cases: str) -> int:
    """Each order in a shop of its own; gives the number of shops."""
    orders = list(permutations(cases))
    for number, order in enumerate(orders):
        tell(*order, shop=f"shop-{number}.myshopify.com")
    return len(orders)


def money(ledger: Ledger) -> list[Told]:
    """What Lumail will be told of money, refunds last; what was left out in favour of another telling is not in it."""
    told = rows(ledger, events, "type", "subscriber", "amount", "status")
    kept = [(kind, subscriber, Decimal(amount)) for kind, subscriber, amount, status in told if status != "dropped"]
    return sorted(kept, key=lambda one: (one[0] != "SUBSCRIBER_PAYMENT", one[2]))


def paid(amount: str, subscriber: str | None = "ana@example.com") -> Told:
    return "SUBSCRIBER_PAYMENT", subscriber, Decimal(amount)


def refunded(amount: str, subscriber: str | None = "ana@example.com") -> Told:
    return "SUBSCRIBER_REFUND", subscriber, Decimal(amount)


def test_a_sale_told_by_every_topic_is_one(tell: Shop, ledger: Ledger) -> None:
    shops = tell_in_any_order(tell, "created_pending", "paid", "created_paid", "updated_paid")
    assert money(ledger) == [paid("49.00")] * shops


def test_a_refund_told_by_every_topic_is_one(tell: Shop, ledger: Ledger) -> None:
    shops = tell_in_any_order(tell, "paid", "refunded", "transaction_refunded", "updated_refunded_in_part")
    assert money(ledger) == [paid("49.00")] * shops + [refunded("24.00")] * shops


def test_a_pending_refund_is_told_when_it_went_through(tell: Shop, ledger: Ledger) -> None:
    shops = tell_in_any_order(tell, "paid", "refund_pending", "refund_succeeded_later")
    assert money(ledger) == [paid("49.00")] * shops + [refunded("24.00")] * shops


def test_orders_updated_tells_the_end_of_a_pending_refund_too(tell: Shop, ledger: Ledger) -> None:
    shops = tell_in_any_order(tell, "paid", "refund_pending", "updated_refunded_in_part")
    assert money(ledger) == [paid("49.00")] * shops + [refunded("24.00")] * shops


def test_a_pending_refund_that_fails_is_never_told(tell: Shop, ledger: Ledger) -> None:
    shops = tell_in_any_order(tell, "paid", "refund_pending", "refund_failed_later")
    assert money(ledger) == [paid("49.00")] * shops


def test_presentment_money_comes_to_the_shops_in_any_order(tell: Shop, ledger: Ledger) -> None:
    shops = tell_in_any_order(tell, "paid_in_other_currency", "refunded_in_other_currency", "created_pending")
    assert money(ledger) == [paid("49.00")] * shops + [refunded("24.00")] * shops
    assert {currency for (currency,) in rows(ledger, events, "currency")} == {"EUR"}


def test_an_order_edited_upward_after_it_was_paid_tells_the_larger_whole(tell: Shop, ledger: Ledger) -> None:
    tell("paid", "edited_upward_unpaid", "edited_upward", "paid")
    assert money(ledger) == [paid("61.50")]


def test_a_refund_of_two_transactions_is_one_while_it_waits(tell: Shop, ledger: Ledger) -> None:
    tell("paid", "refunded_in_two")
    assert money(ledger) == [paid("49.00"), refunded("24.00")]


def test_a_refund_before_its_sale_goes_to_the_same_person_after_it(tell: Shop, ledger: Ledger) -> None:
    tell("refunded_first", "paid")
    assert money(ledger) == [paid("49.00"), refunded("24.00")]
    assert rows(ledger, events, "status", "reason") == [("held", Reason.PAYMENT_NOT_LEFT), ("waiting", None)]


def test_a_deposit_waits_for_the_rest_unless_each_is_wanted(tell: Shop, ledger: Ledger) -> None:
    tell("deposit", "deposit_completed")
    tell("deposit", "deposit_completed", options={"deposits": "each"}, shop="autre-boutique.myshopify.com")
    assert money(ledger) == [paid("200.00"), paid("200.00")]


def test_a_deposit_counts_by_itself_only_where_each_is_wanted(tell: Shop, ledger: Ledger) -> None:
    tell("deposit")
    assert money(ledger) == []
    tell("deposit", options={"deposits": "each"}, shop="autre-boutique.myshopify.com")
    assert money(ledger) == [paid("50.00")]


def test_a_deposit_that_went_back_is_as_much_as_was_paid(tell: Shop, ledger: Ledger) -> None:
    tell("deposit", "deposit_returned")
    assert money(ledger) == [paid("50.00"), refunded("50.00")]


def test_a_sale_of_a_customer_who_is_not_known_yet_is_released_and_its_refund_follows(
    tell: Shop, ledger: Ledger
) -> None:
    tell("paid_by_nobody_known", "refunded", "customer_told")
    assert rows(ledger, events, "type", "subscriber", "status", "reason") == [
        ("SUBSCRIBER_PAYMENT", "ana.lopez@example.com", "waiting", None),
        ("SUBSCRIBER_REFUND", None, "held", Reason.PAYMENT_NOT_LEFT),
    ]


def test_what_waits_for_a_customer_who_was_merged_away_is_released_by_who_is_left(tell: Shop, ledger: Ledger) -> None:
    tell("tags_added_to_nobody_known", "customers_merged_unknown", "customer_told")
    assert rows(ledger, events, "type", "subscriber", "status") == [("TAG_ADDED", "ana.lopez@example.com", "waiting")]


def test_two_shops_with_equal_ids_and_tests_of_one_never_meet(tell: Shop, ledger: Ledger) -> None:
    tell("paid", "paid_in_test")
    tell("paid_2024", shop="autre-boutique.myshopify.com")
    assert money(ledger) == [paid("49.00")] * 3


def test_a_late_retry_of_a_consent_turns_nobody_on_again(tell: Shop, ledger: Ledger) -> None:
    tell("consent_withdrawn", "consent_given", "consent_late", "consent_again")
    assert rows(ledger, events, "type", "subscriber") == [("UNSUBSCRIBED", "ana@example.com")]


def test_both_consents_leave_where_they_come_in_order(tell: Shop, ledger: Ledger) -> None:
    tell("consent_given", "consent_again", "consent_withdrawn", "consent_late")
    assert [kind for (kind,) in rows(ledger, events, "type")] == ["SUBSCRIBED", "UNSUBSCRIBED"]


def test_what_the_law_demands_is_kept_by_all_names_of_the_person(tell: Shop, ledger: Ledger) -> None:
    tell("paid_by_contact_email", "customer_redacted", "data_requested", "shop_redacted")
    told = [(kind, request["people"], request["account"]) for kind, request in rows(ledger, jobs, "kind", "request")]
    assert told == [
        ("erase", ["ana@example.com", "bo@example.com"], None),
        ("copy", ["ana@example.com", "bo@example.com"], None),
        ("erase", [], f"shopify:{SHOP}:"),
    ]
