"""The histories by which a gateway is misled most easily: what Stripe and Shopify tell, and what is right."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from gateway.config.model import Retention
from gateway.ledger.retention import erasure
from gateway.ledger.retention.purge import purge
from tests.money.office import Office, Post, source
from tests.money.shopify_life import Order, Return, State, Transaction
from tests.money.shopify_words import Words as ShopifyWords
from tests.money.shopify_words import headers
from tests.money.stripe_life import DAY, Bill, Cash, Customer, Refund, Sale, Session
from tests.money.stripe_words import VERSIONS, Words, event
from tests.money.telling import Told, moment
from tests.money.trial import Opens

ANA = Customer("cus_ana", ((0, "ana@example.com"),))
MOVING = Customer("cus_moving", ((0, "old@example.com"), (3 * DAY, "new@example.com")))
NOBODY = Customer("cus_nobody", ())
INTENT, CHARGE, INVOICE = "pi_3SPa2aKZ9xQ4mTn70Xb2", "ch_3SPa2aKZ9xQ4mTn70Yc3", "in_1SPa2aKZ9xQ4mTn7aB3dE5fG"
OTHER_INTENT, OTHER_INVOICE = "pi_3SPa2aKZ9xQ4mTn70Zz9", "in_1SPa2aKZ9xQ4mTn7aB3dE5fH"
_numbers = iter(range(1_000_000))


class Shop:
    """One who tells a gateway what happened, in the order in which a test says so."""

    def __init__(self, office: Office) -> None:
        self.office = office
        office.serve(
            [
                source("sales", "stripe"),
                source("more", "stripe"),
                source("intents", "stripe", payments_from="payment_intents"),
                source("both", "stripe", payments_from="both"),
                source("returned", "stripe", failed_refund="payment"),
                source("shopify", "shopify"),
            ]
        )

    def tells(self, *told: Told, to: str = "sales") -> None:
        """Each alone, and a minute for it to leave."""
        for one in told:
            self.office.post(_post(one, to))
            self.office.later(minutes=1)

    def tells_at_once(self, *told: Told, to: str = "sales") -> None:
        self.office.post(*(_post(one, to) for one in told))
        self.office.later(minutes=1)

    def introduces(self, customer: Customer, at: int = 0, to: str = "sales") -> None:
        body = {"object": "customer", "id": customer.id, "email": customer.email(at)}
        self.tells(Told("customer.updated", at, body), to=to)

    def goes_on(self, **by: float) -> None:
        self.office.later(**by)

    def sleeps(self, **by: float) -> None:
        """Time in which nobody delivers anything, after which what is too old is removed."""
        self.office.town.now += timedelta(**by)
        self.office.ledger.time = self.office.now
        list(purge(self.office.ledger, Retention(), self.office.now, stopping=lambda: False))

    def erases(self) -> None:
        """Meet the demands to erase somebody, as a worker does."""
        with self.office.ledger.read() as connection:
            demands = erasure.open_ids(connection)
        for demand in demands:
            erasure.erase(self.office.ledger, demand)

    @property
    def revenue(self) -> dict[tuple[str, str, str], list[str]]:
        """Amounts at Lumail, in the order in which they came, by whom, currency and kind."""
        found: dict[tuple[str, str, str], list[str]] = {}
        for who, currency, kind, amount in self.office.found():
            found.setdefault((who, currency, kind), []).append(f"{amount:.2f}")
        return found

    @property
    def held(self) -> list[str | None]:
        return [reason for status, reason, _ in self.office.kept() if status == "held"]


@pytest.fixture
def shop(open_office: Opens) -> Iterator[Shop]:
    with open_office() as office:
        yield Shop(office)


def _post(told: Told, to: str) -> Post:
    identity = f"evt_{next(_numbers):020}"
    if "/" in told.type:
        return Post("shopify", told.body, headers(told, identity, identity, "2026-04"))
    return Post(to, event(told, identity, VERSIONS["C"]))


def said(sale: Sale, *types: str, generation: str = "C") -> list[Told]:
    """What is told of a sale under these types, in the order of the types."""
    told = everything(sale, generation)
    return [one for wanted in types for one in told if one.type == wanted]


def everything(sale: Sale, generation: str) -> list[Told]:
    return list(Words(sale, 0, lambda _: generation).all())


def ordered(order: Order, *topics: str) -> list[Told]:
    told = list(ShopifyWords(order, 0, "2026-04").all())
    return [one for wanted in topics for one in told if one.type == wanted]


def cash(amount: int = 10_000, **given: Any) -> Cash:
    values: dict[str, Any] = {"captured": amount, "at": 0, "captured_at": 0, "pays": ((INVOICE, amount),), **given}
    return Cash(values.pop("intent", INTENT), values.pop("charge", CHARGE), amount, **values)


def invoiced(*cashes: Cash, customer: Customer = ANA, total: int = 10_000) -> Sale:
    return Sale("invoice", customer, "usd", (), (Bill(INVOICE, total, total, 1),), cashes or (cash(),))


def bare(one: Cash, customer: Customer = ANA) -> Sale:
    return Sale("elements", customer, "usd", (), (), (one,))


def went_back(*life: tuple[int, str], amount: int = 10_000, name: str = "re_1") -> Refund:
    return Refund(name, amount, life)


def in_checkout(one: Cash, customer: Customer = ANA) -> Sale:
    session = Session("cs_live_1", "payment", one.captured, one.at, one.at, intent=one.intent)
    return Sale("one-off", customer, "usd", (session,), (), (one,))


def order(*states: State, returns: tuple[Return, ...] = (), **given: Any) -> Order:
    values: dict[str, Any] = {"customer": Customer("7", ((0, "ana@example.com"),)), "email_in": "email", **given}
    return Order("paid", 17, values.pop("customer"), values.pop("email_in"), "USD", states, returns, **values)


PAID, REFUNDED = ("ana@example.com", "USD", "payment"), ("ana@example.com", "USD", "refund")


@pytest.mark.parametrize("mode", ["sales", "intents", "both"])
def test_an_intent_its_invoice_and_54_seconds_later_their_link_are_one_payment(shop: Shop, mode: str) -> None:
    shop.tells(*said(invoiced(), "payment_intent.succeeded", "invoice.paid", "invoice_payment.paid"), to=mode)
    shop.goes_on(days=5)
    assert shop.revenue == {PAID: ["100.00"]}


def test_two_facts_that_a_third_telling_joins_become_one(shop: Shop) -> None:
    intent, invoice = said(invoiced(), "payment_intent.succeeded", "invoice.paid")
    [joining] = said(invoiced(), "charge.succeeded", generation="B")
    shop.tells_at_once(intent, invoice, to="both")
    shop.goes_on(days=2)
    shop.tells(joining, to="both")
    shop.goes_on(days=3)
    assert shop.revenue == {PAID: ["100.00"]}


def test_an_invoice_that_is_paid_in_two_parts_counts_both(shop: Shop) -> None:
    parts = (
        cash(4_000, pays=((INVOICE, 4_000),)),
        cash(6_000, intent=OTHER_INTENT, charge="ch_other", pays=((INVOICE, 6_000),)),
    )
    told = said(invoiced(*parts), "payment_intent.succeeded", "invoice_payment.paid", "invoice.paid")
    shop.tells(*told, to="intents")
    assert shop.revenue == {PAID: ["40.00", "60.00"]}


def test_an_intent_that_pays_two_invoices_counts_both(shop: Shop) -> None:
    bills = (Bill(INVOICE, 4_000, 4_000, 1), Bill(OTHER_INVOICE, 6_000, 6_000, 2))
    one = cash(pays=((INVOICE, 4_000), (OTHER_INVOICE, 6_000)))
    sale = Sale("two invoices", ANA, "usd", (), bills, (one,))
    shop.tells(*said(sale, "invoice_payment.paid", "invoice.paid", "invoice.payment_succeeded"))
    assert shop.revenue == {PAID: ["40.00", "60.00"]}


def test_an_order_that_is_edited_upward_after_it_was_paid_tells_the_difference(shop: Shop) -> None:
    edited = order(State(0, "paid", 10_000), State(60, "partially_paid", 13_000, 3_000), State(120, "paid", 13_000))
    shop.tells(*ordered(edited, "orders/create", "orders/paid", "orders/edited", "orders/updated"))
    assert shop.revenue == {PAID: ["100.00", "30.00"]}


def test_a_refund_that_comes_before_its_sale_goes_to_the_same_person_after_it(shop: Shop) -> None:
    sale = in_checkout(cash(refunds=(went_back((60, "succeeded")),), charge_has_email=False, pays=()))
    shop.tells(*said(sale, "refund.created"))
    assert (shop.revenue, len(shop.held)) == ({}, 1)
    shop.tells(*said(sale, "checkout.session.completed"))
    assert list(shop.revenue.items()) == [(PAID, ["100.00"]), (REFUNDED, ["100.00"])]


def test_a_refund_waits_while_its_sale_waits_for_somebodys_address(shop: Shop) -> None:
    sale = invoiced(cash(refunds=(went_back((60, "succeeded")),), charge_has_email=False), customer=NOBODY)
    told = said(sale, "invoice.paid", "invoice_payment.paid", "charge.refunded", "refund.created")
    shop.tells(*told)
    assert shop.revenue == {}
    shop.introduces(Customer(NOBODY.id, ((0, "ana@example.com"),)))
    shop.goes_on(hours=1)
    assert list(shop.revenue.items()) == [(PAID, ["100.00"]), (REFUNDED, ["100.00"])]


def test_a_refund_goes_where_its_payment_went_though_the_customer_has_another_address_now(shop: Shop) -> None:
    sale = invoiced(cash(refunds=(went_back((5 * DAY, "succeeded")),), charge_has_email=False), customer=MOVING)
    shop.introduces(MOVING)
    shop.tells(*said(sale, "invoice.paid", "invoice_payment.paid"))
    shop.introduces(MOVING, at=4 * DAY)
    shop.tells(*said(sale, "charge.refunded", "refund.created"))
    assert shop.revenue == {
        ("old@example.com", "USD", "payment"): ["100.00"],
        ("old@example.com", "USD", "refund"): ["100.00"],
    }


def test_a_payment_that_was_given_up_for_want_of_an_address_leaves_once_it_is_told(shop: Shop) -> None:
    sale = invoiced(customer=NOBODY)
    shop.tells(*said(sale, "invoice.paid"))
    shop.goes_on(days=31)
    assert shop.office.kept() == [("dropped", "held_too_long", None)]
    shop.tells(*said(invoiced(customer=ANA), "invoice.payment_succeeded"))
    assert shop.revenue == {PAID: ["100.00"]}


def test_a_richer_telling_of_a_payment_in_doubt_changes_nothing_of_what_was_sent(shop: Shop) -> None:
    told = said(invoiced(), "invoice.paid", "invoice.payment_succeeded")
    shop.office.town.sandbox.fail("error_500_after", count=1, type="SUBSCRIBER_PAYMENT")
    shop.tells(told[0])
    shop.tells(Told(told[1].type, told[1].at, {**told[1].body, "metadata": {"product": "A better name"}}))
    shop.goes_on(days=2)
    assert shop.revenue == {PAID: ["100.00"]}


def test_an_older_total_of_refunds_changes_nothing_and_of_two_in_a_second_the_larger_counts(shop: Shop) -> None:
    backs = (went_back((60, "succeeded"), amount=2_000), went_back((60, "succeeded"), amount=3_000, name="re_2"))
    told = said(in_checkout(cash(refunds=backs, pays=())), "checkout.session.completed", "charge.refunded")
    sale, first, both = told
    shop.tells(sale, both, first)
    assert shop.revenue == {PAID: ["100.00"], REFUNDED: ["50.00"]}


@pytest.mark.parametrize("mode", ["intents", "both"])
def test_what_was_authorized_and_not_captured_is_no_refund(shop: Shop, mode: str) -> None:
    sale = bare(cash(captured=7_000, captured_at=60, pays=()))
    shop.tells(*said(sale, "charge.succeeded", "payment_intent.succeeded", "charge.refunded"), to=mode)
    shop.goes_on(days=4)
    assert shop.revenue == {PAID: ["70.00"]}


def test_what_is_refunded_between_two_captures_and_after_them_counts_up_to_all_that_was_captured(shop: Shop) -> None:
    backs = (went_back((200, "succeeded"), amount=4_000), went_back((900, "succeeded"), amount=5_000, name="re_2"))
    sale = bare(cash(captured_at=600, steps=((60, 4_000),), refunds=backs, pays=()))
    shop.tells(*said(sale, "charge.captured", "charge.refunded", "payment_intent.succeeded"), to="intents")
    assert shop.revenue == {PAID: ["40.00", "60.00"], REFUNDED: ["40.00", "50.00"]}


def test_a_refund_larger_than_what_was_known_to_be_paid_is_told_whole_once_a_link_says_more(shop: Shop) -> None:
    bills = (Bill(INVOICE, 4_000, 4_000, 1), Bill(OTHER_INVOICE, 6_000, 6_000, 2))
    one = cash(pays=((INVOICE, 4_000), (OTHER_INVOICE, 6_000)), refunds=(went_back((60, "succeeded")),))
    sale = Sale("two invoices", ANA, "usd", (), bills, (one,))
    first, second = said(sale, "invoice_payment.paid")
    shop.tells(*said(sale, "invoice.paid"), first, *said(sale, "refund.created"))
    assert shop.revenue[REFUNDED] == ["40.00"]
    shop.tells(second)
    assert shop.revenue[REFUNDED] == ["40.00", "60.00"]


@pytest.mark.parametrize("mode", ["sales", "intents", "both"])
def test_an_authorization_that_was_released_is_neither_sale_nor_refund(shop: Shop, mode: str) -> None:
    sale = bare(cash(captured=0, released=60, pays=()))
    shop.tells(*said(sale, "charge.succeeded", "charge.refunded", "refund.created"), to=mode)
    shop.goes_on(days=4)
    assert (shop.revenue, shop.held) == ({}, [])


def test_a_refund_that_fails_after_it_was_told_is_set_against_the_next_one(shop: Shop) -> None:
    backs = (
        went_back((60, "succeeded"), (605, "failed"), amount=2_000),
        went_back((1_200, "succeeded"), amount=5_000, name="re_2"),
    )
    sale = in_checkout(cash(refunds=backs, pays=()))
    first, second = said(sale, "refund.created")
    shop.tells(*said(sale, "checkout.session.completed"), first, *said(sale, "refund.failed"))
    assert shop.revenue[REFUNDED] == ["20.00"]
    shop.tells(second)
    assert shop.revenue == {PAID: ["100.00"], REFUNDED: ["20.00", "30.00"]}


def test_a_refund_that_fails_after_it_was_told_is_given_back_where_the_source_says_so(shop: Shop) -> None:
    sale = in_checkout(cash(refunds=(went_back((60, "succeeded"), (605, "failed"), amount=2_000),), pays=()))
    told = said(sale, "checkout.session.completed", "charge.refunded", "refund.created", "refund.failed")
    shop.tells(*told, to="returned")
    assert shop.revenue == {PAID: ["100.00", "20.00"], REFUNDED: ["20.00"]}


def test_a_refund_that_is_pending_is_told_once_it_came_through(shop: Shop) -> None:
    back = Return(5, 60, (Transaction(6, 2_500, ((60, "pending"), (4_000, "success"))),))
    told = order(State(0, "paid", 10_000), returns=(back,))
    shop.tells(*ordered(told, "orders/paid", "refunds/create"))
    assert shop.revenue == {PAID: ["100.00"]}
    shop.tells(ordered(told, "order_transactions/create")[-1])
    assert shop.revenue == {PAID: ["100.00"], REFUNDED: ["25.00"]}


def test_a_refund_that_is_pending_at_stripe_is_told_once_it_came_through(shop: Shop) -> None:
    sale = in_checkout(cash(refunds=(went_back((60, "pending"), (605, "succeeded"), amount=2_000),), pays=()))
    told = said(sale, "checkout.session.completed", "refund.created", "charge.refunded")
    shop.tells(*told)
    assert shop.revenue == {PAID: ["100.00"]}
    shop.tells(*said(sale, "refund.updated"))
    assert shop.revenue == {PAID: ["100.00"], REFUNDED: ["20.00"]}


def test_a_refund_a_year_later_finds_its_sale_though_all_else_of_it_was_removed(shop: Shop) -> None:
    later = 500 * DAY
    sale = in_checkout(cash(refunds=(went_back((later, "succeeded"), amount=2_500),), pays=()))
    shop.tells(*said(sale, "checkout.session.completed", "charge.succeeded"))
    shop.sleeps(seconds=later)
    shop.tells(*said(sale, "refund.created", "charge.refunded"))
    assert shop.revenue == {PAID: ["100.00"], REFUNDED: ["25.00"]}
    assert shop.held == []


def test_a_refund_of_somebody_who_was_erased_is_silently_left_out(shop: Shop) -> None:
    back = Return(5, 60, (Transaction(6, 2_500, ((60, "success"),)),))
    told = order(State(0, "paid", 10_000), returns=(back,))
    shop.tells(*ordered(told, "orders/paid"))
    person = {"id": 7, "email": "ana@example.com", "phone": None}
    body = {"shop_id": 1, "shop_domain": "ana.myshopify.com", "customer": person, "orders_to_redact": [17]}
    shop.tells(Told("customers/redact", 30, body))
    shop.erases()
    shop.tells(*ordered(told, "refunds/create", "order_transactions/create", "orders/updated"))
    assert (shop.revenue, shop.held) == ({PAID: ["100.00"]}, [])


def test_a_late_consent_does_not_subscribe_who_has_unsubscribed_since(shop: Shop) -> None:
    shop.tells(_consent("unsubscribed", 600), _consent("subscribed", 60))
    assert [one["eventType"] for one in shop.office.town.sandbox.events()] == ["UNSUBSCRIBED"]


def _consent(state: str, at: int) -> Told:
    consent = {"state": state, "opt_in_level": "single_opt_in", "consent_updated_at": moment(at).isoformat()}
    body = {"customer_id": 7, "email_address": "ana@example.com", "email_marketing_consent": consent}
    return Told("customers_email_marketing_consent/update", at, body)


def test_two_sources_of_one_account_tell_one_sale(shop: Shop) -> None:
    shop.tells(*said(invoiced(), "invoice.paid"), to="sales")
    shop.tells(*said(invoiced(), "invoice.paid", generation="A"), to="more")
    assert shop.revenue == {PAID: ["100.00"]}


def test_equal_ids_of_two_accounts_are_two_sales(shop: Shop) -> None:
    [told] = said(invoiced(), "invoice.paid")
    for account in ("acct_1", "acct_2"):
        body = {**event(told, f"evt_{account}", VERSIONS["C"]), "account": account}
        shop.office.post(Post("sales", body))
    shop.goes_on(minutes=1)
    assert shop.revenue == {PAID: ["100.00", "100.00"]}


@pytest.mark.parametrize("old", [True, False])
def test_a_session_in_the_buyers_currency_and_its_invoice_in_the_sellers_are_one_sale(shop: Shop, *, old: bool) -> None:
    session = Session("cs_live_1", "payment", 10_000, 0, 0, intent=INTENT, bill=INVOICE, conversion=(9_000, "eur", old))
    sale = Sale("adaptive", ANA, "usd", (session,), (Bill(INVOICE, 10_000, 10_000, 1),), (cash(),))
    told = said(sale, "checkout.session.completed", "invoice.paid", generation="B" if old else "C")
    shop.tells(*told)
    assert shop.revenue == {PAID: ["100.00"]}


def test_a_session_says_what_an_intent_in_the_buyers_currency_was_worth_before_it_leaves(shop: Shop) -> None:
    session = Session("cs_live_1", "payment", 10_000, 0, 0, intent=INTENT, conversion=(9_000, "eur", True))
    sale = Sale("adaptive", ANA, "usd", (session,), (), (cash(9_000, pays=()),), cash_currency="eur")
    told = said(sale, "payment_intent.succeeded", "checkout.session.completed", generation="B")
    shop.tells(*told, to="both")
    shop.goes_on(days=4)
    assert shop.revenue == {PAID: ["100.00"]}


def test_a_session_that_is_not_paid_yet_says_who_will_have_paid(shop: Shop) -> None:
    one = cash(at=DAY, captured_at=DAY, charge_has_email=False, pays=())
    session = Session("cs_live_1", "payment", 10_000, 0, DAY, intent=INTENT)
    sale = Sale("bank debit", Customer(None, ((0, "ana@example.com"),)), "usd", (session,), (), (one,))
    told = said(sale, "checkout.session.completed", "payment_intent.succeeded", generation="B")
    shop.tells(*told, to="intents")
    assert shop.revenue == {PAID: ["100.00"]}


def test_a_refund_in_the_buyers_currency_before_its_order_is_told_in_the_shops(shop: Shop) -> None:
    back = Return(5, 60, (Transaction(6, 4_500, ((60, "success"),)),))
    told = order(State(0, "paid", 10_000), returns=(back,), rate=("EUR", 9, 10))
    shop.tells(*ordered(told, "refunds/create", "orders/paid"))
    assert shop.revenue == {PAID: ["100.00"], REFUNDED: ["50.00"]}


def test_an_intent_that_belongs_to_a_session_does_not_silence_it(shop: Shop) -> None:
    sale = in_checkout(cash(reference="cs_live_1", pays=()))
    shop.tells(*said(sale, "payment_intent.succeeded", "checkout.session.completed", "charge.succeeded"), to="both")
    shop.goes_on(days=4)
    assert shop.revenue == {PAID: ["100.00"]}


def test_all_that_stripe_tells_of_a_sale_at_once_in_any_order_is_one_payment_and_its_refund(shop: Shop) -> None:
    sale = in_checkout(cash(refunds=(went_back((60, "succeeded"), amount=2_500),), pays=()))
    told = [one for words in ("A", "B", "C") for one in everything(sale, words)]
    Random(1).shuffle(told)
    shop.tells_at_once(*told)
    shop.goes_on(hours=1)
    assert shop.revenue == {PAID: ["100.00"], REFUNDED: ["25.00"]}
    assert sum(Decimal(one) for one in shop.revenue[PAID]) == 100
