"""Which fact a key names: keys that are told together name one fact from then on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.ledger.identity import new_id
from gateway.ledger.money.sale import Sale
from gateway.ledger.status import Closed


@dataclass
class FactGroup:
    """What is known of a fact besides its keys and events. `is_kept`: the ledger has a row of it."""

    id: str
    sale: Sale = field(default_factory=Sale)
    incident: str | None = None
    closed: str | None = None
    is_kept: bool = False
    is_changed: bool = False

    @property
    def is_erased(self) -> bool:
        return self.closed == Closed.ERASED

    @property
    def is_empty(self) -> bool:
        """Whether its keys say all that there is to be known of it."""
        return self.incident is None and self.closed is None and self.sale.is_empty

    def close_as(self, other: "FactGroup") -> None:
        """The two are one, so what closed one of them closes it."""
        met = {one.closed for one in (self, other)} - {None}
        self.closed = Closed.ERASED if Closed.ERASED in met else next(iter(met), None)


class Grouping:
    """The keys of a batch of webhooks and their groups, as they are known and as they meet."""

    def __init__(self, groups: Mapping[str, str], facts: Iterable[FactGroup]) -> None:
        self._group_of = dict(groups)
        self._facts = {one.id: one for one in facts}
        self._new_keys: dict[str, str] = {}
        self._moved: dict[str, str] = {}
        self._made: set[str] = set()

    def find(self, key: str) -> str | None:
        """The group of a key, None where nobody has told it yet."""
        group = self._group_of.get(key)
        return None if group is None else self.now(group)

    def now(self, group: str) -> str:
        """What has become of a group."""
        while group in self._moved:
            group = self._moved[group]
        return group

    def met(self, names: Sequence[str]) -> list[str]:
        """The groups that these keys have, each once."""
        return list(dict.fromkeys(group for key in names if (group := self.find(key)) is not None))

    def make(self) -> str:
        """A new group."""
        group = new_id("gr")
        self._made.add(group)
        return group

    def put(self, names: Iterable[str], group: str) -> None:
        """Those of these keys that had no group have this one from now on."""
        for key in names:
            if key not in self._group_of:
                self._group_of[key] = group
                self._new_keys[key] = group

    def unite(self, group: str, other: str) -> None:
        """The two are one; what is known of `other` is left to whoever puts it together."""
        self._moved[other] = group

    def fact(self, group: str) -> FactGroup:
        known = self._facts.get(group)
        if known is None:
            known = self._facts[group] = FactGroup(group)
        return known

    def new_keys(self) -> list[tuple[str, str]]:
        """Keys that nobody had told before, in order, with their groups."""
        return [(key, self.now(group)) for key, group in sorted(self._new_keys.items())]

    def moved(self) -> dict[str, str]:
        """Groups of the ledger that are part of another now."""
        return {former: self.now(former) for former in self._moved if former not in self._made}

    def changed(self) -> list[FactGroup]:
        """What is to be kept of facts, in the order of their names."""
        return [
            fact
            for group, fact in sorted(self._facts.items())
            if fact.is_changed and group not in self._moved and (fact.is_kept or not fact.is_empty)
        ]

    def gone(self) -> list[str]:
        """Groups of which nothing is to be kept any more."""
        return [group for group in sorted(self._moved) if group in self._facts and self._facts[group].is_kept]
