"""What is handed to the ledger to be recorded: verified webhooks and what each of their source events became."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gateway.events import EventType, Lane, Sum
from gateway.ledger.facts.single_use import SingleUse
from gateway.ledger.jobs import privacy_requests


@dataclass(frozen=True)
class SubmittedEvent:
    """One event as the ledger takes it: keys and the memory key carry adapter and account, data is JSON text.

    `once` is a key that it shares with the events beside which it counts once. It joins a fact that is not known by
    its own keys, and never makes one fact of two.
    `sum` is what it says of a sale's money (its names hashed); where it is there, `data` is as if this were all that
    is told. `makes` False: it only teaches what is true, and makes no event.
    `named_by` is the memory key that may teach a better name of the product until the event leaves.
    `currencies` is the destination's own, and what becomes of money in another: hold or drop.
    """

    type: EventType
    subscriber: str | None
    data: str
    occurred_at: datetime
    lane: Lane
    keys: tuple[str, ...]
    waits_for: str | None
    detail_rank: int
    settle: timedelta
    expires_at: datetime | None = None
    once: str | None = None
    sum: Sum | None = None
    makes: bool = True
    named_by: str | None = None
    currencies: tuple[str, str] | None = None


@dataclass(frozen=True)
class SubmittedMemo:
    """Values to remember under a key; what is known from a later time is not overwritten."""

    key: str
    values: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True)
class TranslatedItem:
    """What one source event became. `word` is translated, taught, ignored or quarantined.

    `reads` is what memory held for each key that the translation asked for; where that changed, `again` is called
    with what memory holds now, under the writer lock.
    """

    word: str
    type: str
    events: tuple[SubmittedEvent, ...] = ()
    memos: tuple[SubmittedMemo, ...] = ()
    links: tuple[tuple[str, ...], ...] = ()
    reason: str | None = None
    reads: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    again: "Callable[[Recall], TranslatedItem] | None" = None
    demand: privacy_requests.Demand | None = None


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
    """What became of one source event: translated, merged, taught, ignored or quarantined; duplicate where its
    webhook is. `events` are the new ones.
    """

    word: str
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
    def word(self) -> str:
        """The whole in one word, the most telling first."""
        if self.quarantined:
            return "quarantined"
        if self.events:
            return "translated"
        if self.merged:
            return "merged"
        if self.taught:
            return "taught"
        return "ignored"
