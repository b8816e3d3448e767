"""Refunds that a YAML adapter is told as a running total: what reaches the ledger adds up, however they come."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from gateway.config import Source
from gateway.events import DEFAULT_FORWARDED, decode_data
from gateway.intake.accept import accept
from gateway.intake.memory_cache import MemoryCache
from gateway.intake.route import Route
from gateway.ledger.database import Ledger
from gateway.ledger.identity import fingerprint
from gateway.ledger.recording.commit import Committer
from gateway.ledger.schema import events
from gateway.translation.registry import adapters, samples
from gateway.translation.signature import verify
from gateway.translation.webhook import Headers, Webhook
from tests.making import rows

SECRET = "lemon-secret"
ADAPTER = adapters()["lemonsqueezy"]
SCHEME: Any = ADAPTER.scheme({})
NOW = datetime(2026, 1, 9, tzinfo=UTC)


@pytest.fixture
def committer(ledger: Ledger) -> Iterator[Committer]:
    opened = Committer(ledger)
    yield opened
    opened.close()


def refunded(total: int, minute: int) -> Webhook:
    told = json.loads(samples("lemonsqueezy")["order_refunded_in_part"].body)
    at = NOW + timedelta(minutes=minute)
    told["data"]["attributes"] |= {"refunded_amount": total, "updated_at": at.isoformat()}
    body = json.dumps(told).encode()
    return SCHEME.sign(Webhook("lemonsqueezy", "https://hooks.example.com/", Headers(), body, at), SECRET, at)  # type: ignore[no-any-return]  # a scheme of any kind


@pytest.mark.parametrize("order", [*permutations([0, 1, 2]), (0, 0, 1, 1, 0, 2, 2)])
def test_what_is_refunded_adds_up_in_any_order_and_repetition(
    ledger: Ledger, committer: Committer, order: Sequence[int]
) -> None:
    source = Source("lemonsqueezy", "lemonsqueezy", "main", (SECRET,), forward=DEFAULT_FORWARDED)
    route = Route(source, ADAPTER, SCHEME, (fingerprint(SECRET),))
    told, memory_cache = [refunded(500, 0), refunded(700, 1), refunded(1199, 2)], MemoryCache()
    for place in order:
        accept(route, verify(SCHEME, told[place], [SECRET]), committer, memory_cache)
    sums: dict[str, Decimal] = {}
    for kind, data in rows(ledger, events, "type", "data"):
        sums[kind] = sums.get(kind, Decimal(0)) + decode_data(data)["amount"]
    assert sums == {"SUBSCRIBER_PAYMENT": Decimal("11.99"), "SUBSCRIBER_REFUND": Decimal("11.99")}
