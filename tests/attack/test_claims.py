"""Captured requests thrown at a running gateway again, with other headers: they come to nothing more."""

import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from gateway.translation.registry import adapters, samples
from gateway.translation.webhook import Webhook
from tests.attack.figures import cost_of
from tests.crash.installation import Installation, Setup, installation

SECRET = secrets.token_hex(32)
SOURCES = {
    "shop": {"adapter": "shopify", "secrets": ["${ATTACKED}"], "destination": "main"},
    "woo": {"adapter": "woocommerce", "secrets": ["${ATTACKED}"], "destination": "main", "account": "my-shop"},
    "woo_unsaid": {"adapter": "woocommerce", "secrets": ["${ATTACKED}"], "destination": "other"},
}
SETUP = Setup(destinations={"main": {}, "other": {}}, sources=SOURCES, web=1, workers=1)


@dataclass(frozen=True)
class Captured:
    """One genuine request, which somebody has seen pass by."""

    source: str
    webhook: Webhook

    def post(self, running: Installation, **other: str | None) -> Mapping[str, Any]:
        fields = {**self.webhook.headers, **{name.replace("_", "-").lower(): text for name, text in other.items()}}
        sent = {name: text for name, text in fields.items() if text is not None}
        answer = requests.post(
            f"{running.url}/webhooks/{self.source}", data=self.webhook.body, headers=sent, timeout=30
        )
        assert answer.status_code == 200, answer.text
        receipt: Mapping[str, Any] = answer.json()
        return receipt


def captured(source: str, adapter: str, case: str) -> Captured:
    scheme: Any = adapters()[adapter].scheme({})
    now = datetime.now(UTC)
    webhook = samples(adapter)[case].webhook(source, "https://hooks.example.com", now)
    return Captured(source, scheme.sign(webhook, SECRET, now))


def outcome(receipt: Mapping[str, Any]) -> str:
    words = ("merged", "taught", "ignored", "quarantined")
    return "made" if receipt["events"] else next((word for word in words if receipt[word]), "duplicate")


SPELLINGS = ("https://shop.example.com/", "http://shop.example.com", "https://www.shop.example.com/en/")


def test_what_is_not_signed_makes_no_second_payment_and_erases_nobody(tmp_path: Path, installed_url: str) -> None:
    order, site, unsaid = (
        captured("shop", "shopify", "paid"),
        captured("woo", "woocommerce", "paid"),
        captured("woo_unsaid", "woocommerce", "paid"),
    )
    with (
        installation(tmp_path, installed_url, SETUP, {"ATTACKED": SECRET}) as running,
        cost_of("captured requests under other names", running),
    ):
        again = [
            order.post(running, X_Shopify_Webhook_Id=f"id-{number}", X_Shopify_Shop_Domain=shop)
            for number, shop in enumerate(("moulin-papier.myshopify.com", "b.example.com", "c.example.com", None))
        ]
        others = [
            order.post(running, X_Shopify_Webhook_Id=f"as-{topic}", X_Shopify_Topic=topic)
            for topic in ("customers/redact", "shop/redact", "customers/data_request", "customers/delete")
        ]
        sites = [outcome(one.post(running, X_WC_Webhook_Source=text)) for one in (site, unsaid) for text in SPELLINGS]
        taught = outcome(site.post(running, X_WC_Webhook_Topic="customer.updated"))
        found = [tmp_path / "data", *(tmp_path / "data").rglob("*")]
        readable = [path for path in found if path.lstat().st_mode & (stat.S_IRWXO | stat.S_IRWXG)]
    assert [outcome(one) for one in again] == ["made", "quarantined", "quarantined", "merged"]
    assert [outcome(one) for one in others] == ["quarantined"] * 4
    assert sites == ["made", "merged", "merged"] * 2
    assert (taught, readable) == ("quarantined", [])
