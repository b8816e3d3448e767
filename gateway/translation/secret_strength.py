"""Whether a secret could be guessed: shorter than the provider's own are, or than what a person should make up."""

from gateway.translation.adapter import Adapter
from gateway.translation.schemes import Basic, Ecdsa, Rsa, StandardWebhooks
from gateway.translation.schemes.public_key import is_public_key
from gateway.translation.signature import Scheme, SelfProving

LEAST = 16
"""Characters of a secret that somebody makes up."""

LEAST_OF_PASSWORDS = 12
"""Of the password, beside a user's name."""

LEAST_OF_STANDARD = 32
"""Base64 characters of 24 bytes, the least of https://www.standardwebhooks.com."""


def weakness(adapter: Adapter, scheme: Scheme, secret: str) -> str | None:
    """What is weak about a secret that is right by its form, never quoting it; None where nothing is."""
    if isinstance(scheme, Ecdsa | Rsa) or is_public_key(secret):
        return None
    if isinstance(scheme, SelfProving) and ":" not in secret:
        return None  # the certificate with which the sandbox signs
    if isinstance(scheme, Basic | SelfProving):
        password = secret.partition(":")[2]
        return _told(
            "the password", len(password), LEAST_OF_PASSWORDS, "make up a longer one, here and at the provider"
        )
    advice = f"copy the whole of it from {adapter.title}, or make up a longer one there (`openssl rand -hex 32`)"
    if isinstance(scheme, StandardWebhooks) and scheme.key == "base64":
        return _told("it", len(secret.removeprefix("whsec_").rstrip("=")), LEAST_OF_STANDARD, f"{advice}: base64")
    body = secret.removeprefix(getattr(scheme, "secret_prefix", ""))
    return _told("it", len(body), adapter.least_secret, advice)


def _told(what: str, length: int, least: int, advice: str) -> str | None:
    if length >= least:
        return None
    return f"{what} is {length} characters long and can be guessed; {least} are the least: {advice}"
