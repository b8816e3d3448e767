"""Schemes without a signature: the secret itself stands in a header or in the URL."""

import base64
import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.errors import RejectionCause, SignatureError
from gateway.translation.schemes import reading
from gateway.translation.signature import UNREAD, KeyPair, Signed, Unproven
from gateway.translation.webhook import Webhook


@dataclass(frozen=True)
class Basic:
    """HTTP basic authentication, as a provider sends it that has ``https://user:password@…`` for URL.

    The secret is ``user:password``.
    """

    @property
    def tolerance(self) -> None:
        return None

    @property
    def signs_body(self) -> bool:
        return False

    @property
    def unproven(self) -> Unproven:
        return UNREAD

    @property
    def proof_headers(self) -> tuple[str, ...]:
        return ("Authorization",)

    def check_secret(self, secret: str) -> str | None:
        return None if re.fullmatch(r"[^:]+:.+", secret) else "should be user:password"

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        given = reading.decoded(_authorization(webhook, "basic"), "base64")
        reading.match(secret.encode(), [given], "Authorization")
        return Signed()

    def sign(self, webhook: Webhook, signing: str, at: datetime) -> Webhook:
        return webhook.with_headers({"Authorization": "Basic " + base64.b64encode(signing.encode()).decode()})

    def generate(self) -> KeyPair:
        return reading.symmetric("gateway:" + secrets.token_urlsafe(24))


@dataclass(frozen=True)
class Bearer:
    """``Authorization: Bearer <secret>``."""

    @property
    def tolerance(self) -> None:
        return None

    @property
    def signs_body(self) -> bool:
        return False

    @property
    def unproven(self) -> Unproven:
        return UNREAD

    @property
    def proof_headers(self) -> tuple[str, ...]:
        return ("Authorization",)

    def check_secret(self, secret: str) -> str | None:
        return reading.check_text(secret)

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        reading.match(secret.encode(), [reading.octets(_authorization(webhook, "bearer"))], "Authorization")
        return Signed()

    def sign(self, webhook: Webhook, signing: str, at: datetime) -> Webhook:
        return webhook.with_headers({"Authorization": f"Bearer {signing}"})

    def generate(self) -> KeyPair:
        return reading.symmetric(secrets.token_urlsafe(32))


@dataclass(frozen=True)
class HeaderToken:
    """The secret as the value of a header that the operator chose at the provider."""

    header: str

    @property
    def tolerance(self) -> None:
        return None

    @property
    def signs_body(self) -> bool:
        return False

    @property
    def unproven(self) -> Unproven:
        return UNREAD

    @property
    def proof_headers(self) -> tuple[str, ...]:
        return (self.header,)

    def check_secret(self, secret: str) -> str | None:
        return reading.check_text(secret)

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        reading.match(secret.encode(), [reading.octets(reading.header(webhook, self.header))], self.header)
        return Signed()

    def sign(self, webhook: Webhook, signing: str, at: datetime) -> Webhook:
        return webhook.with_headers({self.header: signing})

    def generate(self) -> KeyPair:
        return reading.symmetric(secrets.token_urlsafe(32))


@dataclass(frozen=True)
class PathToken:
    """The secret as the end of the URL, ``/webhooks/<source>/<token>``: for providers that can hold only a URL."""

    @property
    def tolerance(self) -> None:
        return None

    @property
    def signs_body(self) -> bool:
        return False

    @property
    def unproven(self) -> Unproven:
        return UNREAD

    @property
    def proof_headers(self) -> tuple[str, ...]:
        return ()

    def check_secret(self, secret: str) -> str | None:
        fits = re.fullmatch(r"[A-Za-z0-9_-]{16,200}", secret)
        return None if fits else "should be 16 to 200 letters, digits, - and _, since it stands in a URL"

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        if webhook.path_token is None:
            raise SignatureError(RejectionCause.MISSING, "no token after the source's name in the URL")
        reading.match(secret.encode(), [webhook.path_token.encode("utf-8", "surrogatepass")], "the token in the URL")
        return Signed()

    def sign(self, webhook: Webhook, signing: str, at: datetime) -> Webhook:
        return replace(webhook, path_token=signing)

    def generate(self) -> KeyPair:
        return reading.symmetric(secrets.token_urlsafe(32))


def _authorization(webhook: Webhook, kind: str) -> str:
    word, _, credentials = reading.header(webhook, "Authorization").partition(" ")
    if word.lower() != kind:
        raise SignatureError(RejectionCause.MALFORMED, f"Authorization is not of the kind {kind}")
    return credentials.strip()
