"""A token in the URL proves a request, and is kept and logged nowhere."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import structlog

from gateway.ledger.database import Ledger
from gateway.ledger.schema import rejections, webhooks
from gateway.translation.schemes import PathToken
from tests.intake.conftest import SHOP, SOURCE, Shop, shop_at
from tests.making import rows

TOKEN = "a-token-of-16-or-more"
BODY = {"items": [{"type": "complaint", "id": "c1", "email": "ana@example.com"}]}


@pytest.fixture
def pinged(ledger: Ledger) -> Iterator[Shop]:
    adapter = replace(SHOP, scheme=lambda options: PathToken())
    with shop_at(ledger, adapter, replace(SOURCE, secrets=(TOKEN,), max_age=None)) as made:
        yield made


def test_the_token_opens_the_door_and_is_not_kept(pinged: Shop) -> None:
    with structlog.testing.capture_logs() as logged:
        answer = pinged.client.post(f"/webhooks/shop/{TOKEN}?a=b", json=BODY)
    assert (answer.status_code, len(answer.get_json()["events"])) == (200, 1)
    assert rows(pinged.ledger, webhooks, "url") == [("https://hooks.example.com/webhooks/shop/***?a=b",)]
    assert TOKEN not in str(logged)


@pytest.mark.parametrize(
    ("path", "status", "kept"),
    [
        ("/webhooks/shop", 401, ("shop", "/webhooks/shop", "missing")),
        ("/webhooks/shop/another-token-123", 401, ("shop", "/webhooks/shop/***", "wrong")),
        (f"/webhooks/shoop/{TOKEN}", 404, (None, "/webhooks/shoop/***", "unknown_source")),
    ],
)
def test_without_the_right_one_it_stays_closed(
    pinged: Shop, path: str, status: int, kept: tuple[str | None, str, str]
) -> None:
    with structlog.testing.capture_logs() as logged:
        answer = pinged.client.post(path, json=BODY)
    pinged.door.refusals.flush()
    assert (answer.status_code, TOKEN in answer.text, TOKEN in str(logged)) == (status, False, False)
    assert rows(pinged.ledger, rejections, "source", "path", "cause") == [kept]


def test_a_source_that_is_proven_otherwise_has_no_such_path(shop: Shop) -> None:
    assert shop.client.post(f"/webhooks/shop/{TOKEN}", json=BODY).status_code == 404
    assert shop.client.get(f"/webhooks/shop/{TOKEN}").status_code == 404


def test_providers_may_look_whether_it_is_there(pinged: Shop) -> None:
    assert pinged.client.get(f"/webhooks/shop/{TOKEN}").status_code == 200


@pytest.mark.parametrize("secret", ["short", "with/a/slash/in/the/middle", ""])
def test_a_token_fits_into_a_url(secret: str) -> None:
    assert PathToken().check_secret(secret) is not None
