"""What is known of one sale's money while webhooks about it are recorded, and who writes the events that follow."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol, Self

from gateway.events import LumailEvent
from gateway.ledger.event import Event, EventChange
from gateway.ledger.money.sums import Sums


@dataclass(frozen=True)
class NewEvent:
    """An event that is to be made of a telling of the fact `group`; `columns` are those besides the fact's own."""

    fact: LumailEvent
    group: str
    columns: EventChange = field(default_factory=EventChange)
    balance: str | None = None


class EventWriter(Protocol):
    """Who makes and changes the events of a batch of webhooks."""

    @property
    def reporter(self) -> str:
        """The webhook that is being recorded."""

    @property
    def is_same_webhook(self) -> bool:
        """Whether that was recorded before, and is translated anew."""

    def add(self, new: NewEvent) -> Event:
        """Make an event of the webhook that is being recorded."""

    def change(self, event: Event, change: EventChange) -> Event:
        """Set columns of an event that nobody has sent; returns it as it is now."""

    def is_repeated(self, event: Event) -> bool:
        """Whether what is being recorded is a second translation of the webhook that made the event."""

    def of_group(self, group: str) -> Sequence[Event]:
        """The events of a fact as they are now, in the order in which they were made."""


@dataclass
class Sale:
    """A group's sums, with what is known of events that are not kept any more, and of what was shown already.

    `kept` are amounts by book and currency, `shown` the excess by book.
    """

    sums: Sums = field(default_factory=Sums)
    kept: dict[str, dict[str, str]] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)
    heard_at: datetime | None = None

    @classmethod
    def from_columns(
        cls, truth: Mapping[str, Any] | None, emitted: Mapping[str, Any] | None, heard_at: datetime | None
    ) -> Self:
        told = emitted or {}
        sums = Sums() if truth is None else Sums.from_json(truth)
        return cls(sums, told.get("kept", {}), told.get("shown", {}), heard_at)

    @property
    def is_empty(self) -> bool:
        return self.sums.is_empty and not self.kept

    def emitted(self, balance: str, currency: str, among: Iterable[Event]) -> Decimal:
        """What Lumail was told, or is to be told, of a book."""
        counted = (
            event.amount
            for event in among
            if event.amount is not None and event.currency == currency and (event.is_live or event.is_closed)
        )
        return sum(counted, Decimal(self.kept.get(balance, {}).get(currency, "0")))

    def hear(self, now: datetime) -> None:
        """Note since when a payment is told by nobody who makes one."""
        if not self.sums.is_heard_only:
            self.heard_at = None
        elif self.heard_at is None:
            self.heard_at = now

    def take_over(self, other: "Sale") -> None:
        """The two sales are one."""
        self.sums.merge(other.sums)
        for balance, amounts in other.kept.items():
            mine = self.kept.setdefault(balance, {})
            for currency, amount in amounts.items():
                mine[currency] = str(Decimal(mine.get(currency, "0")) + Decimal(amount))
        self.shown = {**other.shown, **self.shown}
        self.heard_at = min((at for at in (self.heard_at, other.heard_at) if at is not None), default=None)
        if not self.sums.is_heard_only:
            self.heard_at = None

    def emitted_as_json(self) -> dict[str, Any]:
        return {"kept": self.kept, "shown": self.shown}
