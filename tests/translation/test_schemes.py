"""Each scheme: what it signs it believes, what is spoilt it refuses, and nothing that a stranger sends breaks it."""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import AdapterError, RejectionCause, SignatureError
from gateway.translation import schemes
from gateway.translation.signature import Scheme, verify
from gateway.translation.webhook import Headers, Webhook
from tests.translation.requests import NOW, request

DAY = timedelta(days=1)
SCHEMES: dict[str, Scheme] = {
    "hmac": schemes.Hmac(header="X-Signature"),
    "hmac_base64": schemes.Hmac(header="X-Signature", encoding="base64"),
    "hmac_prefix": schemes.Hmac(header="X-Signature", digest="sha1", prefix="sha1="),
    "hmac_everything": schemes.Hmac(
        header="X-Signature",
        digest="sha512",
        signed="{id}.{timestamp}.{url}.{body}",
        timestamp_header="X-Time",
        id_header="X-Id",
        tolerance=DAY,
    ),
    "hmac_fields": schemes.Hmac(
        header="X-Signature",
        signed="{timestamp}.{body}",
        signature_field="v1",
        timestamp_field="t",
        tolerance=DAY,
        secret_prefix="whsec_",
    ),
    "hmac_semicolons": schemes.Hmac(
        header="X-Signature",
        signed="{timestamp}:{body}",
        signature_field="h1",
        timestamp_field="ts",
        separator=";",
        tolerance=DAY,
    ),
    "standard_webhooks": schemes.StandardWebhooks(),
    "standard_webhooks_text": schemes.StandardWebhooks(key="text"),
    "svix": schemes.StandardWebhooks(prefix="svix-"),
    "ecdsa": schemes.Ecdsa(header="X-Signature", timestamp_header="X-Time", tolerance=DAY),
    "rsa_sha1": schemes.Rsa(header="X-Signature", digest="sha1"),
    "rsa_timed": schemes.Rsa(header="X-Signature", signed="{timestamp}{body}", timestamp_header="X-Time"),
    "basic": schemes.Basic(),
    "bearer": schemes.Bearer(),
    "header_token": schemes.HeaderToken("X-Token"),
    "path_token": schemes.PathToken(),
}
KEYS = {name: (scheme.generate(), scheme.generate()) for name, scheme in SCHEMES.items()}
each_scheme = pytest.mark.parametrize("name", SCHEMES)


def cause(name: str, webhook: Webhook, secret: str) -> RejectionCause | None:
    try:
        verify(SCHEMES[name], webhook, [secret])
    except SignatureError as error:
        return error.cause
    return None


@each_scheme
def test_what_a_scheme_signs_it_believes(name: str) -> None:
    right, other = KEYS[name]
    signed = SCHEMES[name].sign(request(), right.signing, NOW)
    assert cause(name, signed, right.verifying) is None
    assert cause(name, signed, other.verifying) is RejectionCause.WRONG
    assert cause(name, request(), right.verifying) is RejectionCause.MISSING


@each_scheme
def test_a_changed_body_is_noticed_by_the_schemes_that_say_so(name: str) -> None:
    right, _ = KEYS[name]
    signed = SCHEMES[name].sign(request(), right.signing, NOW)
    changed = replace(signed, body=signed.body + b" ")
    assert cause(name, changed, right.verifying) is (RejectionCause.WRONG if SCHEMES[name].signs_body else None)


@each_scheme
def test_the_headers_that_prove_are_named_so_that_they_can_be_masked(name: str) -> None:
    signed = SCHEMES[name].sign(request(), KEYS[name][0].signing, NOW)
    named = [header for header in SCHEMES[name].proof_headers if header in signed.headers]
    assert bool(named) is (signed.path_token is None)


@each_scheme
def test_a_generated_secret_has_the_right_form_and_others_are_told_so(name: str) -> None:
    assert SCHEMES[name].check_secret(KEYS[name][0].verifying) is None
    fault = SCHEMES[name].check_secret("  ")
    assert fault is not None


@each_scheme
@settings(max_examples=40, deadline=None)
@given(value=st.one_of(st.text(max_size=40), st.binary(max_size=40).map(lambda raw: raw.decode("latin-1"))))
def test_no_header_of_a_stranger_breaks_a_scheme(name: str, value: str) -> None:
    signed = SCHEMES[name].sign(request(), KEYS[name][0].signing, NOW)
    for header in set(signed.headers) - {"content-type"}:
        for text in (value, f"Basic {value}", f"Bearer {value}", f"v1,{value}", f"t=1,v1={value}", f"sha1={value}"):
            spoilt = signed.with_headers({header: text})
            assert cause_by_itself(SCHEMES[name], spoilt, KEYS[name][0].verifying) in {None, *RejectionCause}


