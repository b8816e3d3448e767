"""What the law demands of a person, as a provider passes it on at the door."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.events import MemoryKey
from gateway.ledger.database import Ledger
from gateway.ledger.schema import jobs
from gateway.translation.adapter import Context, SourceEvent, Translation, erased, requested
from tests.intake.conftest import SHOP, SOURCE, shop_at
from tests.making import rows


def redacted(event: SourceEvent, context: Context) -> Translation:
    told: Mapping[str, Any] = event.payload
    person = MemoryKey("person", told["person"])
    return erased(addresses=[told["email"]], memories=[person], keys=["order:1"], reference="r-1")


def asked(event: SourceEvent, context: Context) -> Translation:
    return requested(addresses=[event.payload["email"]], reference="r-2")


def closed(event: SourceEvent, context: Context) -> Translation:
    return erased(whole_account=True)


LAWFUL = replace(SHOP, handlers={"redact": redacted, "ask": asked, "close": closed})


def test_a_demand_is_kept_with_the_names_that_the_ledger_has(ledger: Ledger) -> None:
    with shop_at(ledger, LAWFUL, SOURCE) as shop:
        receipt = shop.receipt({"id": "1", "type": "redact", "person": "17", "email": " Ana@Example.com"})
    assert (receipt["taught"], receipt["quarantined"]) == (1, 0)
    assert rows(ledger, jobs, "kind", "status", "made_by", "request") == [
        (
            "erase",
            "open",
            "source shop",
            {
                "people": ["ana@example.com"],
                "memories": ["shop:-:person:17"],
                "keys": ["shop:-:order:1"],
                "account": None,
                "destination": "main",
                "reference": "r-1",
                "source": "shop",
                "webhook": receipt["webhook"],
            },
        )
    ]


def test_a_demand_that_is_posted_again_is_one(ledger: Ledger) -> None:
    with shop_at(ledger, LAWFUL, SOURCE) as shop:
        for _ in range(2):
            shop.receipt({"id": "1", "type": "ask", "email": "ana@example.com"}, X_Shop_Delivery="d-1")
    assert rows(ledger, jobs, "kind", "status") == [("copy", "open")]


def test_a_whole_account_is_named_by_what_its_facts_begin_with(ledger: Ledger) -> None:
    with shop_at(ledger, LAWFUL, SOURCE) as shop:
        shop.receipt({"id": "1", "type": "close"})
    assert [request["account"] for (request,) in rows(ledger, jobs, "request")] == ["shop:-:"]
