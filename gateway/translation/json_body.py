"""A body of JSON, read exactly: no number loses a digit, and whatever can't be stored is caught here."""

import json
import re
from decimal import Decimal
from json.decoder import scanstring  # type: ignore[attr-defined]  # the stubs leave it out
from typing import Any

from gateway.errors import PayloadError
from gateway.formats.nesting import DEEPEST, is_too_deep

_LARGEST_EXPONENT = 308  # what a double can hold; a larger one is an attack: int(Decimal("1e999999999")) never ends
_MOST_DIGITS = 4000  # of a whole number; Python reads no more than 4,300, since it takes the square of them in steps
_SUSPECT = re.compile(r"\x00|\\u(?:0000|[dD][89a-fA-F])")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"[A-Za-z0-9.+-]*")
_LONGEST_WORD = 30
MOST_TOKENS = 1000
_DEEPEST_FLAT = 3
_TOO_DEEP = f"the body is nested too deeply: {DEEPEST} levels are the most"


def _fraction(text: str) -> Decimal | None:
    number = Decimal(text)
    return number if -_LARGEST_EXPONENT <= number.adjusted() <= _LARGEST_EXPONENT else None


def _whole(text: str) -> int | None:
    return int(text) if len(text) <= _MOST_DIGITS else None


def _nothing(word: str) -> None:
    return None


# Not strict: a line end or another control character may stand in a text as it is.
_DECODER = json.JSONDecoder(parse_float=_fraction, parse_constant=_nothing, strict=False)
_SLOW_DECODER = json.JSONDecoder(parse_float=_fraction, parse_constant=_nothing, parse_int=_whole, strict=False)


def load(body: bytes) -> Any:
    """The value that a body holds: fractions as Decimal, integers as int whatever their size.

    NUL and lone surrogates, which no database takes as text, become U+FFFD, and so do bytes that are no UTF-8: one of
    them in a text (a mail server's words, passed on) is no reason to lose a batch, and no address has one. For the same
    reason NaN, Infinity and numbers out of all proportion are nothing (None). Raises PayloadError.
    """
    try:
        text = body.decode("utf-8-sig", "replace")
        value = _decoded(text)
    except RecursionError as error:
        raise PayloadError(_TOO_DEEP) from error
    except ValueError as error:
        raise PayloadError(f"the body is not JSON: {str(error)[:100]}") from error
    if text.count("{") + text.count("[") > DEEPEST and is_too_deep(value):
        raise PayloadError(_TOO_DEEP)
    return _storable(value) if _SUSPECT.search(text) else value


def _decoded(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # of a whole number with too many digits
        return _SLOW_DECODER.decode(text)


def load_flat(body: bytes, most_tokens: int = MOST_TOKENS) -> dict[str, Any]:
    """An object of texts, short numbers and small objects of them: what can be read at the cost of its bytes.

    Whoever sends it need not be trusted: what holds arrays, is deeper than three or has more than `most_tokens` texts,
    signs and words is not read on. Raises PayloadError.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PayloadError("the body is not UTF-8") from error
    if not _is_flat(text, most_tokens):
        raise PayloadError("the body is not a flat JSON object")
    return load_object(body)


def _is_flat(text: str, most_tokens: int) -> bool:
    """Whether nothing in it is dear to read; whether it is JSON is left to whoever reads it."""
    place, depth = 0, 0
    for _ in range(most_tokens):
        place = _end(_SPACE, text, place)
        mark = text[place : place + 1]
        if mark == '"':
            try:
                place = scanstring(text, place + 1)[1]
            except ValueError:
                return False
        elif mark and mark in "{}:,":
            depth += (mark == "{") - (mark == "}")
            place += 1
        else:
            end = _end(_WORD, text, place)
            if end == place:
                return not mark and depth == 0
            if end - place > _LONGEST_WORD:
                return False
            place = end
        if not 0 <= depth <= _DEEPEST_FLAT:
            return False
    return False


def _end(pattern: re.Pattern[str], text: str, place: int) -> int:
    found = pattern.match(text, place)
    return place if found is None else found.end()


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
