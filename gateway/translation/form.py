"""A URL-encoded form, read at a cost that its bytes bound: anybody may have sent it."""

import binascii
import re

from gateway.errors import PayloadError

MOST_FIELDS = 1000

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def pairs(body: bytes, most: int = MOST_FIELDS) -> list[tuple[bytes, bytes]]:
    """Names and values in order; a name without `=` has an empty value.

    Raises PayloadError for more than `most` fields and for an escape that is none.
    """
    if body.count(b"&") >= most:
        raise PayloadError(f"the form has more than {most} fields")
    if _BAD_ESCAPE.search(body):
        raise PayloadError("the body is not a URL-encoded form: a % is not followed by two hex digits")
    fields = (field.partition(b"=") for field in body.split(b"&") if field)
    return [(_decoded(name), _decoded(value)) for name, _, value in fields]


def _decoded(text: bytes) -> bytes:
    """Escapes undone. `urllib` makes two objects of each of them, some fifty bytes for one that came; this, none.

    Quoted-printable is the same with another sign, once its own has become an escape.
    """
    return binascii.a2b_qp(text.replace(b"+", b" ").replace(b"=", b"=3D").replace(b"%", b"="))
