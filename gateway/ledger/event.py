"""An event as the ledger has it, and what is changed of one: the only forms in which it goes about."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Self, TypedDict

from gateway.events import EventType, Lane
from gateway.ledger.schema import events
from gateway.ledger.status import LIVE, UNSENT, is_final


@dataclass(frozen=True, slots=True)
class Event:
    """A row of `events`; the columns are described in the schema.

    `amount` is a Decimal here, and text there. What has a default is what an event begins its life with.
    """

    id: str
    webhook: str
    source: str
    destination: str
    type: EventType
    subscriber: str | None
    data: str
    occurred_at: datetime
    lane: Lane
    status: str
    reason: str | None
    due_at: datetime
    group: str
    created_at: datetime
    detail_rank: int = 0
    held_at: datetime | None = None
    expires_at: datetime | None = None
    waits_for: str | None = None
    named_by: str | None = None
    balance: str | None = None
    provider_object: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    after: str | None = None
    release_at: datetime | None = None
    settled_at: datetime | None = None
    tries: int = 0
    reason_detail: str | None = None
    former_reason: str | None = None
    first_attempt_at: datetime | None = None
    clock_offset_ms: int | None = None
    attempt: str | None = None
    step: str = "post"
    unconfirmed_at: datetime | None = None
    reads: int = 0
    read_cursor: str | None = None
    candidates: list[str] | None = None
    found_by_read: bool = False
    edited_at: datetime | None = None
    lumail_event_id: str | None = None
    last_error: str | None = None

    @classmethod
    def from_row(cls, row: Mapping[Any, Any]) -> Self:
        """The event of a row that has all columns."""
        return cls.from_values([row[name] for name in COLUMNS])

    @classmethod
    def from_values(cls, values: Any) -> Self:
        """The event of a row's values, in the order of `COLUMNS`."""
        made = list(values)
        made[_TYPE], made[_LANE] = EventType(made[_TYPE]), Lane(made[_LANE])
        if made[_AMOUNT] is not None:
            made[_AMOUNT] = Decimal(made[_AMOUNT])
        return cls(*made)

    @property
    def is_unattempted(self) -> bool:
        """Whether Lumail surely has heard nothing of it, and it may still be changed."""
        return self._is_unsent and self.edited_at is None

    @property
    def is_written(self) -> bool:
        """Whether Lumail has heard nothing of it, and it says what a person wants it to say: no webhook changes it."""
        return self._is_unsent and self.edited_at is not None

    @property
    def _is_unsent(self) -> bool:
        return self.first_attempt_at is None and self.status in UNSENT

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def is_sent(self) -> bool:
        """Whether Lumail has it, may have it, or gets it as a person wrote it."""
        return self.is_live and not self.is_unattempted

    @property
    def is_closed(self) -> bool:
        """Whether somebody or something decided that its fact is never told again."""
        return is_final(self.status, self.reason, self.former_reason)

    @property
    def recipient(self) -> str:
        """Whom it is for: nobody as long as that is not known, and then it is not due."""
        return self.subscriber or ""

    @property
    def why(self) -> tuple[str | None, str | None, str | None]:
        """The code of its reason, the detail, and the code of the reason before."""
        return self.reason, self.reason_detail, self.former_reason

    @property
    def rank_of_staying(self) -> tuple[bool, bool, bool, bool, int]:
        """Of several events for one fact the highest stays."""
        is_gone = self.first_attempt_at is not None
        return (is_gone, self.is_sent, self.release_at is None, self.subscriber is not None, self.detail_rank)


COLUMNS = tuple(one.name for one in fields(Event))
"""The columns of `events`, in the order of an Event's fields."""

EVENT_COLUMNS = tuple(events.c[name] for name in COLUMNS)
"""What a query selects that makes Events of its rows."""

_TYPE, _LANE, _AMOUNT = (COLUMNS.index(name) for name in ("type", "lane", "amount"))


class EventChange(TypedDict, total=False):
    """Columns to set of an event; what is not there stays as it is."""

    type: EventType
    subscriber: str | None
    data: str
    occurred_at: datetime
    lane: Lane
    status: str
    reason: str | None
    reason_detail: str | None
    former_reason: str | None
    due_at: datetime
    group: str
    detail_rank: int
    held_at: datetime | None
    expires_at: datetime | None
    waits_for: str | None
    named_by: str | None
    provider_object: str | None
    amount: Decimal | None
    currency: str | None
    after: str | None
    release_at: datetime | None
    settled_at: datetime | None
    tries: int
    first_attempt_at: datetime | None
    attempt: str | None
    step: str
    unconfirmed_at: datetime | None
    reads: int
    read_cursor: str | None
    candidates: list[str] | None
    found_by_read: bool
    edited_at: datetime | None
    lumail_event_id: str | None
    last_error: str | None


def differing(event: Event, change: EventChange) -> EventChange:
    """What of a change is not so already."""
    left = change.copy()
    for name, value in change.items():
        if getattr(event, name) == value:
            del left[name]  # type: ignore[misc]  # a name of the change's own
    return left


def stored(values: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of an event as the table takes them."""
    amount = values.get("amount")
    return {**values, "amount": str(amount)} if amount is not None else dict(values)
