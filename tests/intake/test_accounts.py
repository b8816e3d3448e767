"""Whose account a webhook is: what is signed may say it, and what is not binds a source once and decides nothing."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from gateway.config import Retention
from gateway.events import EventType, LumailEvent
from gateway.ledger.database import Ledger
from gateway.ledger.facts import pinned_accounts
from gateway.ledger.retention.purge import purge
from gateway.ledger.schema import jobs, webhooks
from gateway.translation.adapter import Claim, Context, SourceEvent, Translation, erased, translated
from gateway.translation.webhook import VerifiedWebhook
from tests.intake.conftest import SHOP, SOURCE, Shop, shop_at, split
from tests.making import rows


def paid(event: SourceEvent, context: Context) -> Translation:
    data = {"product": "Mug", "amount": 10, "currency": "EUR"}
    order = event.payload["id"]
    made = LumailEvent(EventType.SUBSCRIBER_PAYMENT, "ana@example.com", data, event.occurred_at, (f"order:{order}",))
    return translated(made)


def closed(event: SourceEvent, context: Context) -> Translation:
    return erased(whole_account=True)


def named_by_header(verified: VerifiedWebhook) -> Sequence[Any]:
    shop = verified.headers.get("X-Shop") or None
    test = verified.headers.get("X-Test") == "true"
    return [replace(one, account=shop, test=test) for one in split(verified) if isinstance(one, SourceEvent)]


CLAIMING = replace(
    SHOP,
    split=named_by_header,
    handlers={"paid": paid, "close": closed},
    claims=frozenset({Claim.ACCOUNT, Claim.TEST}),
)
ORDER = {"id": "17", "type": "paid"}


@contextmanager
def shop_with(ledger: Ledger, account: str | None = None, **options: Any) -> Iterator[Shop]:
    with shop_at(ledger, CLAIMING, replace(SOURCE, account=account, **options)) as shop:
        yield shop


def outcome(receipt: Mapping[str, Any]) -> tuple[int, int, int]:
    return len(receipt["events"]), receipt["merged"], receipt["quarantined"]


SPELLINGS = ("https://shop.example.com/", "http://shop.example.com", "https://www.Shop.example.com/fr/?x=1")


def test_a_site_is_one_account_however_it_is_spelled(ledger: Ledger) -> None:
    with shop_with(ledger) as shop:
        found = [outcome(shop.receipt(ORDER, X_Shop=spelling)) for spelling in SPELLINGS]
    assert found == [(1, 0, 0), (0, 1, 0), (0, 1, 0)]


def test_the_configured_account_is_what_counts_whatever_a_header_names(ledger: Ledger) -> None:
    with shop_with(ledger, account="my-shop") as shop:
        found = [outcome(shop.receipt(ORDER, X_Shop=name)) for name in ("a.example.com", "b.example.com", "")]
    assert found == [(1, 0, 0), (0, 1, 0), (0, 1, 0)]


def test_the_first_account_that_is_named_stays_and_another_is_quarantined_with_the_advice(ledger: Ledger) -> None:
    with shop_with(ledger) as shop:
        found = [outcome(shop.receipt(ORDER, X_Shop=name)) for name in ("a.example.com", "b.example.com", "")]
    assert found == [(1, 0, 0), (0, 0, 1), (0, 1, 0)]
    told = [notes for (notes,) in rows(ledger, webhooks, "notes") if notes]
    assert "lumail-gateway sources account shop --set" in str(told)


def test_of_two_first_webhooks_at_once_one_binds_the_source(ledger: Ledger) -> None:
    found = []
    with shop_with(ledger) as shop:

        def post(name: str) -> None:
            found.append(outcome(shop.receipt(ORDER, X_Shop=name)))

        threads = [threading.Thread(target=post, args=(f"{letter}.example.com",)) for letter in "abcdef"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found) == [(0, 0, 1)] * 5 + [(1, 0, 0)]


def test_a_test_that_only_a_header_says_it_is_counts_no_second_time(ledger: Ledger) -> None:
    with shop_with(ledger, account="my-shop", accept_test_events=True) as shop:
        found = [outcome(shop.receipt(ORDER, X_Test=word)) for word in ("false", "true")]
    assert found == [(1, 0, 0), (0, 1, 0)]


def test_all_of_an_account_is_erased_only_where_it_is_named(ledger: Ledger) -> None:
    with shop_with(ledger, account="my-shop") as shop:
        found = [shop.receipt({"id": "1", "type": "close"}, X_Shop=name) for name in ("a.example.com", "my-shop")]
    assert [(one["taught"], one["quarantined"]) for one in found] == [(0, 1), (1, 0)]
    assert [request["account"] for (request,) in rows(ledger, jobs, "request")] == ["shop:my-shop:"]


def test_a_person_changes_the_account_and_what_was_quarantined_can_be_taken_then(ledger: Ledger) -> None:
    with shop_with(ledger) as shop:
        shop.receipt(ORDER, X_Shop="a.example.com")
        with ledger.write(["main"]) as connection:
            pinned_accounts.change(connection, "main", "shop", "b.example.com", ledger.now(connection))
        found = outcome(shop.receipt({**ORDER, "id": "18"}, X_Shop="b.example.com"))
    with ledger.read() as connection:
        assert (found, pinned_accounts.pinned(connection)) == ((1, 0, 0), {"shop": "b.example.com"})


def test_retention_does_not_let_a_source_go(ledger: Ledger) -> None:
    with shop_with(ledger) as shop:
        shop.receipt(ORDER, X_Shop="a.example.com")
    with ledger.read() as connection:
        in_ten_years = ledger.now(connection) + timedelta(days=3650)
    list(purge(ledger, Retention(), in_ten_years, stopping=lambda: False))
    with ledger.read() as connection:
        assert pinned_accounts.pinned(connection) == {"shop": "a.example.com"}
