"""What is known of a fact that is told again: the events that told it, and how far each has come."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal

from gateway.ledger.status import LIVE, UNSENT, is_final


@dataclass
class KnownEvent:
    """An event of a group, as far as another telling can concern it. `new`: it is made by these very tellings."""

    id: str
    type: str
    status: str
    reason: str | None
    former_reason: str | None
    detail_rank: int
    first_attempt_at: datetime | None
    subscriber: str | None
    lane: int
    data: str
    occurred_at: datetime
    waits_for: str | None
    balance: str | None
    provider_object: str | None
    amount: Decimal | None
    currency: str | None
    after: str | None
    release_at: datetime | None
    webhook: str
    edited_at: datetime | None
    new: bool = False

    @property
    def is_unattempted(self) -> bool:
        """Whether Lumail surely has heard nothing of it, and it may still be changed."""
        return self._is_unsent and self.edited_at is None

    @property
    def is_written(self) -> bool:
        """Whether Lumail has heard nothing of it, and it says what a person wants it to say: no telling changes it."""
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
    def rank_of_staying(self) -> tuple[bool, bool, bool, bool, int]:
        """Of several events for one fact the highest stays."""
        is_gone = self.first_attempt_at is not None
        return (is_gone, self.is_sent, self.release_at is None, self.subscriber is not None, self.detail_rank)


COLUMNS: Sequence[str] = tuple(one.name for one in fields(KnownEvent) if one.name != "new")
"""What of the table `events` is read for it."""
