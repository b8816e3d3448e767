"""Which secrets could be guessed."""

from typing import Any

import pytest

from gateway.translation.adapter import Adapter
from gateway.translation.registry import adapters, default_sample
from gateway.translation.schemes import Basic, Bearer, Ecdsa
from gateway.translation.secret_strength import weakness
from gateway.translation.signature import Scheme
from tests.adapters.cases import ADAPTERS, keys_of, options_of


def told(adapter: str, secret: str, scheme: Scheme | None = None) -> str | None:
    one = adapters()[adapter]
    return weakness(one, scheme or one.scheme(one.options().load({})), secret)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda one: one.name)
def test_what_is_generated_is_strong(adapter: Adapter) -> None:
    scheme: Any = adapter.scheme(options_of(adapter, default_sample(adapter.name)))
    assert weakness(adapter, scheme, keys_of(scheme).verifying) is None


SHORT = [
    ("stripe", "whsec_" + "k3" * 15, None),
    ("shopify", "k3" * 15, None),
    ("mailgun", "k3" * 15, None),
    ("resend", "whsec_" + "k3A9" * 7, None),
    ("polar", "k3" * 7, None),
    ("mandrill", "k3" * 7, None),
    ("postmark", "user:k3k3k3k3k3k", Basic()),
    ("sparkpost", "k3" * 7, Bearer()),
]


@pytest.mark.parametrize(("adapter", "secret", "scheme"), SHORT, ids=lambda one: one if isinstance(one, str) else "")
def test_a_secret_shorter_than_the_provider_makes_them_is_weak(
    adapter: str, secret: str, scheme: Scheme | None
) -> None:
    weak = told(adapter, secret, scheme)
    assert weak is not None
    assert secret not in weak
    assert "can be guessed" in weak


ISSUED = [
    ("stripe", "whsec_" + "k3A9" * 8, None),  # the dashboard's; `stripe listen` has 64 hex digits
    ("shopify", "53aee7eeeb78394a8d9ffe1fcdc9176b", None),  # apps of old, without a prefix
    ("shopify", "shpss_" + "5e" * 16, None),
    ("mailgun", "key-" + "5c" * 16, None),
    ("mailgun", "5c" * 16, None),
    ("resend", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", None),  # 24 bytes, what Svix makes
    ("mandrill", "k3A9-_" * 3 + "k3A9", None),
    ("square", "k3A9-_" * 3 + "k3A9", None),
    ("lemonsqueezy", "k3A9" * 4, None),
]


@pytest.mark.parametrize(("adapter", "secret", "scheme"), ISSUED, ids=lambda one: one if isinstance(one, str) else "")
def test_what_a_provider_issues_is_strong(adapter: str, secret: str, scheme: Scheme | None) -> None:
    assert told(adapter, secret, scheme) is None


def test_a_public_key_may_be_as_short_as_it_is() -> None:
    assert told("sendgrid", "short", Ecdsa("X", signed="{body}")) is None
