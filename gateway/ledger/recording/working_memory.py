"""What memory holds while webhooks are recorded: as it was read, and as they teach it one after the other."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gateway.events import Memo, Remembered, decode_data, encode_data, learnt
from gateway.ledger.event import Event, EventChange
from gateway.ledger.facts.submission import TranslatedItem
from gateway.ledger.status import Reason, Status


class WorkingMemory:
    """`read` asks the ledger for what is under these keys; each is asked for once."""

    def __init__(self, read: Callable[[list[str]], Mapping[str, Remembered]]) -> None:
        self._read = read
        self._known: dict[str, Remembered | None] = {}
        self._taught: set[str] = set()

    def prepare(self, keys: Iterable[str]) -> None:
        """Read what of these was not read yet, at once."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._known]
        if missing:
            self._known.update(dict.fromkeys(missing))
            self._known.update(self._read(missing))

    def recall(self, key: str) -> Mapping[str, Any] | None:
        """What is known under a key now, None where nothing is."""
        if key not in self._known:
            self.prepare([key])
        known = self._known[key]
        return None if known is None else known[0]

    def learn(self, memo: Memo) -> None:
        """Take a lesson in."""
        self.prepare([memo.key])
        known = self._known[memo.key]
        new = learnt(known, memo)
        if new != known:
            self._known[memo.key] = new
            self._taught.add(memo.key)

    def taught(self) -> dict[str, Remembered]:
        """What is to be remembered, by its key."""
        return {key: known for key in sorted(self._taught) if (known := self._known[key]) is not None}

    def named(self, name: str) -> dict[str, str]:
        """What was taught of this name (an `email`, a `name`), by the key that it belongs to."""
        return {key: values[name] for key, (values, _) in self.taught().items() if values.get(name)}


def keys_of(item: TranslatedItem) -> list[str]:
    """The memory keys that a translation rests on or teaches."""
    return [*item.reads, *(memo.key for memo in item.memos)]


def released(event: Event, email: str) -> EventChange:
    """What to set of an event that waited to be told whose it is; some wait for a better telling besides."""
    change: EventChange = {"subscriber": email, "waits_for": None}
    if event.release_at is None:
        return {**change, "status": Status.WAITING, "reason": None}
    return {**change, "reason": Reason.LINK_MISSING}


def renamed(event: Event, name: str) -> EventChange:
    """What to set of an event whose product has a better name now."""
    return {"data": encode_data({**decode_data(event.data), "product": name}), "named_by": None}
