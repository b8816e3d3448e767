"""Reading a request's body within bounds: neither a long one nor one that unfolds when decompressed costs more."""

import zlib
from typing import BinaryIO

CHUNK = 64 * 1024

MOST_UNFOLDED = 32
"""How many times as long as it came a compressed body may be; what providers send is some ten times as long."""

ALWAYS_UNFOLDED = 64 * 1024
"""Bytes that any compressed body may have: short ones that repeat themselves shrink to nearly nothing."""


class BodyTooLargeError(Exception):
    """The body, as sent or decompressed, is longer than the bytes that are told."""


class BodyUnreadableError(Exception):
    """The body is not what its headers say."""


def read_body(stream: BinaryIO, declared: int | None, most: int, thrown_away: int) -> bytes:
    """The exact bytes, at most `most` of them.

    `declared` is the Content-Length, None where the request does not tell. Of what is too long the rest is read and
    thrown away, so that the sender sees the answer, but not more than `thrown_away`.
    """
    if declared is not None and declared > most:
        throw_away(stream, min(declared, thrown_away))
        raise BodyTooLargeError(most)
    body = stream.read(min(most + 1, declared) if declared is not None else most + 1)
    if len(body) > most:
        throw_away(stream, thrown_away)
        raise BodyTooLargeError(most)
    if declared is not None and len(body) < declared:
        raise BodyUnreadableError(f"the body ended after {len(body)} of {declared} bytes")
    return body


def throw_away(stream: BinaryIO, most: int) -> None:
    """Read on, up to `most` bytes, and keep nothing."""
    left = most
    while left > 0:
        chunk = stream.read(min(CHUNK, left))
        if not chunk:
            return
        left -= len(chunk)


def is_plain(encoding: str) -> bool:
    """Whether a Content-Encoding changes nothing."""
    return encoding.strip().lower() in ("", "identity")


def unfolded(body: bytes, encoding: str, most: int) -> bytes:
    """The bytes that a body stands for, a gzip or deflate encoding undone: at most `most` of them, and at most
    MOST_UNFOLDED for each that came.
    """
    if is_plain(encoding):
        return body
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        raise BodyUnreadableError(f"Content-Encoding {encoding[:20]!r}: send identity, gzip or deflate")
    allowed = min(most, max(ALWAYS_UNFOLDED, MOST_UNFOLDED * len(body)))
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: gzip or zlib, told by the first bytes
    try:
        plain = inflater.decompress(body, allowed + 1)
    except zlib.error as error:
        raise BodyUnreadableError(f"the body is not {encoding.strip().lower()}") from error
    if len(plain) > allowed:
        raise BodyTooLargeError(allowed)
    if not inflater.eof:
        raise BodyUnreadableError(f"the {encoding.strip().lower()} body ends too early")
    return plain
