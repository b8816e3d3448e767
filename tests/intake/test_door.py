"""Each row of what the door answers."""

import gzip
import hashlib
import hmac
import sqlite3
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder

from gateway.ledger.identity import fingerprint
from gateway.ledger.schema import events, rejections, webhooks
from tests.intake.conftest import FORMER, SECRET, Shop
from tests.making import rows

COMPLAINT = {"type": "complaint", "id": "c1", "email": "ana@example.com"}
OPEN = {"type": "open", "id": "o1", "email": "ana@example.com"}
NOTHING: dict[str, Any] = {"duplicate": False, "events": [], "merged": 0, "taught": 0, "ignored": 0, "quarantined": 0}


def test_a_genuine_webhook_is_durable_when_it_is_answered(shop: Shop) -> None:
    receipt = shop.receipt(COMPLAINT)
    assert rows(shop.ledger, webhooks, "id", "source", "outcome", "body", "secret") == [
        (
            receipt["webhook"],
            "shop",
            "translated",
            b'{"items": [' + b'{"type": "complaint", "id": "c1", "email": "ana@example.com"}]}',
            fingerprint(SECRET),
        )
    ]
    assert rows(shop.ledger, events, "id", "type", "status") == [(receipt["events"][0], "EMAIL_COMPLAINED", "waiting")]


def test_the_receipt_counts_source_events(shop: Shop) -> None:
    receipt = shop.receipt(
        COMPLAINT,
        COMPLAINT,
        OPEN,
        {"type": "person", "person": "p1", "email": "bo@example.com"},
        {"type": "inventory.low"},
        {"type": "never heard of"},
        {"type": "bug"},
        {**COMPLAINT, "id": "c2", "test": True},
        7,
    )
    assert len(receipt.pop("events")) == 1
    del receipt["webhook"]
    assert receipt == {"duplicate": False, "merged": 1, "taught": 1, "ignored": 3, "quarantined": 3}


def test_an_empty_batch_counts_nothing(shop: Shop) -> None:
    receipt = shop.receipt()
    del receipt["webhook"]
    assert receipt == NOTHING


def test_the_same_delivery_again_is_a_duplicate_with_the_first_id(shop: Shop) -> None:
    first = shop.receipt(COMPLAINT, X_Shop_Delivery="d1")
    again = shop.receipt(COMPLAINT, X_Shop_Delivery="d1")
    assert again == {**NOTHING, "webhook": first["webhook"], "duplicate": True}


def test_a_body_that_can_not_be_split_is_one_quarantined_source_event(shop: Shop) -> None:
    answer = shop.post_body(b"not JSON")
    assert (answer.status_code, answer.get_json()["quarantined"]) == (200, 1)


def test_an_event_that_waits_for_memory_is_new_and_held(shop: Shop) -> None:
    receipt = shop.receipt({"type": "complaint", "id": "c1", "person": "p1"})
    assert rows(shop.ledger, events, "id", "status") == [(receipt["events"][0], "held")]
    shop.receipt({"type": "person", "person": "p1", "email": "bo@example.com"})
    assert rows(shop.ledger, events, "subscriber", "status") == [("bo@example.com", "waiting")]


def test_a_batch_may_use_what_it_taught_itself(shop: Shop) -> None:
    shop.receipt(
        {"type": "person", "person": "p1", "email": "bo@example.com"},
        {"type": "complaint", "id": "c1", "person": "p1"},
    )
    assert rows(shop.ledger, events, "subscriber", "status") == [("bo@example.com", "waiting")]


@pytest.mark.parametrize(
    ("headers", "cause"),
    [({"X_Shop_Signature": "00" * 32}, "wrong"), ({"X_Shop_Signature": "é"}, "malformed")],
)
def test_a_request_that_is_not_proven_gets_401_and_is_counted_without_its_body(
    shop: Shop, headers: dict[str, str], cause: str
) -> None:
    assert shop.post(COMPLAINT, **headers).status_code == 401
    assert shop.post(COMPLAINT, **headers).status_code == 401
    shop.door.refusals.flush()
    assert rows(shop.ledger, rejections, "source", "cause", "count") == [("shop", cause, 2)]
    assert rows(shop.ledger, webhooks, "id") == []


def test_an_unsigned_request_gets_401(shop: Shop) -> None:
    assert shop.client.post("/webhooks/shop", data=b"{}").status_code == 401


def test_the_former_secret_is_taken_while_rotating_and_it_is_noted_which_fitted(shop: Shop) -> None:
    assert shop.post(COMPLAINT, secret=FORMER).status_code == 200
    assert rows(shop.ledger, webhooks, "secret") == [(fingerprint(FORMER),)]


def test_signatures_and_credentials_are_kept_as_fingerprints_only(shop: Shop) -> None:
    shop.post(COMPLAINT, Authorization="Bearer very-secret", X_Harmless="yes")
    [(headers,)] = rows(shop.ledger, webhooks, "headers")
    assert headers["x-harmless"] == "yes"
    assert headers["x-shop-signature"].startswith("sha256:")
    assert headers["authorization"].startswith("sha256:")
    assert "very-secret" not in str(headers)


