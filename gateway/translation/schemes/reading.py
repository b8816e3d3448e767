"""What schemes are built of: reading a request without ever failing in another way than SignatureError."""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal

from gateway.errors import AdapterError, RejectionCause, SignatureError
from gateway.translation.signature import KeyPair
from gateway.translation.webhook import Webhook

Encoding = Literal["hex", "base64"]

_PLACES = ("body", "url", "timestamp", "id")
_UNIX_TIME = re.compile(r"\d{1,11}", re.ASCII)


def header(webhook: Webhook, name: str) -> str:
    """A header's value, trimmed; without one the signature is MISSING."""
    value = webhook.headers.get(name, "").strip()
    if not value:
        raise SignatureError(RejectionCause.MISSING, f"no header {name}")
    return value


def unix_time(text: str) -> datetime:
    """Unix seconds; whatever else is MALFORMED."""
    if not _UNIX_TIME.fullmatch(text):
        raise SignatureError(RejectionCause.MALFORMED, "the signed time is not in Unix seconds")
    return datetime.fromtimestamp(int(text), UTC)


def to_unix(at: datetime) -> str:
    return str(int(at.timestamp()))


def octets(text: str) -> bytes:
    """A header's bytes: servers hand them on as Latin-1, tests may hold anything."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def decoded(text: str, encoding: Encoding) -> bytes | None:
    """None for what is not in that encoding."""
    try:
        return bytes.fromhex(text) if encoding == "hex" else base64.b64decode(text, validate=True)
    except ValueError:
        return None


def encoded(value: bytes, encoding: Encoding) -> str:
    return value.hex() if encoding == "hex" else base64.b64encode(value).decode()


def match(expected: bytes, given: Sequence[bytes | None], header: str) -> None:
    """Raise SignatureError unless one of `given` (None: not readable) equals `expected`; in constant time."""
    readable = [value for value in given if value is not None]
    if not readable:
        raise SignatureError(RejectionCause.MALFORMED, f"{header} holds no signature that can be read")
    if not any([hmac.compare_digest(expected, value) for value in readable]):  # noqa: C419 - compares all, in constant time
        raise wrong(header)


def wrong(header: str) -> SignatureError:
    return SignatureError(RejectionCause.WRONG, f"{header} does not fit this secret and body")


def signed_text(signed: str, webhook: Webhook, timestamp: str, identity: str) -> bytes:
    """The bytes that a template of {body}, {url}, {timestamp} and {id} (`identity`) stands for."""
    values = {"body": webhook.body, "url": webhook.url.encode(), "timestamp": octets(timestamp), "id": octets(identity)}
    parts = _template(signed)
    return b"".join(values[part] if place % 2 else part.encode() for place, part in enumerate(parts))


@lru_cache(maxsize=64)
def _template(signed: str) -> tuple[str, ...]:
    """Fixed text and places in turn, beginning with text."""
    return tuple(re.split(r"\{(\w+)\}", signed))


def check_template(signed: str, timestamp: str | None, id_header: str | None, tolerance: timedelta | None) -> None:
    """Raise AdapterError for a template that would leave something open; `timestamp` says where the time stands."""
    names = set(_template(signed)[1::2])
    if not names <= set(_PLACES):
        raise AdapterError(f"signed: {signed!r} may hold only {{body}}, {{url}}, {{timestamp}} and {{id}}")
    if "body" not in names:
        raise AdapterError(f"signed: {signed!r} leaves out {{body}}: anybody could change it")
    if ("timestamp" in names) != (timestamp is not None):
        raise AdapterError("a time must be signed and must be told: {timestamp} in signed, and where it stands")
    if ("id" in names) != (id_header is not None):
        raise AdapterError("an id must be signed and must be told: {id} in signed, and id_header")
    if tolerance is not None and timestamp is None:
        raise AdapterError("a tolerance needs a signed time")


def check_text(secret: str) -> str | None:
    """What is wrong with a secret that may be any text."""
    if not secret.strip():
        return "is empty"
    return "has white space at its ends" if secret != secret.strip() else None


def symmetric(secret: str) -> KeyPair:
    return KeyPair(verifying=secret, signing=secret)


def request_id(webhook: Webhook, header: str) -> str:
    """The id to sign with: the one that is there, else one that the body alone decides."""
    return webhook.headers.get(header) or "msg_" + hashlib.sha256(webhook.body).hexdigest()[:27]
