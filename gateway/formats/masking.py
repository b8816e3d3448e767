"""What of a kept webhook may be shown: its body and URL made readable, without what its name calls a secret."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

MASK = "…"
"""Stands in the place of a text that its name calls secret."""

LONGEST_SHOWN = 200_000
"""Characters of a body that are shown."""

DEEPEST_SHOWN = 100
"""Levels of a body that are shown; what is nested deeper has its mask."""

UNPAIRED = re.compile("[\ud800-\udfff]")
_SECRET_NAMES = re.compile(r"secret|password|token|signature|authorization|api_?key", re.IGNORECASE)


def masked(value: Any, depth: int = DEEPEST_SHOWN) -> Any:
    """A JSON value without the texts whose name says that they are secret, and without what lies too deep."""
    if isinstance(value, Mapping | list) and depth == 0:
        return MASK
    if isinstance(value, Mapping):
        return {
            _text(name): MASK if isinstance(inner, str) and is_secret(name) else masked(inner, depth - 1)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [masked(inner, depth - 1) for inner in value]
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    """Halves of a character, which JSON can name, are no text that anybody can be sent."""
    return UNPAIRED.sub("\ufffd", text)


def is_secret(name: str) -> bool:
    return _SECRET_NAMES.search(name) is not None


def masked_url(url: str) -> str:
    """The URL without user, password and secret parameters."""
    try:
        told = urlsplit(url)
    except ValueError:
        return MASK
    host = told.netloc.rpartition("@")[2]
    asked = [
        f"{quote(name)}={MASK if is_secret(name) else quote(value)}"
        for name, value in parse_qsl(told.query, keep_blank_values=True)
    ]
    return urlunsplit((told.scheme, host, told.path, "&".join(asked), told.fragment))


def readable(body: bytes, content_type: str = "") -> str:
    """A body as a person reads it: JSON and forms indented, other text as it came, other bytes counted."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return f"{len(body):,} bytes that are no text"
    told = _form(text) if "x-www-form-urlencoded" in content_type.lower() else _document(text)
    shown = text if told is None else json.dumps(masked(told), indent=2, ensure_ascii=False)
    cut = len(shown) - LONGEST_SHOWN
    return shown if cut <= 0 else f"{shown[:LONGEST_SHOWN]}\n… and {cut:,} characters more"


def _form(text: str) -> Any:
    fields: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        read = _document(value) if value[:1] in ("{", "[") else None
        fields.setdefault(name, []).append(value if read is None else read)
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()} or None


def _document(text: str) -> Any:
    """None for what is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
