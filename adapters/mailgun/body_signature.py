"""Mailgun's signature, which stands in the body: an HMAC of a time and a token, but not of the rest.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
"""

import email
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from gateway.errors import PayloadError, RejectionCause, SignatureError
from gateway.translation import json_body
from gateway.translation.schemes import reading
from gateway.translation.signature import KeyPair, Signed
from gateway.translation.webhook import Webhook

RETRIED_FOR = timedelta(hours=8, minutes=30)
"""Mailgun tries again after 10, 10, 15, 30, 60, 120 and 240 minutes, and is said to send the same signature."""

Field = tuple[str, str]


@dataclass(frozen=True)
class BodySignature:
    """Hex HMAC-SHA256 of `timestamp` and `token`, beside them in the body.

    Of a subaccount's webhooks `parent-signature` is made with the key of the account above it: either may fit.
    The token is good once, see `token`: nothing else keeps a signature from being put under another body.
    """

    tolerance: timedelta | None = RETRIED_FOR

    @property
    def signs_body(self) -> bool:
        return False

    @property
    def proof_headers(self) -> tuple[str, ...]:
        return ()

    def check_secret(self, secret: str) -> str | None:
        return reading.check_text(secret)

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        block = signature_block(webhook)
        stamp, unique = _text(block, "timestamp"), _text(block, "token")
        at = reading.unix_time(stamp)
        expected = hmac.digest(secret.encode(), f"{stamp}{unique}".encode("utf-8", "surrogatepass"), "sha256")
        given = [block[name] for name in ("signature", "parent-signature") if isinstance(block.get(name), str)]
        if not given:
            raise SignatureError(RejectionCause.MISSING, "the body holds no signature")
        reading.match(expected, [reading.decoded(text, "hex") for text in given], "signature")
        return Signed(at)

    def sign(self, webhook: Webhook, signing: str, at: datetime) -> Webhook:
        stamp = reading.to_unix(at)
        unique = hashlib.sha256(stamp.encode() + webhook.body).hexdigest()[:50]
        signature = hmac.new(signing.encode(), f"{stamp}{unique}".encode(), "sha256").hexdigest()
        block = {"timestamp": stamp, "token": unique, "signature": signature}
        if _object(webhook) is None:
            return replace(webhook, body=webhook.body + b"&" + urlencode(block).encode())
        kept = webhook.body.rstrip()[:-1].rstrip()
        comma = b"" if kept == b"{" else b","
        return replace(webhook, body=kept + comma + b'"signature":' + json.dumps(block).encode() + b"}")

    def generate(self) -> KeyPair:
        return reading.symmetric(secrets.token_hex(16))


def signature_block(webhook: Webhook) -> Mapping[str, Any]:
    """`signature` of a JSON body, or the fields of a form."""
    told = _object(webhook)
    if told is None:
        return dict(form_fields(webhook))  # merged custom variables stand before Mailgun's own: the last one counts
    block = told.get("signature")
    if not isinstance(block, dict):
        raise SignatureError(RejectionCause.MISSING, "the body holds no signature")
    return block


def token(webhook: Webhook) -> str | None:
    """What Mailgun made up for this one webhook, equal in its retries."""
    try:
        return _text(signature_block(webhook), "token")
    except SignatureError:
        return None


def form_fields(webhook: Webhook) -> Sequence[Field]:
    """The fields of a form in order, URL-encoded or multipart (files left out); never raises."""
    kind = webhook.headers.get("Content-Type", "")
    if kind.lower().startswith("multipart/form-data"):
        return [(name, _storable(value)) for name, value in _parts(kind, webhook.body)]
    pairs = parse_qsl(webhook.body.decode(errors="replace"), keep_blank_values=True)
    return [(name, _storable(value)) for name, value in pairs]


def _parts(kind: str, body: bytes) -> list[Field]:
    message = email.message_from_bytes(b"Content-Type: " + reading.octets(kind) + b"\r\n\r\n" + body)
    found = []
    for part in message.walk():
        name = part.get_param("name", header="Content-Disposition")
        value = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(value, bytes) and part.get_filename() is None:
            found.append((name, value.decode(errors="replace")))
    return found


def _storable(value: str) -> str:
    return value.replace("\0", "\ufffd")


def _object(webhook: Webhook) -> dict[str, Any] | None:
    if not webhook.body.lstrip().startswith(b"{"):
        return None
    try:
        return json_body.load_object(webhook.body)
    except PayloadError:
        return None


def _text(block: Mapping[str, Any], name: str) -> str:
    """A member of the signature; the documentation calls the timestamp an int and shows a text."""
    value = block.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value:
        return value
    raise SignatureError(RejectionCause.MISSING, f"the body holds no {name}")
