"""What is handed to the ledger to be recorded: verified webhooks and what each of their source events became."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.events import LumailEvent, Memo
from gateway.ledger.facts.single_use import SingleUse
from gateway.ledger.status import Outcome
from gateway.privacy import PrivacyRequest


@dataclass(frozen=True)
class TranslatedItem:
    """What one source event became. `word` is what is known of that before it is recorded, so it is never merged.

    All keys and names of memory carry adapter and account, and names in sums are hashed.

    `reads` is what memory held for each key that the translation asked for; where that changed, `again` is called
    with what memory holds now, under the writer lock.
    """

    word: Outcome
    type: str
    events: tuple[LumailEvent, ...] = ()
    memos: tuple[Memo, ...] = ()
    links: tuple[tuple[str, ...], ...] = ()
    reason: str | None = None
    reads: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    again: "Callable[[Recall], TranslatedItem] | None" = None
    demand: PrivacyRequest | None = None


Recall = Callable[[str], Mapping[str, Any] | None]


@dataclass(frozen=True)
class Submission:
    """One verified webhook on its way into the ledger.

    `existing_webhook` names the webhook when one that is kept already is translated again.
    """

    source: str
    adapter: str
    destination: str
    delivery_id: str | None
    received_at: datetime
    url: str
    headers: Mapping[str, str]
    body: bytes
    secret: str | None
    translated_items: tuple[TranslatedItem, ...]
    existing_webhook: str | None = None
    single_use: SingleUse | None = None
    """Where the signature does not cover the body and is good for one event."""


@dataclass(frozen=True)
class Item:
    """What became of one source event; it is a duplicate where its webhook is. `events` are the new ones."""

    word: Outcome
    reason: str | None = None
    events: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recorded:
    """The receipt, before it is put into words; counts are of source events, `items` has one for each."""

    webhook: str
    duplicate: bool
    events: tuple[str, ...] = ()
    merged: int = 0
    taught: int = 0
    ignored: int = 0
    quarantined: int = 0
    items: tuple[Item, ...] = ()
    due_at: datetime | None = None
    """When the first of the new events is due; None where nothing is to be delivered."""

    @property
    def word(self) -> Outcome:
        """The whole in one word, the most telling first."""
        if self.quarantined:
            return Outcome.QUARANTINED
        if self.events:
            return Outcome.TRANSLATED
        if self.merged:
            return Outcome.MERGED
        if self.taught:
            return Outcome.TAUGHT
        return Outcome.IGNORED