def cause_by_itself(scheme: Scheme, webhook: Webhook, secret: str) -> RejectionCause | None:
    """Without `signature.verify`, which forgives a scheme its exceptions."""
    try:
        scheme.verify(webhook, secret)
    except SignatureError as error:
        return error.cause
    return None


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        ("hmac", {"X-Signature": "not hex"}),
        ("hmac_base64", {"X-Signature": "ünïcode"}),
        ("hmac_prefix", {"X-Signature": "sha256=abcd"}),
        ("hmac_fields", {"X-Signature": "t=1767614400"}),
        ("hmac_fields", {"X-Signature": "v1=abcd"}),
        ("hmac_fields", {"X-Signature": "t=soon,v1=abcd"}),
        ("hmac_fields", {"X-Signature": "t=99999999999999999999,v1=abcd"}),
        ("ecdsa", {"X-Signature": "AAAA", "X-Time": "١٢"}),
        ("ecdsa", {"X-Signature": "*", "X-Time": "1"}),
        ("svix", {"svix-id": "a", "svix-timestamp": "1767614400", "svix-signature": "v2,AAAA"}),
        ("basic", {"Authorization": "Bearer abc"}),
        ("basic", {"Authorization": "Basic %%%"}),
        ("bearer", {"Authorization": "Basic abc"}),
    ],
)
def test_a_signature_that_cant_be_read_is_malformed(name: str, headers: dict[str, str]) -> None:
    assert cause(name, request(headers=headers), KEYS[name][0].verifying) is RejectionCause.MALFORMED


def test_any_of_several_signatures_in_a_header_may_fit() -> None:
    signed = SCHEMES["hmac_fields"].sign(request(), "whsec_1", NOW)
    time, right = signed.headers["X-Signature"].split(",")
    several = signed.with_headers({"X-Signature": f"{time}, v1={'0' * 64},v1=nonsense,{right},v0=abc"})
    assert cause("hmac_fields", several, "whsec_1") is None


def test_a_standard_webhook_is_believed_in_either_spelling_of_its_headers() -> None:
    pair = KEYS["svix"][0]
    signed = SCHEMES["svix"].sign(request(headers={"svix-id": "msg_1"}), pair.signing, NOW)
    assert signed.headers["svix-id"] == "msg_1"
    assert cause("standard_webhooks", signed, pair.verifying) is None


def test_a_standard_webhook_is_signed_as_its_specification_says() -> None:
    """The example of https://github.com/standard-webhooks/standard-webhooks, worked out by hand."""
    key = b"0123456789abcdef01234567"
    expected = base64.b64encode(hmac.digest(key, b"msg_1.1767614400.{}", "sha256")).decode()
    secret = "whsec_" + base64.b64encode(key).decode()
    signed = SCHEMES["standard_webhooks"].sign(request(b"{}", {"webhook-id": "msg_1"}), secret, NOW)
    assert signed.headers["webhook-signature"] == f"v1,{expected}"


def test_the_url_can_be_signed() -> None:
    scheme = schemes.Hmac(header="X-Signature", signed="{url}{body}", encoding="base64", digest="sha1")
    expected = hmac.new(b"secret", b"https://hooks.example.com/webhooks/source{}", hashlib.sha1).digest()
    signed = scheme.sign(request(b"{}"), "secret", NOW)
    assert signed.headers["X-Signature"] == base64.b64encode(expected).decode()


def test_a_public_key_may_be_told_as_pem() -> None:
    scheme, private = SCHEMES["ecdsa"], ec.generate_private_key(ec.SECP256R1())
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    signed = scheme.sign(request(), pem.decode(), NOW)
    for key in (public.decode(), public.decode().replace("\n", "\\n")):
        assert scheme.check_secret(key) is None
        assert cause("ecdsa", signed, key) is None


def test_a_key_of_another_kind_is_told_so_and_believes_nothing() -> None:
    rsa_key = KEYS["rsa_sha1"][0].verifying
    assert SCHEMES["ecdsa"].check_secret(rsa_key) == "should be a P-256 public key, as base64 DER or PEM"
    signed = SCHEMES["ecdsa"].sign(request(), KEYS["ecdsa"][0].signing, NOW)
    assert cause("ecdsa", signed, rsa_key) is RejectionCause.WRONG


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"digest": "sha265"}, "digest 'sha265' is not one of"),
        ({"encoding": "base46"}, "neither hex nor base64"),
        ({"signed": "{bodi}"}, "may hold only"),
        ({"signed": "{url}"}, "leaves out {body}"),
        ({"signed": "{timestamp}{body}"}, "a time must be signed and must be told"),
        ({"timestamp_header": "X-Time"}, "a time must be signed and must be told"),
        ({"id_header": "X-Id"}, "an id must be signed and must be told"),
        ({"tolerance": DAY}, "a tolerance needs a signed time"),
        ({"timestamp_field": "t"}, "timestamp_field needs signature_field"),
        ({"signature_field": "v1", "prefix": "x"}, "exclude each other"),
    ],
)
def test_a_scheme_that_would_leave_something_open_is_refused(members: dict[str, Any], words: str) -> None:
    with pytest.raises(AdapterError, match=words.replace("{", r"\{")):
        schemes.Hmac(header="X-Signature", **members)


def test_a_header_that_stands_twice_counts_with_its_last_value() -> None:
    headers = Headers([("X-Token", "wrong"), ("x-token", "right")])
    assert cause("header_token", replace(request(), headers=headers), "right") is None


@pytest.mark.parametrize("meant", ["text", "base64"])
def test_a_secret_of_standard_webhooks_may_be_meant_either_way(meant: Any) -> None:
    secret = schemes.StandardWebhooks().generate().signing
    unsigned = request(b'{"to": "ana@example.com"}')
    signed = schemes.StandardWebhooks(key=meant).sign(unsigned, secret, NOW)
    assert schemes.StandardWebhooks(key="either").verify(signed, secret).at == NOW
    with pytest.raises(SignatureError):
        schemes.StandardWebhooks(key="either").verify(signed, "whsec_" + "00" * 32)
