"""What the door answers when something of ours fails: 503, so that the provider sends again, and never a receipt."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from gateway.errors import LedgerUnavailableError, UnavailableError
from gateway.events import MemoryKey
from gateway.intake.accept import translated_items
from gateway.intake.route import Route
from gateway.ledger.database import Ledger
from gateway.ledger.schema import rejections, webhooks
from gateway.translation.adapter import Context, SourceEvent, Translation, ignored
from gateway.translation.webhook import Headers, VerifiedWebhook, Webhook
from tests.intake.conftest import SCHEME, SHOP, SOURCE, Shop, complained
from tests.making import rows

COMPLAINT = {"type": "complaint", "id": "c1", "person": "p1"}


def altered(ledger: Ledger, statement: str) -> None:
    with ledger.write() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize("table", ["webhooks", "events", "memory", "keys", "jobs"])
def test_while_a_table_is_not_as_it_should_be_webhooks_get_503_and_are_taken_later(table: str, shop: Shop) -> None:
    items = [COMPLAINT, {"type": "person", "person": "p1", "email": "ana@example.com"}]
    altered(shop.ledger, f"ALTER TABLE {table} RENAME TO elsewhere")
    answer = shop.post(*items, X_Shop_Delivery="d1")
    altered(shop.ledger, f"ALTER TABLE elsewhere RENAME TO {table}")
    if table != "jobs":  # which nothing of this webhook needs
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert rows(shop.ledger, webhooks, "id") == []
    assert shop.receipt(*items, X_Shop_Delivery="d1")["quarantined"] == 0


def swallowing(payload: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    try:
        context.memory.recall(MemoryKey("person", "p1"))
    except Exception:  # noqa: BLE001 - as an adapter does that should not
        return ignored("whatever")
    return ignored("nobody")


def short_of_files(payload: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    raise ValueError("a time zone that can't be read") from OSError(24, "Too many open files")


Handling = Callable[[Mapping[str, Any], SourceEvent, Context], Translation]


def translated_by(handler: Handling, recall: Any) -> object:
    route = Route(
        SOURCE,
        replace(SHOP, handlers={"complaint": lambda event, context: handler(event.payload, event, context)}),
        SCHEME,
        (),
    )
    body = b'{"items": [{"type": "complaint", "id": "c1", "person": "p1"}]}'
    webhook = Webhook("shop", "https://hooks.example.com", Headers({}), body, datetime.now(UTC))
    return translated_items(route, VerifiedWebhook(webhook, 0, None), recall)


@pytest.mark.parametrize("handler", [complained, swallowing])
def test_memory_that_can_not_be_read_is_no_fault_of_the_webhook(handler: Handling) -> None:
    def away(_: str) -> None:
        raise LedgerUnavailableError("away")

    with pytest.raises(LedgerUnavailableError):
        translated_by(handler, away)


def test_a_machine_that_is_short_of_something_is_no_fault_of_the_webhook() -> None:
    with pytest.raises(UnavailableError):
        translated_by(short_of_files, lambda _: None)


def test_what_an_adapter_stumbles_over_is_kept_shown_and_logged_without_its_words(shop: Shop) -> None:
    with capture_logs() as logs:
        receipt = shop.receipt({"type": "bug", "id": "ana@example.com"})
    assert receipt["quarantined"] == 1
    [failed] = [one for one in logs if one["event"] == "translation.failed"]
    assert (failed["log_level"], failed["error"], failed["source"]) == ("error", "ZeroDivisionError", "shop")
    assert failed["at"].endswith(" broken")
    [(notes,)] = rows(shop.ledger, webhooks, "notes")
    assert notes[0]["reason"] == "adapter shop failed on bug: ZeroDivisionError"


def test_what_was_turned_away_is_counted_once_the_ledger_is_as_it_should_be(shop: Shop) -> None:
    altered(shop.ledger, "ALTER TABLE rejections RENAME TO elsewhere")
    assert shop.post(COMPLAINT, secret="another").status_code == 401
    shop.door.refusals.flush()
    altered(shop.ledger, "ALTER TABLE elsewhere RENAME TO rejections")
    shop.door.refusals.flush()
    assert rows(shop.ledger, rejections, "count") == [(1,)]
