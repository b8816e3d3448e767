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
    CONFIGURED = 6


class Name(NamedTuple):
    """`learn_from` is the memory that may yet teach a better one."""

    rank: Rank
    text: str
    learn_from: MemoryKey | None = None


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


def configured(names: Mapping[str, str], *ids: str | None) -> Iterator[tuple[Rank, object]]:
    """What the source's `product_names` says of a payment link, a price or a product."""
    for id_ in ids:
        if id_ is not None and id_ in names:
            yield Rank.CONFIGURED, names[id_]


def of_line(line: Mapping[str, Any], names: Mapping[str, str], memory: Memory) -> Iterator[tuple[Rank, object]]:
    """Candidates from a line of an invoice."""
    yield from in_metadata(line["metadata"])
    details, price, plan = line["pricing"]["price_details"], line["price"], line["plan"]
    price_id = details["price"] or price["id"] or plan["id"]
    learnt_price = _recalled(memory, "price", price_id)
    product = product_of(line, memory)
    yield from configured(names, price_id, product)
    yield Rank.LEARNT, _recalled(memory, "product", product).get("name")
    yield Rank.LINE, line["description"]
    for nickname in (price["nickname"], plan["nickname"], learnt_price.get("nickname")):
        yield Rank.NICKNAME, nickname


def product_of(line: Mapping[str, Any], memory: Memory) -> str | None:
    """The id of what a line sells, as far as the line and memory tell it."""
    details, price, plan = line["pricing"]["price_details"], line["price"], line["plan"]
    learnt_price = _recalled(memory, "price", details["price"] or price["id"] or plan["id"])
    found: str | None = details["product"] or price["product"] or plan["product"] or learnt_price.get("product")
    return found


def standing_for(lines: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The line that stands for all: the first that costs something."""
    return next((line for line in lines if (line["amount"] or 0) > 0), lines[0] if lines else None)


def _recalled(memory: Memory, kind: str, id_: str | None) -> Mapping[str, Any]:
    return (memory.recall(MemoryKey(kind, id_)) or {}) if id_ else {}
