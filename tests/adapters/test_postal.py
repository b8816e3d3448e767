"""Postal beyond its fixtures: two signatures with one key."""

from dataclasses import replace

import pytest

from adapters.postal import SCHEME, SHA1, SHA256
from gateway.errors import RejectionCause, SignatureError
from gateway.translation.registry import default_sample
from gateway.translation.signature import Scheme, verify
from tests.adapters.cases import NOW, keys_of, webhook_of

PAIR = keys_of(SHA1)
WEBHOOK = webhook_of(default_sample("postal"))


@pytest.mark.parametrize("scheme", [SHA1, SHA256, SCHEME], ids=["an older Postal", "the stronger alone", "both"])
def test_either_signature_is_believed_where_it_stands_alone(scheme: Scheme) -> None:
    assert verify(SCHEME, scheme.sign(WEBHOOK, PAIR.signing, NOW), [PAIR.verifying]).secret == 0


def test_a_weak_signature_does_not_make_up_for_a_wrong_strong_one() -> None:
    other = SHA256.sign(replace(WEBHOOK, body=b"{}"), PAIR.signing, NOW)
    mixed = SHA1.sign(WEBHOOK, PAIR.signing, NOW).with_headers({SHA256.header: other.headers[SHA256.header]})
    with pytest.raises(SignatureError) as refused:
        verify(SCHEME, mixed, [PAIR.verifying])
    assert refused.value.cause is RejectionCause.WRONG


def test_the_key_may_be_copied_with_its_pem_lines() -> None:
    pem = f"-----BEGIN PUBLIC KEY-----\n{PAIR.verifying}\n-----END PUBLIC KEY-----"
    assert SCHEME.check_secret(pem) is None
    assert verify(SCHEME, SCHEME.sign(WEBHOOK, PAIR.signing, NOW), [pem]).secret == 0
