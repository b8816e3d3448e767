"""Schemes with a shared key: HMAC in any arrangement, and Standard Webhooks."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

from gateway.errors import AdapterError, RejectionCause, SignatureError
from gateway.translation.schemes import reading
from gateway.translation.signature import HASHED, KeyPair, Signed, Unproven
from gateway.translation.webhook import Webhook

SIGNED_AFRESH = timedelta(seconds=300)
"""The usual tolerance where every try is signed anew."""


@dataclass(frozen=True)
class Hmac:
    """HMAC of the text `signed`, a template of {body}, {url}, {timestamp} and {id}.

    The signature is the value of `header` after `prefix`; or, with `signature_field`, the header is a list like
    ``t=1700000000,v1=ab12,v1=cd34``: any of the fields so named may fit, and `timestamp_field` is the signed time;
    `separator` stands between the fields.
    Time and id may have headers of their own. The secret is used as the text that it is; `secret_prefix` is how
    every secret of this provider begins.
    """

    header: str
    digest: str = "sha256"
    encoding: reading.Encoding = "hex"
    prefix: str = ""
    signed: str = "{body}"
    timestamp_header: str | None = None
    id_header: str | None = None
    signature_field: str | None = None
    timestamp_field: str | None = None
    separator: str = ","
    tolerance: timedelta | None = None
    secret_prefix: str = ""

    def __post_init__(self) -> None:
        if self.digest not in hashlib.algorithms_guaranteed or self.digest.startswith("shake"):
            raise AdapterError(f"digest {self.digest!r} is not one of sha256, sha512, sha384, sha1, md5")
        if self.encoding not in ("hex", "base64"):
            raise AdapterError(f"encoding {self.encoding!r} is neither hex nor base64")
        if self.timestamp_field and not self.signature_field:
            raise AdapterError("timestamp_field needs signature_field")
        if not self.separator:
            raise AdapterError("separator is empty")
        if self.signature_field and self.prefix:
            raise AdapterError("signature_field and prefix exclude each other")
        reading.check_template(
            self.signed, self.timestamp_header or self.timestamp_field, self.id_header, self.tolerance
        )

    @property
    def signs_body(self) -> bool:
        return True

    @property
    def unproven(self) -> Unproven:
        return HASHED

    @property
    def proof_headers(self) -> tuple[str, ...]:
        return (self.header,)

    def check_secret(self, secret: str) -> str | None:
        if self.secret_prefix and not secret.startswith(self.secret_prefix):
            return f"should begin with {self.secret_prefix}"
        return reading.check_text(secret)

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        given, stamp = self._given(reading.header(webhook, self.header))
        if self.timestamp_header:
            stamp = reading.header(webhook, self.timestamp_header)
        timed = self.timestamp_header or self.timestamp_field
        at = reading.unix_time(stamp) if timed else None
        told = reading.header(webhook, self.id_header) if self.id_header else ""
        expected = hmac.digest(secret.encode(), reading.signed_text(self.signed, webhook, stamp, told), self.digest)
        reading.match(expected, [reading.decoded(text, self.encoding) for text in given], self.header)
        return Signed(at)

    def sign(self, webhook: Webhook, signing: str, at: datetime) -> Webhook:
        stamp = reading.to_unix(at)
        told = reading.request_id(webhook, self.id_header) if self.id_header else ""
        signature = hmac.digest(signing.encode(), reading.signed_text(self.signed, webhook, stamp, told), self.digest)
        value = reading.encoded(signature, self.encoding)
        time = f"{self.timestamp_field}={stamp}{self.separator}" if self.timestamp_field else ""
        fields = {self.header: f"{time}{self.signature_field}={value}" if self.signature_field else self.prefix + value}
        if self.timestamp_header:
            fields[self.timestamp_header] = stamp
        if self.id_header:
            fields[self.id_header] = told
        return webhook.with_headers(fields)

    def generate(self) -> KeyPair:
        return reading.symmetric(self.secret_prefix + secrets.token_urlsafe(32))

    def _given(self, value: str) -> tuple[list[str], str]:
        """The signatures in the header, and the time if it stands there."""
        if self.signature_field is None:
            if not value.startswith(self.prefix):
                raise SignatureError(RejectionCause.MALFORMED, f"{self.header} does not begin with {self.prefix}")
            return [value.removeprefix(self.prefix)], ""
        pairs = [item.strip().partition("=") for item in value.split(self.separator)]
        stamp = next((text for name, _, text in pairs if name == self.timestamp_field), "")
        return [text for name, _, text in pairs if name == self.signature_field], stamp


@dataclass(frozen=True)
class StandardWebhooks:
    """Base64 HMAC-SHA256 of ``id.timestamp.body`` with the bytes that the secret ``whsec_<base64>`` stands for.

    Both spellings of the headers are taken, ``webhook-*`` and Svix's ``svix-*``; `prefix` is the one to sign with.
    `key` is `text` for providers whose secret is used as the text that it is, and `either` for those that do both.
    """

    prefix: str = "webhook-"
    key: Literal["base64", "text", "either"] = "base64"
    tolerance: timedelta | None = SIGNED_AFRESH

    @property
    def signs_body(self) -> bool:
        return True

    @property
    def unproven(self) -> Unproven:
        return HASHED

    @property
    def proof_headers(self) -> tuple[str, ...]:
        return ("webhook-signature", "svix-signature")

    def check_secret(self, secret: str) -> str | None:
        if self.key != "base64":
            return reading.check_text(secret)
        return None if _whsec(secret) else "should be whsec_ followed by base64"

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        prefix = self._spelling(webhook)
        value = reading.header(webhook, f"{prefix}signature")
        stamp = reading.header(webhook, f"{prefix}timestamp")
        told = reading.header(webhook, f"{prefix}id")
        at = reading.unix_time(stamp)
        given = [reading.decoded(text[3:], "base64") for text in value.split() if text.startswith("v1,")]
        keys = self._keys(secret)
        if not keys:
            raise SignatureError(RejectionCause.WRONG, "the configured secret can't be read")
        message = reading.signed_text("{id}.{timestamp}.{body}", webhook, stamp, told)
        digests = [hmac.digest(key, message, "sha256") for key in keys]
        readable = [one for one in given if one is not None]
        fitting = (digest for digest in digests if any(hmac.compare_digest(digest, one) for one in readable))
        reading.match(next(fitting, digests[0]), given, f"{prefix}signature")
        return Signed(at)

    def sign(self, webhook: Webhook, signing: str, at: datetime) -> Webhook:
        stamp, told = reading.to_unix(at), reading.request_id(webhook, f"{self.prefix}id")
        message = reading.signed_text("{id}.{timestamp}.{body}", webhook, stamp, told)
        signature = base64.b64encode(hmac.digest(self._keys(signing)[0], message, "sha256")).decode()
        fields = {"id": told, "timestamp": stamp, "signature": f"v1,{signature}"}
        return webhook.with_headers({self.prefix + name: value for name, value in fields.items()})

    def message_id(self, webhook: Webhook) -> str | None:
        """The id that the signature covers, the same in every retry of a message."""
        return webhook.headers.get(f"{self._spelling(webhook)}id", "").strip() or None

    def _spelling(self, webhook: Webhook) -> str:
        return next((name for name in ("webhook-", "svix-") if f"{name}signature" in webhook.headers), self.prefix)

    def generate(self) -> KeyPair:
        if self.key != "base64":
            return reading.symmetric(secrets.token_urlsafe(32))
        return reading.symmetric("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())

    def _keys(self, secret: str) -> tuple[bytes, ...]:
        """Those that the secret may stand for, the first to sign with; none where it can't be read."""
        text, decoded = secret.encode(), _whsec(secret)
        if self.key == "text":
            return (text,)
        if self.key == "either":
            return (text, decoded) if decoded else (text,)
        return (decoded,) if decoded else ()


@lru_cache(maxsize=64)
def _whsec(secret: str) -> bytes:
    """The key's bytes; empty where the secret can't be read."""
    return reading.decoded(secret.strip().removeprefix("whsec_"), "base64") or b""
