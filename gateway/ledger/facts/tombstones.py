"""People who were erased: what happened to them before, told late, is left out; whoever comes anew is a new person."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from gateway.events import LumailEvent, Memo
from gateway.ledger import words
from gateway.ledger.facts import hashing
from gateway.ledger.facts.submission import Recall, TranslatedItem
from gateway.ledger.schema import tombstones
from gateway.ledger.statements import Among, Insert, Prepared
from gateway.ledger.status import Outcome, Reason

_FOUND = Prepared(
    select(tombstones.c.name, tombstones.c.at).where(
        tombstones.c.destination == bindparam("its_destination"), Among(tombstones.c.name)
    )
)
_ANY = Prepared(select(tombstones.c.name).limit(1))
_KNOWN_TO_BE_ANY = "any tombstones"
_RAISE = Insert(tombstones, ("destination", "name", "at"), replaced=("at",))


def person(address: str) -> str:
    return f"person:{address}"


def memo(memory_key: str) -> str:
    return f"memory:{memory_key}"


def put(connection: Connection, salt: bytes, destination: str, names: Iterable[str], at: datetime) -> None:
    """From now on these names (see `person`, `memo`) mean nobody who was known until `at`."""
    _RAISE.run(connection, [(destination, hashing.hashed(salt, name), at) for name in sorted(set(names))])


class Tombstones:
    """Those that concern one batch of webhooks."""

    def __init__(self, connection: Connection, destination: str, salt: bytes | None) -> None:
        self._connection = connection
        self._destination = destination
        self._salt = salt if salt is not None and _are_any(connection) else None
        self._at: dict[str, datetime | None] = {}

    def read(self, translated_items: Iterable[TranslatedItem]) -> None:
        """Look up at once what these tellings name; what is not read before is looked up when it is asked for."""
        if self._salt is not None:
            self._read({name for item in translated_items for name in _names(item)})

    def without_the_erased(self, item: TranslatedItem, recall: Recall) -> TranslatedItem:
        """The telling without what concerns people who were erased; ignored where nothing is left.

        `recall` tells what memory holds now under a key: a person who was taught anew is alive.
        """
        if self._salt is None or not (item.events or item.memos):
            return item
        self._read(set(_names(item)) - self._at.keys())
        facts = tuple(fact for fact in item.events if not self._is_erased(fact, recall))
        memos = tuple(one for one in item.memos if not self._is_forgotten(one))
        if (len(facts), len(memos)) == (len(item.events), len(item.memos)):
            return item
        if facts or memos:
            return replace(item, word=item.word if facts else Outcome.TAUGHT, events=facts, memos=memos)
        return replace(
            item, word=Outcome.IGNORED, events=(), memos=(), links=(), reason=words.of_reason(Reason.PERSON_ERASED)
        )

    def _is_erased(self, fact: LumailEvent, recall: Recall) -> bool:
        if fact.subscriber is not None:
            return self._lies(person(fact.subscriber), None if fact.undated else fact.occurred_at)
        if fact.waits_for is None or self._at[memo(fact.waits_for)] is None:
            return False
        return recall(fact.waits_for) is None

    def _is_forgotten(self, one: Memo) -> bool:
        address, at = one.values.get("email"), None if one.undated else one.at
        return self._lies(memo(one.key), at) or (isinstance(address, str) and self._lies(person(address), at))

    def _lies(self, name: str, at: datetime | None) -> bool:
        """What has no time may be from before."""
        until = self._at[name]
        return until is not None and (at is None or at <= until)

    def _read(self, names: set[str]) -> None:
        if self._salt is None:
            return
        plain = {hashing.hashed(self._salt, name): name for name in names}
        self._at.update(dict.fromkeys(names))
        found = _FOUND.among(self._connection, list(plain), its_destination=self._destination)
        self._at.update({plain[name]: at for name, at in found})


def _names(item: TranslatedItem) -> Sequence[str]:
    names = [person(fact.subscriber) for fact in item.events if fact.subscriber is not None]
    names += [memo(fact.waits_for) for fact in item.events if fact.subscriber is None and fact.waits_for is not None]
    for one in item.memos:
        names.append(memo(one.key))
        address = one.values.get("email")
        if isinstance(address, str):
            names.append(person(address))
    return names


def _are_any(connection: Connection) -> bool:
    """Whether anybody was ever erased; as long as nobody was nothing needs to be looked up."""
    if not connection.info.get(_KNOWN_TO_BE_ANY):
        connection.info[_KNOWN_TO_BE_ANY] = bool(_ANY.rows(connection))
    return bool(connection.info[_KNOWN_TO_BE_ANY])
