"""Stripe beyond its fixtures: in agreement with Stripe's own SDK, and with all that its list of events holds."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st
from stripe.params import WebhookEndpointCreateParams

from adapters.stripe import SCHEME, OptionsSchema, product
from gateway.errors import RejectionCause, SignatureError
from gateway.translation.adapter import covers
from gateway.translation.registry import adapters, default_sample, samples
from gateway.translation.signature import verify
from tests.adapters.cases import NOW, Remembered, tell, webhook_of

SECRET = "whsec_test"
ADAPTER = adapters()["stripe"]


def sdk_header(body: str, secret: str = SECRET) -> str:
    header: str = stripe.WebhookSignature.generate_signature_header(body, secret, int(NOW.timestamp()))
    return header


def test_what_stripes_sdk_signs_is_believed() -> None:
    webhook = webhook_of(default_sample("stripe"))
    signed = webhook.with_headers({"Stripe-Signature": sdk_header(webhook.body.decode())})
    assert verify(SCHEME, signed, [SECRET]).signed_at == NOW


def test_what_stripes_sdk_signs_with_another_secret_is_not() -> None:
    webhook = webhook_of(default_sample("stripe"))
    signed = webhook.with_headers({"Stripe-Signature": sdk_header(webhook.body.decode(), "whsec_other")})
    with pytest.raises(SignatureError) as caught:
        verify(SCHEME, signed, [SECRET])
    assert caught.value.cause is RejectionCause.WRONG


def test_stripes_sdk_believes_what_is_signed_here() -> None:
    signed = SCHEME.sign(webhook_of(default_sample("stripe")), SECRET, NOW)
    header = signed.headers["Stripe-Signature"]
    assert stripe.WebhookSignature.verify_header(signed.body, header, SECRET, tolerance=None)


def test_every_event_type_of_stripes_sdk_is_translated_or_left_out_on_purpose() -> None:
    (listed,) = get_args(WebhookEndpointCreateParams.__annotations__["enabled_events"])
    names = set(get_args(listed)) - {"*"}
    assert len(names) > 250
    known = {name for name in names if name in ADAPTER.handlers or any(covers(one, name) for one in ADAPTER.ignored)}
    assert names - known == set()


def test_a_secret_key_of_the_api_is_no_signing_secret() -> None:
    assert SCHEME.check_secret("sk_live_abc") == "should begin with whsec_"


def test_options_have_safe_defaults_and_say_what_is_allowed() -> None:
    assert OptionsSchema().load({}) == {
        "payments_from": "sales",
        "link_wait": timedelta(days=3),
        "failed_refund": "show",
        "unknown_sale_refunds": "send",
        "chargebacks": "refund",
        "accounts": None,
        "product_names": {},
    }
    assert OptionsSchema().validate({"payments_from": "charges"}) == {
        "payments_from": ["must be one of: sales, payment_intents, both"]
    }


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("1 \u00d7 Pro (at €49.99 / year)", "Pro"),
        ("12 \u00d7 Team seat (Europe) (at $5.00 / month)", "Team seat (Europe)"),
        ("Remaining time on 2 \u00d7 Pro after 05 Oct 2025", "Pro"),
        ("Trial period for Pro", "Trial period for Pro"),
        ("Subscription creation", None),
        ("subscription update", None),
        ("Payment for Invoice LM-0042", None),
        ("  Workshop\n in Lyon ", "Workshop in Lyon"),
        ("x" * 300, "x" * 200),
        ("", None),
        (None, None),
    ],
)
def test_a_name_is_cleaned_or_none(text: str | None, name: str | None) -> None:
    assert product.cleaned(text) == name


@given(st.text(max_size=400))
def test_any_text_makes_a_name_that_lumail_takes(text: str) -> None:
    assert 1 <= len(product.best((product.Rank.LINE, text)).text) <= 200


def test_of_several_names_the_best_word_counts() -> None:
    candidates = [(product.Rank.LINE, "Line"), (product.Rank.METADATA, 17), (product.Rank.LEARNT, "Learnt")]
    assert product.best(*candidates) == product.Name(product.Rank.LEARNT, "Learnt")
    assert product.best() == product.Name(product.Rank.NONE, "Stripe payment")


@pytest.mark.parametrize(("status", "moves"), [("succeeded", True), ("pending", False), ("failed", False)])
def test_a_charge_that_did_not_succeed_moves_no_money(status: str, moves: bool) -> None:
    sample = samples("stripe")["charge_as_payment"]
    body = json.loads(sample.body)
    body["data"]["object"]["status"] = status
    became = tell(ADAPTER, replace(sample, body=json.dumps(body).encode()), Remembered())
    assert bool(became.events or became.sums) == moves
