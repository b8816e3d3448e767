"""Mailtrap's own SDK and the gateway agree on what is genuine, both ways."""

import hashlib
import hmac

import pytest
from mailtrap import verify_signature

from adapters.mailtrap import SCHEME
from gateway.translation.registry import default_sample
from gateway.translation.signature import verify
from tests.adapters.cases import NOW, keys_of, webhook_of


@pytest.mark.parametrize(("ending", "believed"), [(b"", True), (b" ", False)], ids=["untouched", "tampered"])
def test_mailtraps_sdk_believes_what_is_signed_here(ending: bytes, believed: bool) -> None:
    pair = keys_of(SCHEME)
    signed = SCHEME.sign(webhook_of(default_sample("mailtrap")), pair.signing, NOW)
    signature = signed.headers["Mailtrap-Signature"]
    assert verify_signature(signed.body + ending, signature, pair.verifying) is believed


def test_what_mailtraps_sdk_believes_is_believed_here() -> None:
    pair = keys_of(SCHEME)
    webhook = webhook_of(default_sample("mailtrap"))
    signature = hmac.new(pair.signing.encode(), webhook.body, hashlib.sha256).hexdigest()
    assert verify_signature(webhook.body, signature, pair.verifying)
    assert verify(SCHEME, webhook.with_headers({"Mailtrap-Signature": signature}), [pair.verifying]).secret == 0
