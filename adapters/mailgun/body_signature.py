"""Mailgun's signature, which stands in the body: an HMAC of a time and a token, but not of the rest.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from adapters.mailgun import multipart
from gateway.errors import PayloadError, RejectionCause, SignatureError
from gateway.translation import form, json_body
from gateway.translation.schemes import reading
from gateway.translation.signature import KeyPair, Reads, Signed, Unproven
from gateway.translation.webhook import Webhook

RETRIED_FOR = timedelta(hours=8, minutes=30)
"""Mailgun tries again after 10, 10, 15, 30, 60, 120 and 240 minutes, and is said to send the same signature."""

MOST = 1024 * 1024
"""Bytes that are read unproven. An event has few KB; a form of old may have a message's headers, or what bounced."""

_BLOCK = re.compile(rb'"signature"[ \t\r\n]{0,100}:[ \t\r\n]{0,100}(\{[^{}]{0,2000}\})')
_MOST_BLOCKS = 16

_MEMBERS = frozenset({"timestamp", "token", "signature"})
SIGNATURE_FIELDS = _MEMBERS | {"parent-signature"}

Field = tuple[str, str]


@dataclass(frozen=True)
class BodySignature:
    """Hex HMAC-SHA256 of `timestamp` and `token`, beside them in the body.

    Of a subaccount's webhooks `parent-signature` is made with the key of the account above it: either may fit.
    The token is good for one event, see `token`: nothing else keeps a signature from being put under another body.
    """

    tolerance: timedelta | None = RETRIED_FOR

    @property
    def signs_body(self) -> bool:
        return False

    @property
    def unproven(self) -> Unproven:
        return Unproven(Reads.CONTENT, MOST)

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
        if not _is_json(webhook.body):
            return replace(webhook, body=webhook.body + b"&" + urlencode(block).encode())
        kept = webhook.body.rstrip()[:-1].rstrip()
        comma = b"" if kept == b"{" else b","
        return replace(webhook, body=kept + comma + b'"signature":' + json.dumps(block).encode() + b"}")

    def generate(self) -> KeyPair:
        return reading.symmetric(secrets.token_hex(16))


def signature_block(webhook: Webhook) -> Mapping[str, Any]:
    """`signature` of a JSON body, or the fields of a form.

    It is looked for in the bytes, and no more than itself is read: the rest is not proven by it, and may be anything.
    Where several stand in a body nobody can tell which was meant.
    """
    if not _is_json(webhook.body):
        return dict(form_fields(webhook))  # merged custom variables stand before Mailgun's own: the last one counts
    found = [_object(block[1]) for block in islice(_BLOCK.finditer(webhook.body), _MOST_BLOCKS)]
    blocks = [block for block in found if block is not None and not block.keys().isdisjoint(_MEMBERS)]
    if not blocks:
        raise SignatureError(RejectionCause.MISSING, "the body holds no signature")
    if len(blocks) > 1:
        raise SignatureError(RejectionCause.MALFORMED, "the body holds several signatures")
    return blocks[0]


def token(webhook: Webhook) -> str | None:
    """What Mailgun made up for this one webhook, equal in its retries."""
    try:
        return _text(signature_block(webhook), "token")
    except SignatureError:
        return None


def form_fields(webhook: Webhook) -> Sequence[Field]:
    """The fields of a form in order, URL-encoded or multipart (files left out). Raises SignatureError."""
    kind = webhook.headers.get("Content-Type", "")
    read = multipart.pairs if kind.lower().startswith("multipart/form-data") else _urlencoded
    try:
        pairs = read(kind, webhook.body)
    except PayloadError as error:
        raise SignatureError(RejectionCause.MALFORMED, str(error)) from error
    return [(_storable(name), _storable(value)) for name, value in pairs]


def _urlencoded(kind: str, body: bytes) -> Sequence[tuple[bytes, bytes]]:
    return form.pairs(body)


def _storable(value: bytes) -> str:
    return value.decode(errors="replace").replace("\0", "\ufffd")


def _is_json(body: bytes) -> bool:
    return body[:1000].lstrip().startswith(b"{")


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        return json_body.load_object(text)
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
