"""Shopify beyond its fixtures: its own algorithm of signing, all topics of its list, and names of any text."""

import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.shopify import SCHEME, OptionsSchema, goods
from gateway.errors import RejectionCause, SignatureError
from gateway.translation.adapter import covers
from gateway.translation.registry import adapters, default_sample, samples
from gateway.translation.signature import verify
from gateway.translation.webhook import Headers, Webhook
from tests.adapters.cases import NOW, Remembered, tell, verified, webhook_of

SECRET = "hush"
ADAPTER = adapters()["shopify"]
SPELLINGS = ("X-Shopify-Hmac-SHA256", "x-shopify-hmac-sha256", "Shopify-Hmac-Sha256")

# https://shopify.dev/docs/api/webhooks: all versions from 2023-07 to 2026-07
LISTED = """
app/scopes_update app/uninstalled app_purchases_one_time/update app_subscriptions/approaching_capped_amount
app_subscriptions/update audit_events/admin_api_activity bulk_operations/finish carts/create carts/update
channels/delete checkout_and_accounts_configurations/update checkouts/create checkouts/delete checkouts/update
collection_listings/add collection_listings/remove collection_listings/update collection_publications/create
collection_publications/delete collection_publications/update collections/create collections/delete collections/update
companies/create companies/delete companies/update company_contact_roles/assign company_contact_roles/revoke
company_contacts/create company_contacts/delete company_contacts/update company_locations/create
company_locations/delete company_locations/update customer.joined_segment customer.left_segment customer.tags_added
customer.tags_removed customer_account_settings/update customer_groups/create customer_groups/delete
customer_groups/update customer_payment_methods/create customer_payment_methods/revoke customer_payment_methods/update
customers/create customers/data_request customers/delete customers/disable customers/enable customers/merge
customers/purchasing_summary customers/redact customers/update customers_email_marketing_consent/update
customers_marketing_consent/update customers_whats_app_marketing_consent/update delivery_promise_settings/update
discounts/create discounts/delete discounts/redeemcode_added discounts/redeemcode_removed discounts/update
disputes/create disputes/update domains/create domains/destroy domains/update draft_orders/create draft_orders/delete
draft_orders/update finance_app_staff_member/delete finance_app_staff_member/grant finance_app_staff_member/revoke
finance_app_staff_member/update finance_kyc_information/update fulfillment_events/create fulfillment_events/delete
fulfillment_holds/added fulfillment_holds/released fulfillment_orders/cancellation_request_accepted
fulfillment_orders/cancellation_request_rejected fulfillment_orders/cancellation_request_submitted
fulfillment_orders/cancelled fulfillment_orders/fulfillment_request_accepted
fulfillment_orders/fulfillment_request_rejected fulfillment_orders/fulfillment_request_submitted
fulfillment_orders/fulfillment_service_failed_to_complete fulfillment_orders/hold_released
fulfillment_orders/line_items_prepared_for_local_delivery fulfillment_orders/line_items_prepared_for_pickup
fulfillment_orders/manually_reported_progress_stopped fulfillment_orders/merged fulfillment_orders/moved
fulfillment_orders/order_routing_complete fulfillment_orders/placed_on_hold fulfillment_orders/progress_reported
fulfillment_orders/rescheduled fulfillment_orders/scheduled_fulfillment_order_ready fulfillment_orders/split
fulfillments/create fulfillments/update inventory_items/create inventory_items/delete inventory_items/update
inventory_levels/connect inventory_levels/disconnect inventory_levels/update inventory_shipments/add_items
inventory_shipments/create inventory_shipments/delete inventory_shipments/mark_in_transit
inventory_shipments/receive_items inventory_shipments/remove_items inventory_shipments/update_item_quantities
inventory_shipments/update_tracking inventory_transfers/add_items inventory_transfers/cancel
inventory_transfers/complete inventory_transfers/ready_to_ship inventory_transfers/remove_items
inventory_transfers/update_item_quantities inventory_transfers/updated locales/create locales/destroy locales/update
locations/activate locations/create locations/deactivate locations/delete locations/update markets/create
markets/delete markets/update markets_backup_region/update metafield_definitions/create metafield_definitions/delete
metafield_definitions/update metaobjects/create metaobjects/delete metaobjects/update order_transactions/create
orders/cancelled orders/create orders/delete orders/edited orders/fulfilled orders/link_requested orders/paid
orders/partially_fulfilled orders/risk_assessment_changed orders/shopify_protect_eligibility_changed orders/updated
payment_schedules/due payment_terms/create payment_terms/delete payment_terms/update product_feeds/create
product_feeds/full_sync product_feeds/full_sync_finish product_feeds/incremental_sync product_feeds/update
product_listings/add product_listings/remove product_listings/update product_publications/create
product_publications/delete product_publications/update products/create products/delete products/update
profiles/create profiles/delete profiles/update refunds/create returns/approve returns/cancel returns/close
returns/decline returns/process returns/reopen returns/request returns/update reverse_deliveries/attach_deliverable
reverse_fulfillment_orders/dispose scheduled_product_listings/add scheduled_product_listings/remove
scheduled_product_listings/update segments/create segments/delete segments/update selling_plan_groups/create
selling_plan_groups/delete selling_plan_groups/update shipping_addresses/create shipping_addresses/update shop/redact
shop/update subscription_billing_attempts/challenged subscription_billing_attempts/failure
subscription_billing_attempts/success subscription_billing_cycle_edits/create subscription_billing_cycle_edits/delete
subscription_billing_cycle_edits/update subscription_billing_cycles/skip subscription_billing_cycles/unskip
subscription_contracts/activate subscription_contracts/cancel subscription_contracts/create
subscription_contracts/expire subscription_contracts/fail subscription_contracts/pause subscription_contracts/update
tax_services/create tax_services/update tender_transactions/create themes/create themes/delete themes/publish
themes/update variants/in_stock variants/out_of_stock
"""
TOPICS = LISTED.split()


