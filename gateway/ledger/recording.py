"""How verified webhooks enter the ledger: what each told, merged with what is known, in a few statements a group."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Connection, Insert, Table, bindparam, case, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway.events import EventType, Lane
from gateway.ledger import demands, incidents, lines
from gateway.ledger.doubt import ANSWER_LOST
from gateway.ledger.expiry import EXPIRED, HELD_TOO_LONG
from gateway.ledger.identity import new_id
from gateway.ledger.leases import wake
from gateway.ledger.schema import events, keys, memory, webhooks
from gateway.ledger.superseding import SUPERSEDED

CHUNK = 500
"""How many values stand in one IN list."""

LIVE = frozenset({"waiting", "delivering", "unknown", "held", "delivered"})
"""Statuses of an event that keep its fact from being told again."""

FINAL_REASONS = frozenset({"cancelled", EXPIRED, "erased", f"{HELD_TOO_LONG}: {ANSWER_LOST}"})
"""Reasons of a dropped event that keep its fact from ever being told again."""


@dataclass(frozen=True)
class Fact:
    """One event as the ledger takes it: keys and the memory key carry adapter and account, data is JSON text.

    `once` is a key that it shares with the events beside which it counts once. It joins a fact that is not known by
    its own keys, and never makes one fact of two.
    """

    type: EventType
    subscriber: str | None
    data: str
    occurred_at: datetime
    lane: Lane
    keys: tuple[str, ...]
    waits_for: str | None
    richness: int
    settle: timedelta
    expires_at: datetime | None = None
    once: str | None = None


@dataclass(frozen=True)
class Lesson:
    """Values to remember under a key; what is known from a later time is not overwritten."""

    key: str
    values: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True)
class Telling:
    """What one source event became. `word` is translated, taught, ignored or quarantined.

    `reads` is what memory held for each key that the translation asked for; where that changed, `again` is called
    with what memory holds now, under the writer lock.
    """

    word: str
    type: str
    facts: tuple[Fact, ...] = ()
    lessons: tuple[Lesson, ...] = ()
    links: tuple[tuple[str, ...], ...] = ()
    reason: str | None = None
    reads: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    again: "Callable[[Recall], Telling] | None" = None
    demand: demands.Demand | None = None


Recall = Callable[[str], Mapping[str, Any] | None]


@dataclass(frozen=True)
class Submission:
    """One verified webhook on its way into the ledger.

    `known_as` names the webhook when one that is kept already is translated again.
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
    tellings: tuple[Telling, ...]
    known_as: str | None = None


@dataclass(frozen=True)
class Item:
    """What became of one source event: translated, merged, taught, ignored or quarantined; duplicate where its
    webhook is.
    """

    word: str
    reason: str | None = None


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


def record(connection: Connection, submissions: Sequence[Submission], now: datetime) -> list[Recorded]:
    """Record webhooks of one destination, in order, under its writer lock. Any error leaves nothing of them."""
    book = _Book(connection, submissions[0].destination, now)
    return book.take(submissions)


def quarantined_whole(submission: Submission, reason: str) -> Submission:
    """The same webhook, kept but not translated, because recording it failed."""
    return replace(submission, tellings=(Telling("quarantined", "", reason=reason),))


@dataclass
class _Known:
    """An event of a group, as far as merging needs it."""

    id: str
    type: str
    status: str
    reason: str | None
    richness: int
    first_attempt_at: datetime | None
    subscriber: str | None
    lane: int
    new: bool = False


# Built once: SQLAlchemy takes longer to put a statement together than SQLite to carry it out.
_ASKED: BindParameter[Any] = bindparam("asked", expanding=True)
_OF_DESTINATION: BindParameter[Any] = bindparam("its_destination")
_EARLIER = select(webhooks.c.id, webhooks.c.source, webhooks.c.delivery_id, webhooks.c.quarantined).where(
    webhooks.c.delivery_id.in_(_ASKED)
)
_REMEMBERED = select(memory).where(memory.c.destination == _OF_DESTINATION, memory.c.key.in_(_ASKED))
_GROUPS_OF_KEYS = select(keys.c.key, keys.c.group).where(keys.c.destination == _OF_DESTINATION, keys.c.key.in_(_ASKED))
_EVENTS_OF_GROUPS = (
    select(*(events.c[name] for name in (*_Known.__dataclass_fields__, "group") if name != "new"))
    .where(events.c.group.in_(_ASKED))
    .order_by(events.c.id)
)
_ADD_WEBHOOKS = insert(webhooks)
_ADD_EVENTS = insert(events)
_ADD_KEYS = {
    "sqlite": sqlite_insert(keys).on_conflict_do_nothing(),
    "postgresql": postgresql_insert(keys).on_conflict_do_nothing(),
}


