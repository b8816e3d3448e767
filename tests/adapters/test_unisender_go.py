"""Unisender Go beyond its fixtures: the digest in the body."""

import hashlib
import struct
from dataclasses import replace

import pytest

from adapters.unisender_go import SCHEME, adapter
from gateway.errors import RejectionCause, SignatureError
from gateway.translation.registry import samples
from gateway.translation.signature import verify
from gateway.translation.webhook import Webhook
from tests.adapters.cases import Remembered, tell, webhook_of


def body(text: bytes) -> Webhook:
    return replace(webhook_of(samples("unisender_go")["sent"]), body=text)


def cause(webhook: Webhook, secret: str = "api_key") -> RejectionCause:
    with pytest.raises(SignatureError) as refused:
        verify(SCHEME, webhook, [secret])
    return refused.value.cause


# md5sum of {"auth":"api_key","key":"value"}
GENUINE = b'{"auth":"8c64386327f53722434f44021a7a0d40","key":"value"}'


def test_the_digest_is_that_of_the_body_with_the_key_in_its_place() -> None:
    assert verify(SCHEME, body(GENUINE), ["api_key"]).secret == 0
    assert cause(body(GENUINE), "another") is RejectionCause.WRONG


@pytest.mark.parametrize(
    "text",
    [
        GENUINE.replace(b",", b", "),
        GENUINE + b"\n",
        GENUINE.replace(b"value", b"values"),
        GENUINE.replace(b"}", b',"more":"8c64386327f53722434f44021a7a0d40"}'),
        GENUINE.replace(b'"key"', b'"auth":"00000000000000000000000000000000","key"'),
        b'{"auth":"%s"}' % hashlib.md5(b'{"auth":""}').hexdigest().encode(),
    ],
)
def test_a_body_with_anything_changed_is_refused(text: bytes) -> None:
    assert cause(body(text)) is RejectionCause.WRONG


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"{}", RejectionCause.MISSING),
        (b"[]", RejectionCause.MISSING),
        (b"", RejectionCause.MISSING),
        (b'{"auth":"api_key"}', RejectionCause.MISSING),
        (b'{"auth":["8c64386327f53722434f44021a7a0d40"]}', RejectionCause.MISSING),
        (GENUINE.replace(b"8c", rb"\u0038c"), RejectionCause.MISSING),
    ],
)
def test_a_body_without_a_digest_says_so(text: bytes, expected: RejectionCause) -> None:
    """One that does not stand there literally is none: it is looked for before anything is parsed."""
    assert cause(body(text)) is expected


@pytest.mark.parametrize("around", [b'{"event":%s}', b"[%s]", b'"}%s'])
def test_a_digest_that_is_not_of_the_outermost_object_is_refused(around: bytes) -> None:
    keyed = around % b'{"auth":"api_key","key":"value"}'
    digest = hashlib.md5(keyed).hexdigest().encode()
    assert cause(body(keyed.replace(b"api_key", digest))) is RejectionCause.MALFORMED


def test_a_digest_continued_by_a_stranger_is_refused() -> None:
    """MD5 can be continued without the key: the padding that this needs is no JSON."""
    keyed = b'{"auth":"api_key","key":"value"}'
    padding = b"\x80" + b"\0" * (55 - len(keyed)) + struct.pack("<Q", 8 * len(keyed))
    digest = hashlib.md5(keyed + padding + b" ").hexdigest().encode()
    assert cause(body(b'{"auth":"%s","key":"value"}' % digest + padding + b" ")) is RejectionCause.MALFORMED


def test_accepted_and_sent_are_one_fact() -> None:
    told = [tell(adapter, samples("unisender_go")[case], Remembered()).events for case in ("accepted", "sent")]
    assert told[0] == told[1]
