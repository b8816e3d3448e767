"""People who were erased: what happened to them before, told late, is left out; whoever comes anew is a new person."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway.ledger import words
from gateway.ledger.facts import hashing
from gateway.ledger.facts.submission import Recall, SubmittedEvent, SubmittedMemo, TranslatedItem
from gateway.ledger.schema import tombstones
from gateway.ledger.status import Reason

_CHUNK = 500
_ASKED: BindParameter[Any] = bindparam("asked", expanding=True)
_FOUND = select(tombstones.c.name, tombstones.c.at).where(
    tombstones.c.destination == bindparam("its_destination"), tombstones.c.name.in_(_ASKED)
)
_ANY = select(tombstones.c.name).limit(1)
_KNOWN_TO_BE_ANY = "any tombstones"


def _upsert(insert_into: Any) -> Any:
    upsert = insert_into(tombstones)
    return upsert.on_conflict_do_update(index_elements=["destination", "name"], set_={"at": upsert.excluded["at"]})


_RAISE = {"sqlite": _upsert(sqlite_insert), "postgresql": _upsert(postgresql_insert)}


def person(address: str) -> str:
    return f"person:{address}"


def memo(memory_key: str) -> str:
    return f"memory:{memory_key}"


def put(connection: Connection, salt: bytes, destination: str, names: Iterable[str], at: datetime) -> None:
    """From now on these names (see `person`, `memo`) mean nobody who was known until `at`."""
    rows = [{"destination": destination, "name": hashing.hashed(salt, name), "at": at} for name in sorted(set(names))]
    if rows:
        connection.execute(_RAISE[connection.dialect.name], rows)


class Tombstones:
    """Those that concern one batch of webhooks."""

    def __init__(self, connection: Connection, destination: str) -> None:
        self._connection = connection
        self._destination = destination
        self._salt = _salt_if_any(connection)
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
            return replace(item, word=item.word if facts else "taught", events=facts, memos=memos)
        return replace(
            item, word="ignored", events=(), memos=(), links=(), reason=words.of_reason(Reason.PERSON_ERASED)
        )

    def _is_erased(self, fact: SubmittedEvent, recall: Recall) -> bool:
        if fact.subscriber is not None:
            return self._lies(person(fact.subscriber), None if fact.undated else fact.occurred_at)
        if fact.waits_for is None or self._at[memo(fact.waits_for)] is None:
            return False
        return recall(fact.waits_for) is None

    def _is_forgotten(self, one: SubmittedMemo) -> bool:
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
        ordered = sorted(plain)
        for start in range(0, len(ordered), _CHUNK):
            asking = {"its_destination": self._destination, "asked": ordered[start : start + _CHUNK]}
            self._at.update({plain[row.name]: row.at for row in self._connection.execute(_FOUND, asking)})


def _names(item: TranslatedItem) -> Sequence[str]:
    names = [person(fact.subscriber) for fact in item.events if fact.subscriber is not None]
    names += [memo(fact.waits_for) for fact in item.events if fact.subscriber is None and fact.waits_for is not None]
    for one in item.memos:
        names.append(memo(one.key))
        address = one.values.get("email")
        if isinstance(address, str):
            names.append(person(address))
    return names


def _salt_if_any(connection: Connection) -> bytes | None:
    """The salt; None as long as nobody was ever erased, so that nothing needs to be looked up."""
    its_salt = hashing.salt(connection)
    if its_salt is None or connection.info.get(_KNOWN_TO_BE_ANY):
        return its_salt
    if connection.execute(_ANY).first() is None:
        return None
    connection.info[_KNOWN_TO_BE_ANY] = True
    return its_salt