def _upsert_of_memory(insert_into: Callable[[Table], Any]) -> Insert:
    upsert: Any = insert_into(memory)
    made: Insert = upsert.on_conflict_do_update(
        index_elements=["destination", "key"],
        set_={"values": upsert.excluded["values"], "at": upsert.excluded["at"]},
    )
    return made


_REMEMBER = {
    "sqlite": _upsert_of_memory(sqlite_insert),
    "postgresql": _upsert_of_memory(postgresql_insert),
}
_WAITING_FOR = select(events.c.id, events.c.waits_for, events.c.lane).where(
    events.c.destination == _OF_DESTINATION, events.c.waits_for.in_(_ASKED), events.c.status == "held"
)


class _Book:
    """The work of one group of webhooks: reads first, decides in memory, writes last."""

    def __init__(self, connection: Connection, destination: str, now: datetime) -> None:
        self._connection = connection
        self._destination = destination
        self._now = now
        self._memory: dict[str, tuple[Mapping[str, Any], datetime] | None] = {}
        self._taught: set[str] = set()
        self._group_of: dict[str, str | None] = {}
        self._groups: dict[str, list[_Known]] = {}
        self._new_keys: dict[str, str] = {}
        self._new_events: dict[str, dict[str, Any]] = {}
        self._lines: set[tuple[int, str]] = set()
        self._touched = False

    def take(self, submissions: Sequence[Submission]) -> list[Recorded]:
        earlier = self._earlier(submissions)
        fresh = [one for one in submissions if self._is_fresh(one, earlier)]
        self._read_memory(key for one in fresh for told in one.tellings for key in _memory_keys(told))
        tellings = {id(one): [self._current(told) for told in one.tellings] for one in fresh}
        facts = [fact for told in tellings.values() for one in told for fact in one.facts]
        links = [link for told in tellings.values() for one in told for link in one.links]
        once = {fact.once for fact in facts if fact.once is not None}
        self._read_keys(once | {key for fact in facts for key in fact.keys} | {key for link in links for key in link})

        receipts: list[Recorded] = []
        rows: list[dict[str, Any]] = []
        for one in submissions:
            known = earlier.get((one.source, one.delivery_id)) if one.known_as is None else None
            if known is not None and not known["quarantined"]:
                items = (Item("duplicate"),) * len(one.tellings)
                receipts.append(Recorded(known["id"], duplicate=True, items=items))
                continue
            receipt, notes = self._record_one(one, tellings[id(one)], known)
            receipts.append(receipt)
            row = _row(one, receipt, notes)
            if one.known_as is not None or known is not None:
                self._connection.execute(update(webhooks).where(webhooks.c.id == receipt.webhook).values(_outcome(row)))
            else:
                rows.append(row)
                if one.delivery_id is not None:
                    earlier[one.source, one.delivery_id] = row
        self._write(rows)
        return receipts

    # What is known already

    def _earlier(self, submissions: Sequence[Submission]) -> dict[tuple[str, str | None], Mapping[str, Any]]:
        asked = {one.delivery_id for one in submissions if one.delivery_id is not None and one.known_as is None}
        found: dict[tuple[str, str | None], Mapping[str, Any]] = {}
        for chunk in _chunks(asked):
            for row in self._connection.execute(_EARLIER, {"asked": chunk}).mappings():
                found[row["source"], row["delivery_id"]] = dict(row)
        return found

    def _is_fresh(self, one: Submission, earlier: Mapping[tuple[str, str | None], Mapping[str, Any]]) -> bool:
        known = earlier.get((one.source, one.delivery_id))
        return one.known_as is not None or known is None or known["quarantined"] > 0

    def _read_memory(self, asked: Iterable[str]) -> None:
        missing = {key for key in asked if key not in self._memory}
        for key in missing:
            self._memory[key] = None
        for chunk in _chunks(missing):
            for row in self._connection.execute(_REMEMBERED, self._asking(chunk)).mappings():
                self._memory[row["key"]] = (row["values"], row["at"])

    def _recall(self, key: str) -> Mapping[str, Any] | None:
        self._read_memory([key])
        known = self._memory[key]
        return None if known is None else known[0]

    def _current(self, told: Telling) -> Telling:
        """The telling, translated again where the memory that it rests on has changed; then its lessons are learnt."""
        if told.again is not None and any(self._recall(key) != values for key, values in told.reads.items()):
            told = told.again(self._recall)
            self._read_memory(_memory_keys(told))
        for lesson in told.lessons:
            self._learn(lesson)
        return told

    def _learn(self, lesson: Lesson) -> None:
        known = self._memory.get(lesson.key)
        if known is None:
            self._memory[lesson.key] = (dict(lesson.values), lesson.at)
        elif lesson.at >= known[1]:
            self._memory[lesson.key] = ({**known[0], **lesson.values}, lesson.at)
        else:
            self._memory[lesson.key] = ({**lesson.values, **known[0]}, known[1])
        if self._memory[lesson.key] != known:
            self._taught.add(lesson.key)

    def _read_keys(self, asked: set[str]) -> None:
        for key in asked:
            self._group_of[key] = None
        for chunk in _chunks(asked):
            for key, group in self._connection.execute(_GROUPS_OF_KEYS, self._asking(chunk)):
                self._group_of[key] = group
        self._read_groups({group for group in self._group_of.values() if group is not None})

    def _read_groups(self, asked: set[str]) -> None:
        for group in asked:
            self._groups[group] = []
        for chunk in _chunks(asked):
            for row in self._connection.execute(_EVENTS_OF_GROUPS, {"asked": chunk}).mappings():
                self._groups[row["group"]].append(
                    _Known(**{name: value for name, value in row.items() if name != "group"})
                )

    def _asking(self, chunk: list[str]) -> dict[str, Any]:
        return {"its_destination": self._destination, "asked": chunk}

    # What follows from it

    def _record_one(
        self, one: Submission, tellings: Sequence[Telling], known: Mapping[str, Any] | None
    ) -> tuple[Recorded, list[dict[str, Any]]]:
        webhook = one.known_as or (known["id"] if known is not None else new_id("wh"))
        made: list[str] = []
        counts = {"merged": 0, "taught": 0, "ignored": 0, "quarantined": 0}
        notes: list[dict[str, Any]] = []
        items: list[Item] = []
        for position, told in enumerate(tellings):
            for link in told.links:
                self._group_for(link)
            if told.demand is not None:
                origin = demands.Origin(f"source {one.source}", one.source, webhook)
                demands.note(self._connection, told.demand, origin, self._now)
            new = [event for fact in told.facts if (event := self._tell(one, webhook, fact)) is not None]
            made.extend(new)
            word = _counted_as(told, new)
            if word is not None:
                counts[word] += 1
            items.append(Item(word or "translated", told.reason))
            if told.reason is not None:
                notes.append({"position": position, "type": told.type[:80], "word": told.word, "reason": told.reason})
        due = [self._new_events[event]["due_at"] for event in made if self._new_events[event]["status"] == "waiting"]
        receipt = Recorded(
            webhook, known is not None, tuple(made), **counts, items=tuple(items), due_at=min(due, default=None)
        )
        return receipt, notes

    def _tell(self, one: Submission, webhook: str, fact: Fact) -> str | None:
        """The id of the new event, or None where the fact is known: then the richer telling is kept."""
        group = self._group_for(self._names(fact))
        told = self._groups[group]
        if any(event.status == "dropped" and event.reason in FINAL_REASONS for event in told):
            return None
        live = [event for event in told if event.status in LIVE]
        if live:
            self._enrich(live, fact)
            return None
        return self._add(one, webhook, fact, group)

    def _names(self, fact: Fact) -> Sequence[str]:
        if fact.once is None or any(self._group_of.get(key) is not None for key in fact.keys):
            return fact.keys
        return (*fact.keys, fact.once)

    def _add(self, one: Submission, webhook: str, fact: Fact, group: str) -> str:
        identity = new_id("ev")
        held = fact.subscriber is None
        self._new_events[identity] = {
            "id": identity,
            "webhook": webhook,
            "source": one.source,
            "destination": self._destination,
            "type": fact.type.value,
            "subscriber": fact.subscriber,
            "data": fact.data,
            "occurred_at": fact.occurred_at,
            "lane": int(fact.lane),
            "status": "held" if held else "waiting",
            "reason": "subscriber unknown" if held else None,
            "due_at": self._now + fact.settle,
            "group": group,
            "richness": fact.richness,
            "waits_for": fact.waits_for if held else None,
            "held_at": self._now if held else None,
            "expires_at": fact.expires_at,
            "created_at": self._now,
            "settled_at": None,
        }
        self._groups[group].append(
            _Known(
                identity,
                fact.type.value,
                "held" if held else "waiting",
                None,
                fact.richness,
                None,
                fact.subscriber,
                int(fact.lane),
                new=True,
            )
        )
        return identity

    def _enrich(self, live: Sequence[_Known], fact: Fact) -> None:
        """Give the untold event of a fact the better data; what an attempt may have sent stays as it is."""
        event = next((one for one in live if _is_unattempted(one)), None)
        if event is None or len(live) > 1:
            return
        finds_subscriber = event.subscriber is None and fact.subscriber is not None
        richer = fact.richness > event.richness
        if not (finds_subscriber or richer):
            return
        values: dict[str, Any] = {}
        if richer:
            values |= {"data": fact.data, "occurred_at": fact.occurred_at, "richness": fact.richness}
            values["expires_at"] = fact.expires_at
            event.richness = fact.richness
        if fact.subscriber is not None and (finds_subscriber or richer):
            values["subscriber"] = fact.subscriber
        if finds_subscriber:
            values |= {"status": "waiting", "reason": None, "waits_for": None}
            event.status = "waiting"
        self._change(event, values)

    def _change(self, event: _Known, values: Mapping[str, Any]) -> None:
        if event.new:
            self._new_events[event.id].update(values)
        else:
            self._connection.execute(
                update(events)
                .where(
                    events.c.id == event.id,
                    events.c.status.in_(("waiting", "held")),
                    events.c.first_attempt_at.is_(None),
                )
                .values(**values)
            )
            if event.subscriber is not None:
                self._lines.add((event.lane, event.subscriber))
            self._touched = True
        subscriber = values.get("subscriber", event.subscriber)
        event.subscriber = subscriber
        if subscriber is not None:
            self._lines.add((event.lane, subscriber))

    def _group_for(self, names: Sequence[str]) -> str:
        """The one group that all these keys belong to from now on."""
        met = list(dict.fromkeys(group for key in names if (group := self._group_of.get(key)) is not None))
        if not met:
            group = new_id("gr")
            self._groups[group] = []
        else:
            group = min(met)
            for other in met:
                if other != group:
                    self._unite(group, other)
        for key in names:
            if self._group_of.get(key) is None:
                self._group_of[key] = group
                self._new_keys[key] = group
        return group

    def _unite(self, group: str, other: str) -> None:
        """Two facts turn out to be one: the keys meet, and of several untold events the richest stays.

        Where both were sent already, only a person can put that right.
        """
        self._connection.execute(
            update(keys).where(keys.c.destination == self._destination, keys.c.group == other).values(group=group)
        )
        self._connection.execute(update(events).where(events.c.group == other).values(group=group))
        self._group_of = {key: group if of == other else of for key, of in self._group_of.items()}
        self._new_keys = {key: group if of == other else of for key, of in self._new_keys.items()}
        for event in self._groups[other]:
            if event.new:
                self._new_events[event.id]["group"] = group
        attempted = [_attempted(self._groups[one]) for one in (group, other)]
        if all(attempted):
            sent = ", ".join(sorted(event.id for events_ in attempted for event in events_))
            incidents.note(self._connection, self._destination, group, f"sent for one fact: {sent}")
        incidents.move(self._connection, self._destination, other, group)
        self._groups[group] += self._groups.pop(other)
        live = [event for event in self._groups[group] if event.status in LIVE]
        stays = max(live, key=_rank_of_staying, default=None)
        for event in live:
            if event is not stays and _is_unattempted(event):
                event.status = "dropped"
                self._change(
                    event, {"status": "dropped", "reason": SUPERSEDED, "waits_for": None, "settled_at": self._now}
                )

    # What is written

    def _write(self, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._connection.execute(_ADD_WEBHOOKS, rows)
        if self._new_events:
            self._connection.execute(_ADD_EVENTS, list(self._new_events.values()))
        if self._new_keys:
            wanted = [
                {"destination": self._destination, "key": key, "group": group}
                for key, group in sorted(self._new_keys.items())
            ]
            self._connection.execute(_ADD_KEYS[self._connection.dialect.name], wanted)
        self._write_memory()
        waiting = [row for row in self._new_events.values() if row["status"] == "waiting"]
        lines.join(self._connection, [row for row in waiting if row["lane"] != Lane.BULK])
        lines.refresh(self._connection, self._destination, self._lines)
        due = [row["due_at"] for row in waiting]
        if self._touched or self._lines:
            due.append(self._now)
        if due:
            wake(self._connection, self._destination, min(due))

    def _write_memory(self) -> None:
        if not self._taught:
            return
        rows: list[dict[str, Any]] = []
        for key in sorted(self._taught):
            known = self._memory[key]
            if known is not None:
                rows.append({"destination": self._destination, "key": key, "values": known[0], "at": known[1]})
        self._connection.execute(_REMEMBER[self._connection.dialect.name], rows)
        self._release({row["key"]: row["values"]["email"] for row in rows if row["values"].get("email")})

    def _release(self, emails: Mapping[str, str]) -> None:
        """Let go the events that waited for what was just taught."""
        for chunk in _chunks(emails):
            for identity, waited_for, lane in self._connection.execute(_WAITING_FOR, self._asking(chunk)).all():
                self._connection.execute(
                    update(events)
                    .where(events.c.id == identity, events.c.status == "held")
                    .values(subscriber=emails[waited_for], status="waiting", reason=None, waits_for=None)
                )
                self._lines.add((lane, emails[waited_for]))


def _memory_keys(told: Telling) -> list[str]:
    return [*told.reads, *(lesson.key for lesson in told.lessons)]


def _attempted(told: Sequence[_Known]) -> list[_Known]:
    """Events that Lumail has, or may have."""
    return [event for event in told if event.status in LIVE and not _is_unattempted(event)]


def _is_unattempted(event: _Known) -> bool:
    return event.first_attempt_at is None and event.status in ("waiting", "held")


def _rank_of_staying(event: _Known) -> tuple[bool, bool, int]:
    return (not _is_unattempted(event), event.subscriber is not None, event.richness)


def _counted_as(told: Telling, new: Sequence[str]) -> str | None:
    """Under which count a source event goes; None where it made events."""
    if new:
        return None
    return "merged" if told.word == "translated" else told.word


def _row(one: Submission, receipt: Recorded, notes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": receipt.webhook,
        "source": one.source,
        "adapter": one.adapter,
        "destination": one.destination,
        "delivery_id": one.delivery_id,
        "received_at": one.received_at,
        "url": one.url,
        "headers": dict(one.headers),
        "body": one.body,
        "secret": one.secret,
        "outcome": receipt.word,
        "events_made": len(receipt.events),
        "merged": receipt.merged,
        "taught": receipt.taught,
        "ignored": receipt.ignored,
        "quarantined": receipt.quarantined,
        "notes": notes,
    }


def _outcome(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that a second translation changes; events made by the first are counted still."""
    changed = {name: row[name] for name in ("outcome", "merged", "taught", "ignored", "quarantined", "notes")}
    if changed["outcome"] != "quarantined":
        changed["outcome"] = case((webhooks.c.events_made > 0, "translated"), else_=row["outcome"])
    return {**changed, "events_made": webhooks.c.events_made + row["events_made"]}


def _chunks(values: Iterable[str]) -> Iterable[list[str]]:
    ordered = sorted(values)
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]
