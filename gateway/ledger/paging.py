"""Where a page of a list begins: a place that stands in URLs."""

from dataclasses import dataclass
from datetime import datetime

from gateway.ledger.schema import from_microseconds, to_microseconds


@dataclass(frozen=True, order=True)
class Place:
    """Where in a list: behind the row of this time and id. `str` of it stands in URLs."""

    at: datetime
    id: str

    def __str__(self) -> str:
        return f"{to_microseconds(self.at)}.{self.id}"

    @classmethod
    def read(cls, written: str | None) -> "Place | None":
        """None for what is no place."""
        at, dot, identity = (written or "").partition(".")
        if not dot or not at.isascii() or not at.isdigit() or len(at) > 17:
            return None
        return cls(from_microseconds(int(at)), identity[:40])
