"""Shopify: sales and refunds from orders, consent and tags from customers; the rest is left out on purpose.

events:   https://shopify.dev/docs/api/webhooks/latest
security: https://shopify.dev/docs/apps/build/webhooks/verify-deliveries

What a webhook is about stands in headers: its topic, the shop, its time. They are not signed; the body is.
A happening may be told under several topics, so `X-Shopify-Event-Id` names none of them alone, and facts are named by
orders, transactions and customers instead.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import fields, validate

from adapters.shopify import bodies, customers, orders, refunds
from adapters.shopify.signature import TwoSpellings
from gateway.errors import PayloadError
from gateway.translation import json_body, moment
from gateway.translation.adapter import Adapter, Claim, Docs, Handlers, SourceEvent
from gateway.translation.sale_options import ChargebackOptions, RefundOptions
from gateway.translation.webhook import VerifiedWebhook

SCHEME = TwoSpellings()


class OptionsSchema(RefundOptions, ChargebackOptions):
    """`deposits`: whether a payment in part counts when it is made, or with the rest.

    `gift_card_sales`: whether a gift card counts when it is bought (`count`), or when it is spent.
    """

    deposits = fields.String(load_default="when_paid", validate=validate.OneOf(["each", "when_paid"]))
    gift_card_sales = fields.String(load_default="ignore", validate=validate.OneOf(["count", "ignore"]))


def split(verified: VerifiedWebhook) -> Sequence[SourceEvent]:
    """A webhook is one event. Raises PayloadError."""
    if verified.body.lstrip().startswith(b"<"):
        raise PayloadError("the webhook is XML: choose the format JSON for it at Shopify")
    told = json_body.an_object(verified.json, "the body")
    advice = _advice(told)
    if advice is not None:
        raise PayloadError(advice)
    topic = _header(verified, "Topic")
    if topic is None:
        raise PayloadError("no X-Shopify-Topic header: what happened is not told")
    triggered_at = _header(verified, "Triggered-At")
    event = SourceEvent(
        id=_header(verified, "Event-Id"),
        type=topic.lower(),
        occurred_at=moment.from_iso(triggered_at) if triggered_at else verified.webhook.received_at,
        payload=told,
        account=_shop(verified, told),
        test=_header(verified, "Test") == "true" or _is_test(told),
        test_is_signed=_is_test(told),
    )
    return [event]


def delivery_id(verified: VerifiedWebhook) -> str | None:
    """The id of the delivery: a retry carries the same."""
    return _header(verified, "Webhook-Id")


def _header(verified: VerifiedWebhook, name: str) -> str | None:
    """A header in either spelling."""
    return next((text for prefix in ("X-Shopify-", "Shopify-") if (text := _told(verified, prefix + name))), None)


def _told(verified: VerifiedWebhook, name: str) -> str:
    return verified.headers.get(name, "").strip()


def _shop(verified: VerifiedWebhook, told: Mapping[str, Any]) -> str | None:
    """The shop by its myshopify.com domain; where the body names it, that is what is signed."""
    named = told.get("shop_domain")
    shop = named if isinstance(named, str) else _header(verified, "Shop-Domain") or ""
    return shop.strip().lower() or None


def _is_test(told: Mapping[str, Any]) -> bool:
    """Orders and transactions say it of themselves, a refund by its transactions."""
    transactions = told.get("transactions")
    inner = transactions if isinstance(transactions, list) else []
    return any(isinstance(one, dict) and one.get("test") is True for one in (told, *inner))


def _advice(told: Mapping[str, Any]) -> str | None:
    """What to do about a body in one of the other forms that Shopify, or a cloud between, knows."""
    if all(isinstance(told.get(name), str) for name in ("topic", "action", "handle")):
        return "a delivery of Shopify's Events, whose form each subscription chooses: take the webhook topic instead"
    message = told.get("message")
    if isinstance(message, dict) and ("data" in message or "attributes" in message):
        return "wrapped by Google Cloud Pub/Sub: let Shopify send to an HTTPS address instead"
    if "detail" in told and "detail-type" in told:
        return "wrapped by Amazon EventBridge: let Shopify send to an HTTPS address instead"
    return None


handlers = Handlers({**orders.handlers, **refunds.handlers, **customers.handlers})

# Every other topic, by the reason why it is left out.
_LEFT_OUT = {
    "it has ids and quantities only; orders/updated tells what the edit comes to": "orders/edited",
    "nothing is paid by this": (
        "carts/* checkouts/* draft_orders/* orders/delete orders/link_requested orders/risk_assessment_changed "
        "orders/shopify_protect_eligibility_changed payment_schedules/* payment_terms/*"
    ),
    "the money of an order, which its own topics tell": "tender_transactions/*",
    "goods on their way; refunds/create tells what is paid back": (
        "delivery_promise_settings/* fulfillment_events/* fulfillment_holds/* fulfillment_orders/* fulfillments/* "
        "orders/fulfilled orders/partially_fulfilled returns/* reverse_deliveries/* reverse_fulfillment_orders/* "
        "shipping_addresses/*"
    ),
    "about a subscription's terms; its orders tell what is paid, and it is no subscription to e-mail": (
        "customer_payment_methods/* selling_plan_groups/* subscription_billing_attempts/* "
        "subscription_billing_cycle_edits/* subscription_billing_cycles/* subscription_contracts/*"
    ),
    "consent to messages that are no e-mail": ("customers_marketing_consent/* customers_whats_app_marketing_consent/*"),
    "about accounts, companies and groups of customers": (
        "companies/* company_contact_roles/* company_contacts/* company_locations/* customer.joined_segment "
        "customer.left_segment customer_account_settings/* customer_groups/* customers/disable customers/enable "
        "customers/purchasing_summary segments/*"
    ),
    "about what is on offer, not about a sale": (
        "channels/* collection_listings/* collection_publications/* collections/* discounts/* inventory_items/* "
        "inventory_levels/* inventory_shipments/* inventory_transfers/* locations/* markets/* markets_backup_region/* "
        "product_feeds/* product_listings/* product_publications/* products/* scheduled_product_listings/* variants/*"
    ),
    "about the shop or the app, not about a sale": (
        "app/* app_purchases_one_time/* app_subscriptions/* audit_events/* bulk_operations/* "
        "checkout_and_accounts_configurations/* domains/* finance_app_staff_member/* finance_kyc_information/* "
        "locales/* metafield_definitions/* metaobjects/* profiles/* shop/update tax_services/* themes/*"
    ),
}
IGNORED = {pattern: reason for reason, patterns in _LEFT_OUT.items() for pattern in patterns.split()}

adapter = Adapter(
    name="shopify",
    title="Shopify",
    docs=Docs(
        events="https://shopify.dev/docs/api/webhooks/latest",
        security="https://shopify.dev/docs/apps/build/webhooks/verify-deliveries",
    ),
    scheme=lambda options: SCHEME,
    split=split,
    handlers=handlers,
    ignored=IGNORED,
    claims=frozenset(Claim),
    marks=bodies.MARKS,
    options=OptionsSchema,
    least_secret=32,
    delivery_id=delivery_id,
)
