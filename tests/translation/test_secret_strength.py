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


def test_a_public_key_may_be_as_short_as_it_is() -> None:
    assert told("sendgrid", "short", Ecdsa("X", signed="{body}")) is None
