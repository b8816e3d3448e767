"""Generated histories told by many at once, in any order and again, to a gateway with several web processes."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random

import pytest

from gateway.ledger.database import Ledger
from gateway.ledger.schema import events, webhooks
from gateway.translation.registry import adapters
from gateway.translation.webhook import Headers, Webhook
from tests.crash.installation import SECRET, Installation, Parcel, Provider, Setup, installation
from tests.making import rows
from tests.money import shopify_histories, stripe_histories
from tests.money.office import MONEY, Post
from tests.money.playing import judge
from tests.money.spans import Found
from tests.money.stripe_life import Sale
from tests.waiting import eventually

HISTORIES = 20
"""Of each provider."""

SOURCE = {"secrets": ["${STRIPE_WEBHOOK_SECRET}"], "settle_seconds": 1}
SETUP = Setup(
    sources={
        "stripe-sales-1": {"adapter": "stripe", **SOURCE},
        "stripe-sales-2": {"adapter": "stripe", **SOURCE},
        "shopify-when-paid": {"adapter": "shopify", **SOURCE},
    },
    web=3,
)
_ADAPTERS = {"stripe-sales-1": "stripe", "stripe-sales-2": "stripe", "shopify-when-paid": "shopify"}

History = stripe_histories.History | shopify_histories.History


@pytest.mark.timeout(300)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_what_many_tell_at_once_reaches_lumail_once(
    tmp_path: Path, request: pytest.FixtureRequest, database: str
) -> None:
    url = request.getfixturevalue(f"{database}_url")
    histories: Sequence[History] = [*_at_stripe(HISTORIES), *_at_shopify(HISTORIES)]
    parcels = [parcel for history in histories for parcel in _parcels(history)]
    Random(database).shuffle(parcels)
    with installation(tmp_path, url, SETUP) as running:
        provider = Provider(running.url)
        provider.post_all(parcels)
        eventually(partial(_is_at_rest, url), within=120, what="nothing waits any more")
        found = _found(running)
    assert [wrong for history in histories for wrong in judge(history, found)] == []
    assert provider.refused == []


def _at_stripe(count: int) -> Iterator[stripe_histories.History]:
    """Such whose truth does not depend on the order: no refund changes, nobody moves, no link is waited for."""
    number = 0
    while count:
        number += 1
        history = stripe_histories.write_history("stripe-at-once", number, "sales")
        sales = history.life.sales
        steady = all(len(refund.life) == 1 for sale in sales for cash in sale.cashes for refund in cash.refunds)
        settled = all(session.bill != "later" for sale in sales for session in sale.sessions)
        if (
            steady
            and settled
            and not any(map(_waits_for_a_link, sales))
            and all(len(sale.customer.emails) == 1 for sale in sales)
        ):
            count -= 1
            yield history


def _waits_for_a_link(sale: Sale) -> bool:
    """Money came and went back, and nothing says of what: its refund waits for days whether a sale turns up."""
    counts = sale.sessions or any(bill.paid for bill in sale.bills)
    return not counts and any(cash.refunds for cash in sale.cashes)


def _at_shopify(count: int) -> Iterator[shopify_histories.History]:
    number = 0
    while count:
        number += 1
        history = shopify_histories.write_history("shopify-at-once", number)
        orders = history.shop.orders
        if history.deposits == "when_paid" and all(len(order.customer.emails) == 1 for order in orders):
            count -= 1
            yield history


def _parcels(history: History) -> Iterator[Parcel]:
    post_of = stripe_histories.post_of if isinstance(history, stripe_histories.History) else shopify_histories.post_of
    for number, delivery in enumerate(one for group in history.groups for one in group):
        post = post_of(delivery)
        yield Parcel(f"{post.source} {history.number} {number}", post.source, partial(_signed, post))


def _signed(post: Post) -> Webhook:
    now = datetime.now(UTC)
    headers = Headers({"Content-Type": "application/json", **post.headers})
    webhook = Webhook(post.source, "", headers, json.dumps(post.body).encode(), now)
    adapter = adapters()[_ADAPTERS[post.source]]
    return adapter.scheme(adapter.options().load({})).sign(webhook, SECRET, now)


def _is_at_rest(url: str) -> bool:
    ledger = Ledger(url)
    try:
        assert "quarantined" not in [outcome for (outcome,) in rows(ledger, webhooks, "outcome")]
        return {status for (status,) in rows(ledger, events, "status")} <= {"delivered", "held", "dropped"}
    finally:
        ledger.close()


def _found(running: Installation) -> list[Found]:
    return [
        (one["subscriber"], one["data"]["currency"], MONEY[one["eventType"]], Decimal(str(one["data"]["amount"])))
        for one in running.sandbox.events()
        if one["eventType"] in MONEY
    ]