def shopify_signs(body: bytes, secret: str) -> str:
    """As https://shopify.dev/docs/apps/build/webhooks/verify-deliveries has it."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def shopify_believes(body: bytes, header: str, secret: str) -> bool:
    digest = hmac.new(secret.encode("utf-8"), body, digestmod=hashlib.sha256).digest()
    return hmac.compare_digest(base64.b64encode(digest), header.encode("utf-8"))


def unsigned(body: bytes = b'{"id": 1}', **headers: str) -> Webhook:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Webhook("shopify", "https://hooks.example.com/webhooks/shopify", Headers(fields), body, NOW)


def refusal(webhook: Webhook) -> SignatureError:
    with pytest.raises(SignatureError) as caught:
        verify(SCHEME, webhook, [SECRET])
    return caught.value


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_shopify_signs_is_believed_in_either_spelling(spelling: str) -> None:
    webhook = webhook_of(default_sample("shopify"))
    signed = webhook.with_headers({spelling: shopify_signs(webhook.body, SECRET)})
    assert verify(SCHEME, signed, ["former", SECRET]).secret == 1


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_is_signed_with_another_secret_or_in_another_encoding_is_not(spelling: str) -> None:
    webhook = webhook_of(default_sample("shopify"))
    other = webhook.with_headers({spelling: shopify_signs(webhook.body, "other")})
    hexadecimal = webhook.with_headers({spelling: hashlib.sha256(webhook.body).hexdigest() + "!"})
    assert refusal(other).cause is RejectionCause.WRONG
    assert refusal(hexadecimal).cause is RejectionCause.MALFORMED


def test_a_body_that_was_written_anew_is_refused() -> None:
    webhook = webhook_of(default_sample("shopify"))
    anew = json.dumps(json.loads(webhook.body), indent=1).encode()
    assert refusal(unsigned(anew, X_Shopify_Hmac_Sha256=shopify_signs(webhook.body, SECRET))).cause is (
        RejectionCause.WRONG
    )


@given(body=st.binary(max_size=300), secret=st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_shopifys_algorithm_believes_what_is_signed_here(body: bytes, secret: str) -> None:
    signed = SCHEME.sign(unsigned(body), secret, NOW)
    assert shopify_believes(body, signed.headers["X-Shopify-Hmac-Sha256"], secret)


@pytest.mark.parametrize(
    ("agent", "advice"),
    [
        ("APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)", "Google Cloud Pub/Sub"),
        ("CloudPubSub-Google", "Google Cloud Pub/Sub"),
        ("Amazon/EventBridge/ApiDestinations", "Amazon EventBridge"),
    ],
)
def test_what_another_cloud_forwards_is_refused_with_advice(agent: str, advice: str) -> None:
    refused = refusal(unsigned(User_Agent=agent))
    assert (refused.cause, advice in str(refused)) == (RejectionCause.MISSING, True)


def test_an_access_token_is_no_signing_secret() -> None:
    assert "client secret" in (SCHEME.check_secret("shpat_abc") or "")
    assert SCHEME.check_secret("shpss_abc") is None


def test_every_topic_of_shopifys_list_is_translated_or_left_out_on_purpose() -> None:
    assert len(TOPICS) > 220
    assert [name for name in TOPICS if name not in ADAPTER.handlers and not covering(name)] == []


def test_no_pattern_is_left_that_means_no_topic_of_the_list() -> None:
    assert [one for one in ADAPTER.ignored if not any(covers(one, name) for name in TOPICS)] == []


def covering(topic: str) -> list[str]:
    return [pattern for pattern in ADAPTER.ignored if covers(pattern, topic)]


def test_nothing_is_counted_by_default_that_could_count_twice() -> None:
    usual = OptionsSchema().load({})
    assert {name: usual[name] for name in ("deposits", "gift_card_sales", "unknown_sale_refunds")} == {
        "deposits": "when_paid",
        "gift_card_sales": "ignore",
        "unknown_sale_refunds": "hold",
    }


def test_one_order_has_one_key_in_all_topics_and_versions() -> None:
    cases = samples("shopify")
    told = [
        tell(ADAPTER, cases[name], Remembered())
        for name in ("paid", "paid_2024", "created_paid", "updated_paid", "cancelled_refunded", "refunded_first")
    ]
    assert {key for one in told for event in one.events for key in event.keys} == {"order:6184726331578"}


def test_a_transaction_has_one_name_in_all_topics() -> None:
    cases = samples("shopify")
    told = [
        tell(ADAPTER, cases[name], Remembered())
        for name in ("refunded_first", "transaction_refunded_first", "updated_refunded_in_part", "refund_pending")
    ]
    sums = [event.sum for one in told for event in (*one.events, *one.sums)]
    assert {getattr(one, "id", "transaction:7209988771101") for one in sums} == {"transaction:7209988771101"}


def test_a_retry_has_the_delivery_id_of_the_first_try_in_either_spelling() -> None:
    cases = samples("shopify")
    ids = [
        ADAPTER.delivery_id(verified(ADAPTER, cases[name])) for name in ("paid", "paid_in_other_spelling", "no_topic")
    ]
    assert ids == [cases["paid"].headers["X-Shopify-Webhook-Id"], ids[1], None]
    assert ids[1] == cases["paid_in_other_spelling"].headers["Shopify-Webhook-Id"]


@given(st.lists(st.tuples(st.none() | st.text(max_size=260), st.none() | st.integers(-1, 3)), max_size=12))
def test_any_titles_make_a_name_that_lumail_takes(told: list[tuple[str | None, int | None]]) -> None:
    name = goods.name([{"title": title, "quantity": quantity} for title, quantity in told])
    assert name is None or 1 <= len(name) <= 200
