"""Unisender Go's proof, which stands in the body: an MD5 of it with the API key in the place of that MD5.

https://godocs.unisender.ru/web-api-ref#callback-format
"""

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime
from secrets import token_hex

from gateway.errors import PayloadError, RejectionCause, SignatureError
from gateway.translation import json_body
from gateway.translation.schemes import reading
from gateway.translation.signature import KeyPair, Reads, Signed, Unproven
from gateway.translation.webhook import Webhook

AUTH = "auth"
_GIVEN = re.compile(rb'"auth"[ \t\r\n]{0,100}:[ \t\r\n]{0,100}"([0-9a-f]{32})"')
_PLACE = re.compile(rb'("auth"\s*:\s*")[^"\\]*(")')


@dataclass(frozen=True)
class BodyDigest:
    """MD5 of the body in which the API key stands in the place of that MD5, as the text `auth` of the outermost object.

    It is looked for in the bytes, where it has to stand literally, and nothing is parsed before it fits.

    Such an MD5 could be continued by whoever knows one (length extension), but what comes behind a whole JSON object
    is no JSON, and nothing else is believed.
    """

    @property
    def tolerance(self) -> None:
        return None

    @property
    def signs_body(self) -> bool:
        return True

    @property
    def unproven(self) -> Unproven:
        return Unproven(Reads.CONTENT)

    @property
    def proof_headers(self) -> tuple[str, ...]:
        return ()

    def check_secret(self, secret: str) -> str | None:
        return reading.check_text(secret)

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        found = _GIVEN.search(webhook.body)
        if found is None:
            raise SignatureError(RejectionCause.MISSING, f'the body has no "{AUTH}" with an MD5')
        given = found[1]
        keyed = webhook.body.replace(given, secret.encode())
        reading.match(_digest(keyed), [bytes.fromhex(given.decode())], AUTH)
        try:
            outermost = json_body.load_object(webhook.body).get(AUTH)
        except PayloadError as error:
            raise SignatureError(RejectionCause.MALFORMED, f"nobody can sign it so: {error}") from error
        if outermost != given.decode():
            raise SignatureError(RejectionCause.MALFORMED, f"{AUTH} is not of the outermost object")
        return Signed()

    def sign(self, webhook: Webhook, signing: str, at: datetime) -> Webhook:
        """The place of the signature, the text `auth`, has to be in the body; without it nothing is signed."""
        keyed = _PLACE.sub(lambda found: found[1] + signing.encode() + found[2], webhook.body, count=1)
        digest = _digest(keyed).hex().encode()
        return replace(webhook, body=_PLACE.sub(lambda found: found[1] + digest + found[2], webhook.body, count=1))

    def generate(self) -> KeyPair:
        return reading.symmetric(token_hex(20))


def _digest(body: bytes) -> bytes:
    return hashlib.md5(body, usedforsecurity=False).digest()