def test_an_unknown_source_gets_404_and_its_path_is_counted(shop: Shop) -> None:
    assert shop.client.post("/webhooks/shpo", data=b"{}").status_code == 404
    assert shop.client.get("/webhooks/shpo").status_code == 404
    shop.door.refusals.flush()
    assert rows(shop.ledger, rejections, "source", "path", "cause", "count") == [
        (None, "/webhooks/shpo", "unknown_source", 2)
    ]


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/webhooks//shop", "/webhooks//shop"),
        ("/webhooks/shop/secret-token/more", "/webhooks/shop/***/***"),
        ("/webhooks/", "/webhooks/"),
        ("/webhooks", "/webhooks"),
        ("/Webhooks/shop", "/Webhooks/shop"),
        ("/api/webhooks/shop", "/api/webhooks/shop"),
        ("/shop", "/shop"),
        ("/hooks/gumroad/5f0a6dfb0a5f4a6c", "/hooks/gumroad/***"),
        ("/", "/"),
    ],
)
def test_a_path_of_any_form_that_is_no_source_is_counted(shop: Shop, path: str, kept: str) -> None:
    request = EnvironBuilder(method="POST", data=b"{}")
    environ = request.get_environ() | {"PATH_INFO": path}
    assert shop.client.open(environ).status_code == 404
    shop.door.refusals.flush()
    assert rows(shop.ledger, rejections, "path", "cause", "count") == [(kept, "unknown_source", 1)]


def test_what_is_posted_to_a_page_that_is_only_shown_is_counted(shop: Shop) -> None:
    shop.client.application.add_url_rule("/", view_func=lambda: "the desk")
    assert (shop.client.get("/").status_code, shop.client.post("/", data=b"{}").status_code) == (200, 405)
    shop.door.refusals.flush()
    assert rows(shop.ledger, rejections, "path", "cause", "count") == [("/", "unknown_source", 1)]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_one_slash_at_the_end_is_the_source_itself(shop: Shop, method: str) -> None:
    answer = shop.client.open("/webhooks/shop/", method=method, data=b"{}")
    assert answer.status_code == (401 if method == "POST" else 200)  # found, and not signed


def test_only_the_newest_hundred_refusals_of_a_source_are_kept(shop: Shop) -> None:
    for number in range(120):
        shop.door.refusals.count("shop", "/webhooks/shop", "wrong", f"attempt {number}")
        shop.door.refusals.flush()
    assert [detail for (detail,) in rows(shop.ledger, rejections, "detail")] == [
        f"attempt {number}" for number in range(20, 120)
    ]


def test_a_flood_of_made_up_paths_costs_bounded_memory(shop: Shop) -> None:
    for number in range(2000):
        shop.door.refusals.count(None, f"/webhooks/x{number}", "unknown_source")
    shop.door.refusals.flush()
    kept = rows(shop.ledger, rejections, "count")
    assert len(kept) == 100


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_provider_may_look_whether_the_source_is_there(shop: Shop, method: str) -> None:
    answer = shop.client.open("/webhooks/shop", method=method)
    assert (answer.status_code, answer.data) == (200, b"")


def test_a_body_over_the_limit_gets_413_and_is_read_to_its_end(shop: Shop) -> None:
    assert shop.post_body(b"x" * 50_001).status_code == 413
    assert shop.post_body(b'{"items": []}' + b" " * 40_000).status_code == 200


def test_a_body_that_unfolds_over_the_limit_gets_413(shop: Shop) -> None:
    bomb = gzip.compress(b"x" * 10_000_000)
    assert shop.post_body(bomb, Content_Encoding="gzip").status_code == 413


def test_a_compressed_body_is_verified_as_what_it_says(shop: Shop) -> None:
    plain = b'{"items": []}'
    answer = shop.client.post(
        "/webhooks/shop",
        data=gzip.compress(plain),
        headers={"Content-Encoding": "gzip", "X-Shop-Signature": _signature(plain)},
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("body", [b"not gzip", gzip.compress(b"{}")[:-4]], ids=["not gzip", "cut short"])
def test_a_body_that_is_not_what_it_says_gets_400(shop: Shop, body: bytes) -> None:
    assert shop.post_body(body, Content_Encoding="gzip").status_code == 400


def test_a_ledger_that_is_locked_gets_503_and_nothing_is_kept(shop: Shop, sqlite_url: str) -> None:
    if not shop.ledger.is_sqlite:
        with shop.ledger.write(["main"]):
            answer = shop.post(COMPLAINT)
    else:
        subscriber_answer = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
        subscriber_answer.execute("BEGIN EXCLUSIVE")
        answer = shop.post(COMPLAINT)
        subscriber_answer.execute("ROLLBACK")
        subscriber_answer.close()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert rows(shop.ledger, webhooks, "id") == []
    assert shop.post(COMPLAINT).status_code == 200


def _signature(body: bytes) -> str:
    return hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
