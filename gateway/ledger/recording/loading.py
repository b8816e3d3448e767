"""What is known before webhooks are recorded: read in a few statements for all of them, under the writer lock.

Whatever was translated with what memory held before is translated again here where that has changed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select, text

from gateway.events import Remembered
from gateway.ledger.event import EVENT_COLUMNS, Event
from gateway.ledger.facts import hashing
from gateway.ledger.facts.submission import Submission, TranslatedItem
from gateway.ledger.facts.tombstones import Tombstones
from gateway.ledger.money.sale import Sale
from gateway.ledger.recording.grouping import FactGroup, Grouping
from gateway.ledger.recording.working_memory import WorkingMemory, keys_of
from gateway.ledger.schema import events, groups, keys, memory, status_in, webhooks
from gateway.ledger.statements import Among, Prepared
from gateway.ledger.status import UNSENT

_OF_DESTINATION = bindparam("its_destination", type_=events.c.destination.type)
_EARLIER = Prepared(
    select(webhooks.c.source, webhooks.c.delivery_id, webhooks.c.id, webhooks.c.quarantined).where(
        Among(webhooks.c.delivery_id)
    )
)
_REMEMBERED = Prepared(
    select(memory.c.key, memory.c["values"], memory.c.at).where(
        memory.c.destination == _OF_DESTINATION, Among(memory.c.key)
    )
)
_GROUPS_OF_KEYS = Prepared(
    select(keys.c.key, keys.c.group).where(keys.c.destination == _OF_DESTINATION, Among(keys.c.key))
)
_EVENTS_OF_GROUPS = Prepared(select(*EVENT_COLUMNS).where(Among(events.c.group)).order_by(events.c.id))
_FACTS = Prepared(
    select(groups.c.id, groups.c.truth, groups.c.emitted, groups.c.heard_at, groups.c.incident, groups.c.closed).where(
        Among(groups.c.id)
    )
)
_WAITING_FOR = Prepared(
    select(*EVENT_COLUMNS).where(
        events.c.destination == _OF_DESTINATION,
        Among(events.c.waits_for),
    )
)
_NAMED_LATER = Prepared(
    select(*EVENT_COLUMNS).where(
        events.c.destination == _OF_DESTINATION,
        status_in(UNSENT),  # written as the partial index has it, so that it is used
        text("events.named_by IS NOT NULL"),
        Among(events.c.named_by),
        events.c.first_attempt_at.is_(None),
    )
)


class EarlierWebhook(NamedTuple):
    """A webhook that is kept already."""

    id: str
    quarantined: int


@dataclass
class Loaded:
    """What is known of a batch of webhooks; `translated_items` has each webhook's, None for those that are only
    repeated.

    `about_erased` are tellings (by `id`) of which something was left out, because it concerns a person who was erased.
    `waiting` are events that wait for what the batch teaches.
    """

    destination: str
    earlier: dict[tuple[str, str | None], EarlierWebhook]
    translated_items: list[list[TranslatedItem] | None]
    about_erased: set[int]
    memos: WorkingMemory
    grouping: Grouping
    events: list[Event]
    waiting: list[Event]
    salt: bytes | None


def load(connection: Connection, destination: str, submissions: Sequence[Submission]) -> Loaded:
    """Read everything that these webhooks of one destination can concern."""
    asked = {one.delivery_id for one in submissions if one.delivery_id is not None and one.existing_webhook is None}
    earlier: dict[tuple[str, str | None], EarlierWebhook] = {
        (source, delivery_id): EarlierWebhook(*rest)
        for source, delivery_id, *rest in _EARLIER.among(connection, sorted(asked))
    }
    salt = hashing.salt(connection)
    fresh = [one if _is_fresh(one, earlier) else None for one in submissions]
    reading = _Reading(connection, destination, salt)
    translated_items = reading.translated(fresh)
    grouping, known_events = _facts_of(connection, destination, salt, translated_items)
    return Loaded(
        destination=destination,
        earlier=earlier,
        translated_items=translated_items,
        about_erased=reading.about_erased,
        memos=reading.memos,
        grouping=grouping,
        events=known_events,
        waiting=_waiting(connection, destination, reading.memos),
        salt=salt,
    )


def _is_fresh(one: Submission, earlier: dict[tuple[str, str | None], EarlierWebhook]) -> bool:
    known = earlier.get((one.source, one.delivery_id))
    return one.existing_webhook is not None or known is None or known.quarantined > 0


class _Reading:
    """Memory and tombstones, and what webhooks say by them."""

    def __init__(self, connection: Connection, destination: str, salt: bytes | None) -> None:
        self._connection = connection
        self._destination = destination
        self._tombstones = Tombstones(connection, destination, salt)
        self.memos = WorkingMemory(self._read_memory)
        self.about_erased: set[int] = set()

    def translated(self, fresh: Sequence[Submission | None]) -> list[list[TranslatedItem] | None]:
        item = [one for submission in fresh if submission is not None for one in submission.translated_items]
        self.memos.prepare(key for one in item for key in keys_of(one))
        self._tombstones.read(item)
        return [
            None if one is None else [self._current(translated_item) for translated_item in one.translated_items]
            for one in fresh
        ]

    def _current(self, item: TranslatedItem) -> TranslatedItem:
        """The telling, translated again where the memory that it rests on has changed; then its lessons are learnt."""
        recall = self.memos.recall
        if item.again is not None and any(recall(key) != values for key, values in item.reads.items()):
            item = item.again(recall)
            self.memos.prepare(keys_of(item))
        spared = self._tombstones.without_the_erased(item, recall)
        if spared is not item:
            self.about_erased.add(id(spared))
        for memo in spared.memos:
            self.memos.learn(memo)
        return spared

    def _read_memory(self, asked: list[str]) -> dict[str, Remembered]:
        found = _REMEMBERED.among(self._connection, asked, its_destination=self._destination)
        return {key: (values, at) for key, values, at in found}


def _facts_of(
    connection: Connection,
    destination: str,
    salt: bytes | None,
    translated_items: Iterable[list[TranslatedItem] | None],
) -> tuple[Grouping, list[Event]]:
    """The groups of all keys that are told, and their events, the oldest first."""
    asked: dict[str, None] = {}
    for item in (one for some in translated_items for one in some or ()):
        for names in (*item.links, *(fact.keys for fact in item.events)):
            asked.update(dict.fromkeys(names))
        asked.update(dict.fromkeys(fact.once for fact in item.events if fact.once is not None))
    found: dict[str, str] = dict(_GROUPS_OF_KEYS.among(connection, list(asked), its_destination=destination))
    if salt is not None:
        found |= hashing.groups_of(connection, destination, [key for key in asked if key not in found])
    known = sorted(set(found.values()))
    facts = [
        FactGroup(group, Sale.from_columns(truth, emitted, heard_at), incident, closed, is_kept=True)
        for group, truth, emitted, heard_at, incident, closed in _FACTS.among(connection, known)
    ]
    return Grouping(found, facts), [Event.from_values(row) for row in _EVENTS_OF_GROUPS.among(connection, known)]


def _waiting(connection: Connection, destination: str, memos: WorkingMemory) -> list[Event]:
    """Events that wait to be told whose they are, or what their product is called, and are told so now."""
    emails, names = list(memos.named("email")), list(memos.named("name"))
    found = _WAITING_FOR.among(connection, emails, its_destination=destination)
    found += _NAMED_LATER.among(connection, names, its_destination=destination)
    return [Event.from_values(row) for row in found]
