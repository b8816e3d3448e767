"""What was sold: the best name that one object and memory give, and how good it is.

Line items are in no webhook (https://docs.stripe.com/checkout/fulfillment), so a name is pieced together.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from gateway.events import MemoryKey
from gateway.translation.adapter import Memory

FALLBACK = "Stripe payment"

_LONGEST = 200
_METADATA_KEYS = ("product", "product_name")

_QUANTITY = re.compile(r"^\d+ \u00d7 ")
_PRICE = re.compile(r" \(at [^()]{1,60}\)$")
_PRORATION = re.compile(r"^(?:Remaining|Unused) time on (.+) after \d.*$")
_NO_NAMES = re.compile(r"^(?:Subscription (?:creation|update)|Payment for Invoice\b.*)$", re.IGNORECASE)


class Rank(IntEnum):
    """Where a name comes from; the higher is the better word."""

    NONE = 0
    DESCRIPTION = 1
    NICKNAME = 2
    LINE = 3
    LEARNT = 4
    METADATA = 5


class Name(NamedTuple):
    rank: Rank
    text: str


def best(*candidates: tuple[Rank, object]) -> Name:
    """The highest-ranking candidate that is a name; of equals the first."""
    names = [Name(rank, text) for rank, candidate in candidates if (text := cleaned(candidate))]
    return max(names, key=lambda name: name.rank, default=Name(Rank.NONE, FALLBACK))


def cleaned(text: object) -> str | None:
    """``1 \u00d7 Pro (at $49.99 / year)`` is Pro; "Subscription creation" and the like are no names."""
    if not isinstance(text, str):
        return None
    name = " ".join(text[:1000].split())
    if proration := _PRORATION.match(name):
        name = proration[1]
    name = _PRICE.sub("", _QUANTITY.sub("", name)).strip()
    return None if _NO_NAMES.match(name) else name[:_LONGEST].strip() or None


def in_metadata(metadata: Mapping[str, Any] | None) -> Iterator[tuple[Rank, object]]:
    """What the merchant wrote there on purpose."""
    for key in _METADATA_KEYS:
        yield Rank.METADATA, (metadata or {}).get(key)


def in_lines(lines: Sequence[Mapping[str, Any]], memory: Memory) -> Iterator[tuple[Rank, object]]:
    """Candidates from an invoice's lines: the first that costs something stands for all."""
    line = next((line for line in lines if (line["amount"] or 0) > 0), lines[0] if lines else None)
    if line is None:
        return
    yield from in_metadata(line["metadata"])
    details, price, plan = line["pricing"]["price_details"], line["price"], line["plan"]
    learnt_price = _recalled(memory, "price", details["price"] or price["id"])
    product = details["product"] or price["product"] or plan["product"] or learnt_price.get("product")
    yield Rank.LEARNT, _recalled(memory, "product", product).get("name")
    yield Rank.LINE, line["description"]
    for nickname in (price["nickname"], plan["nickname"], learnt_price.get("nickname")):
        yield Rank.NICKNAME, nickname


def _recalled(memory: Memory, kind: str, id_: str | None) -> Mapping[str, Any]:
    return (memory.recall(MemoryKey(kind, id_)) or {}) if id_ else {}
