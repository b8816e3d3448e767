"""What one of Stripe's objects tells of a payment or a refund, before it is put into Lumail's words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.stripe import product

Ids = Mapping[str, str | None]
"""Kind and id of the objects that a telling concerns."""


@dataclass(frozen=True)
class Told:
    """`emails` are those that may be the buyer's, the best first; `amounts` is what an event's data says of money."""

    ids: Ids
    emails: Sequence[str | None]
    amounts: Mapping[str, Any]
    name: product.Name
