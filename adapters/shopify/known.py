"""What memory has of a shop's customers and orders, and whose something therefore is."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from gateway.errors import PayloadError
from gateway.events import MemoryKey
from gateway.translation import moment, person
from gateway.translation.adapter import Memory

_GID = re.compile(r"gid://shopify/Customer/(\d+)", re.ASCII)
_MERGES = 5  # one after the other: more of them are no chain but a mistake


def recalled(memory: Memory, kind: str, id_: str | None) -> Mapping[str, Any]:
    return (memory.recall(MemoryKey(kind, id_)) or {}) if id_ else {}


def customer_id(gid: str) -> str:
    """``gid://shopify/Customer/17`` is customer 17, as other topics call him. Raises PayloadError."""
    found = _GID.fullmatch(gid)
    if found is None:
        raise PayloadError("not the id of a customer")
    return found[1]


def customer_email(memory: Memory, id_: str | None) -> str | None:
    """The customer's address, or that of the customer into which it was merged."""
    for _ in range(_MERGES):
        customer = recalled(memory, "customer", id_)
        if customer.get("email") or not customer.get("into"):
            return customer.get("email")
        id_ = customer["into"]
    return None


def whose_order(
    memory: Memory, order: str, customer: str | None, emails: Iterable[str | None] = ()
) -> tuple[str | None, MemoryKey]:
    """Who bought an order, and the memory that will tell where nobody has told yet."""
    before = recalled(memory, "order", order)
    customer = customer or before.get("customer")
    address = person.first_email(*emails, before.get("email"), customer_email(memory, customer))
    return address, MemoryKey("customer", customer) if customer else MemoryKey("order", order)


def time(text: str | None, otherwise: datetime) -> datetime:
    """An ISO 8601 time of a payload. Raises PayloadError."""
    return moment.from_iso(text) if text else otherwise
