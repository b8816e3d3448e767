"""Reading a request's body within bounds: neither a long one nor one that unfolds when decompressed costs more."""

import zlib
from typing import BinaryIO

CHUNK = 64 * 1024


class BodyTooLargeError(Exception):
    """The body, as sent or decompressed, is longer than allowed."""


class BodyUnreadableError(Exception):
    """The body is not what its headers say."""


def read_body(stream: BinaryIO, declared: int | None, encoding: str, most: int) -> bytes:
    """The exact bytes, a gzip or deflate encoding undone; at most `most` of them.

    `declared` is the Content-Length, None where the request does not tell. What is too long is read to its end and
    thrown away, so that the sender sees the answer.
    """
    if declared is not None and declared > most:
        _throw_away(stream, declared)
        raise BodyTooLargeError
    body = stream.read(min(most + 1, declared) if declared is not None else most + 1)
    if len(body) > most:
        _throw_away(stream, 4 * most)
        raise BodyTooLargeError
    if declared is not None and len(body) < declared:
        raise BodyUnreadableError(f"the body ended after {len(body)} of {declared} bytes")
    return _decompressed(body, encoding.strip().lower(), most)


def _throw_away(stream: BinaryIO, most: int) -> None:
    left = most
    while left > 0:
        chunk = stream.read(min(CHUNK, left))
        if not chunk:
            return
        left -= len(chunk)


def _decompressed(body: bytes, encoding: str, most: int) -> bytes:
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise BodyUnreadableError(f"Content-Encoding {encoding[:20]!r}: send identity, gzip or deflate")
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: gzip or zlib, told by the first bytes
    try:
        plain = inflater.decompress(body, most + 1)
    except zlib.error as error:
        raise BodyUnreadableError(f"the body is not {encoding}") from error
    if len(plain) > most:
        raise BodyTooLargeError
    if not inflater.eof:
        raise BodyUnreadableError(f"the {encoding} body ends too early")
    return plain
