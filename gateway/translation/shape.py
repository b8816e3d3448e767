"""The shape of a payload: which keys it has and what kind of value each holds, never the values themselves."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

MOST_PATHS = 400
DEEPEST = 8
MOST_ITEMS = 5
"""Items of an array that are looked at; its others are taken to be alike."""

ANY = "*"
"""Stands for keys that are data, like an id or an address: they would make every payload another shape."""

_NAME = re.compile(r"[A-Za-z_$][A-Za-z_$-]*[0-9]{0,2}[A-Za-z_]*", re.ASCII)
_LONGEST_NAME = 60
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "flag"),
    (str, "text"),
    ((int, Decimal), "number"),
    (Mapping, "object"),
    (list, "array"),
)


def paths(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """The paths of a payload's values, in order: `customer.email:text`, `items[].price:number`; at most MOST_PATHS.

    What is null or an empty object or array tells nothing of its kind and stands bare: `discount`.
    """
    found: set[str] = set()
    for path in _walk(payload, "", DEEPEST):
        found.add(path)
        if len(found) >= MOST_PATHS:
            break
    return tuple(sorted(found))


def fingerprint(of: tuple[str, ...]) -> str:
    """A short name, equal for equal paths."""
    return hashlib.sha256("\n".join(of).encode()).hexdigest()[:16]


def _walk(value: Any, path: str, deeper: int) -> Iterator[str]:
    if isinstance(value, Mapping) and value and deeper:
        for name, inner in value.items():
            yield from _walk(inner, f"{path}.{_named(name)}" if path else _named(name), deeper - 1)
    elif isinstance(value, list) and value and deeper:
        for inner in value[:MOST_ITEMS]:
            yield from _walk(inner, f"{path}[]", deeper - 1)
    elif path:
        yield path if value in (None, {}, []) else f"{path}:{_kind(value)}"


def _kind(value: object) -> str:
    return next(word for kind, word in _KINDS if isinstance(value, kind))


def _named(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) else ANY
