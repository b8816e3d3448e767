"""A body of JSON, read exactly: no number loses a digit, and whatever can't be stored is caught here."""

import json
import re
from decimal import Decimal
from typing import Any, NoReturn

from gateway.errors import PayloadError

_LARGEST_EXPONENT = 308  # what a double can hold; a larger one is an attack: int(Decimal("1e999999999")) never ends
_SUSPECT_ESCAPES = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def _fraction(text: str) -> Decimal:
    number = Decimal(text)
    if not -_LARGEST_EXPONENT <= number.adjusted() <= _LARGEST_EXPONENT:
        raise ValueError("a number out of all proportion")
    return number


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


_DECODER = json.JSONDecoder(parse_float=_fraction, parse_constant=_refuse)


def load(body: bytes) -> Any:
    """The value that a body holds: fractions as Decimal, integers as int whatever their size.

    NUL and lone surrogates, which no database takes as text, become U+FFFD, and so do bytes that are no UTF-8: one of
    them in a text (a mail server's words, passed on) is no reason to lose a batch, and no address has one. Raises
    PayloadError.
    """
    try:
        text = body.decode("utf-8-sig", "replace")
        value = _DECODER.decode(text)
        return _storable(value) if _SUSPECT_ESCAPES.search(text) else value
    except RecursionError as error:
        raise PayloadError("the body is nested too deeply") from error
    except ValueError as error:
        raise PayloadError(f"the body is not JSON: {str(error)[:100]}") from error


def load_object(body: bytes) -> dict[str, Any]:
    """As `load`, for a body that must be one JSON object."""
    return an_object(load(body), "the body")


def an_object(value: Any, what: str) -> dict[str, Any]:
    """`value`, which must be a JSON object; `what` names it in the PayloadError."""
    if not isinstance(value, dict):
        raise PayloadError(f"{what} is not a JSON object")
    return value


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(item) for name, item in value.items()}
    return value
