"""A provider's words beside what they mean: the words go to the gateway, by the meaning it is judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

BEGIN = datetime(2026, 9, 1, tzinfo=UTC)
"""When lives begin. Long enough ago that Lumail's clock, which is the true one, is later than all of them."""


def moment(at: float) -> datetime:
    return BEGIN + timedelta(seconds=at)


@dataclass(frozen=True)
class Paid:
    """That money came: `column` is what it is counted under (a bill, a session, an intent), `unit` its id there."""

    column: str
    unit: str
    amount: int
    currency: str


@dataclass(frozen=True)
class Snapshot:
    """A charge as it was: what had been refunded by then, in all; `listed` are refunds that it holds, as then known.

    `released` is what of `refunded` was never captured.
    """

    charge: str
    at: int
    amount: int
    captured: int
    refunded: int
    currency: str
    released: int = 0
    listed: tuple["Returned", ...] = ()


@dataclass(frozen=True)
class Returned:
    """One refund as it was at a time. `charge` is None where it is told by itself without one."""

    charge: str
    refund: str
    amount: int
    created: int
    status: str
    at: int
    currency: str


@dataclass(frozen=True)
class Disputed:
    """A dispute about a charge, in its provider's word."""

    charge: str
    id: str
    amount: int
    status: str
    at: int


@dataclass(frozen=True)
class Asked:
    """What an order of a shop came to, what of it was owed still, and its status."""

    status: str
    total: int
    outstanding: int
    cards: int = 0
    """What of `total` buys gift cards."""


@dataclass(frozen=True)
class MovedBack:
    """A shop's transaction of a refund, in the shopper's minor units, as it was told."""

    transaction: int
    amount: int
    status: str


@dataclass(frozen=True)
class Told:
    """An event of a provider: `type` and `body` are its words; the rest is what it says.

    `names` are ids of one sale that it ties together, `email` and `customer` whom it names.
    `sale` is the position of the sale in the life, None where it is about a person.
    """

    type: str
    at: int
    body: Mapping[str, Any]
    sale: int | None = None
    names: frozenset[str] = frozenset()
    email: str | None = None
    customer: str | None = None
    says: tuple[Paid | Snapshot | Returned | Disputed | Asked | MovedBack, ...] = ()
    hints: frozenset[str] = field(default=frozenset())
    """What it lets one guess without proof, such as that an intent is not a sale by itself."""
