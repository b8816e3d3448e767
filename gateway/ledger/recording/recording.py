"""How verified webhooks enter the ledger: what each told, merged with what is known, in a few statements a group."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Insert,
    RowMapping,
    Table,
    bindparam,
    case,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway.events import Lane, decode_data, encode_data
from gateway.ledger.facts import hashing, incidents, repeats
from gateway.ledger.facts.closed_facts import Closures
from gateway.ledger.facts.known_event import COLUMNS, KnownEvent
from gateway.ledger.facts.submission import Item, Recorded, Submission, SubmittedEvent, SubmittedMemo, TranslatedItem
from gateway.ledger.facts.tombstones import Tombstones
from gateway.ledger.identity import new_id
from gateway.ledger.jobs import privacy_requests
from gateway.ledger.money.balance import SaleBalance
from gateway.ledger.scheduling import lines
from gateway.ledger.scheduling.leases import wake
from gateway.ledger.schema import events, keys, memory, status_in, webhooks
from gateway.ledger.status import UNSENT, Reason, Status

CHUNK = 500
"""How many values stand in one IN list."""


def record(connection: Connection, submissions: Sequence[Submission], now: datetime) -> list[Recorded]:
    """Record webhooks of one destination, in order, under its writer lock. Any error leaves nothing of them."""
    balance = _RecordingBatch(connection, submissions[0].destination, now)
    return balance.take(submissions)


def quarantined_whole(submission: Submission, reason: str) -> Submission:
    """The same webhook, kept but not translated, because recording it failed."""
    return replace(submission, translated_items=(TranslatedItem("quarantined", "", reason=reason),))


# Built once: SQLAlchemy takes longer to put a statement together than SQLite to carry it out.
_ASKED: BindParameter[Any] = bindparam("asked", expanding=True)
_OF_DESTINATION: BindParameter[Any] = bindparam("its_destination")
_EARLIER = select(webhooks.c.id, webhooks.c.source, webhooks.c.delivery_id, webhooks.c.quarantined).where(
    webhooks.c.delivery_id.in_(_ASKED)
)
_REMEMBERED = select(memory).where(memory.c.destination == _OF_DESTINATION, memory.c.key.in_(_ASKED))
_GROUPS_OF_KEYS = select(keys.c.key, keys.c.group).where(keys.c.destination == _OF_DESTINATION, keys.c.key.in_(_ASKED))
_EVENTS_OF_GROUPS = (
    select(*(events.c[name] for name in (*COLUMNS, "group"))).where(events.c.group.in_(_ASKED)).order_by(events.c.id)
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
    events.c.destination == _OF_DESTINATION, events.c.waits_for.in_(_ASKED), events.c.status == Status.HELD
)


_RELEASED = {
    "status": case((events.c.release_at.is_(None), Status.WAITING), else_=Status.HELD),
    "reason": case((events.c.release_at.is_(None), None), else_=Reason.LINK_MISSING),
}
"""The columns of an event that had waited to be told whose it is; some wait for a better telling besides."""


_NAMED_LATER = select(events.c.id, events.c.named_by, events.c.data).where(
    events.c.destination == _OF_DESTINATION,
    status_in(UNSENT),  # written as the partial index has it, so that it is used
    text("events.named_by IS NOT NULL"),
    events.c.named_by.in_(_ASKED),
    events.c.first_attempt_at.is_(None),
)


class _RecordingBatch:
    """The work of one group of webhooks: reads first, decides in memory, writes last."""

    def __init__(self, connection: Connection, destination: str, now: datetime) -> None:
        self._connection = connection
        self._destination = destination
        self._now = now
        self._memory: dict[str, tuple[Mapping[str, Any], datetime] | None] = {}
        self._taught: set[str] = set()
        self._group_of: dict[str, str | None] = {}
        self._groups: dict[str, list[KnownEvent]] = {}
        self._new_keys: dict[str, str] = {}
        self._new_events: dict[str, dict[str, Any]] = {}
        self._about_erased: set[int] = set()
        """Tellings (by `id`) of which something was left out, because it concerns a person who was erased."""
        self._bodiless: set[str] = set()
        """Their webhooks, of which no bytes are kept."""
        self._named: set[tuple[str, str]] = set()
        """Webhooks and the groups of which they told."""
        self._lines: set[tuple[int, str]] = set()
        self._touched = False
        self._recording: tuple[Submission, str] | None = None
        self._closures = Closures(connection, destination)
        self._tombstones = Tombstones(connection, destination)
        self._sale_balance = SaleBalance(connection, destination, now, self, self._groups)

    def take(self, submissions: Sequence[Submission]) -> list[Recorded]:
        earlier = self._earlier(submissions)
        fresh = [one for one in submissions if self._is_fresh(one, earlier)]
        self._read_memory(key for one in fresh for item in one.translated_items for key in _memory_keys(item))
        self._tombstones.read(item for one in fresh for item in one.translated_items)
        translated_items = {id(one): [self._current(item) for item in one.translated_items] for one in fresh}
        facts = [fact for item in translated_items.values() for one in item for fact in one.events]
        links = [link for item in translated_items.values() for one in item for link in one.links]
        once = {fact.once for fact in facts if fact.once is not None}
        self._read_keys(once | {key for fact in facts for key in fact.keys} | {key for link in links for key in link})
        if links or any(fact.sum is not None for fact in facts):
            self._sale_balance.read(self._groups)

        receipts: list[Recorded] = []
        rows: list[dict[str, Any]] = []
        for one in submissions:
            known = earlier.get((one.source, one.delivery_id)) if one.existing_webhook is None else None
            if known is not None and not known["quarantined"]:
                items = (Item("duplicate"),) * len(one.translated_items)
                receipts.append(Recorded(known["id"], duplicate=True, items=items))
                continue
            receipt, notes = self._record_one(one, translated_items[id(one)], known)
            receipts.append(receipt)
            row = _row(one, receipt, notes)
            if receipt.webhook in self._bodiless:
                row |= {"headers": {}, "body": None}
            if one.existing_webhook is not None or known is not None:
                self._connection.execute(update(webhooks).where(webhooks.c.id == receipt.webhook).values(_outcome(row)))
            else:
                rows.append(row)
                if one.delivery_id is not None:
                    earlier[one.source, one.delivery_id] = row
        self._write(rows)
        return receipts

    # What is known already

    def _earlier(self, submissions: Sequence[Submission]) -> dict[tuple[str, str | None], Mapping[str, Any]]:
        asked = {one.delivery_id for one in submissions if one.delivery_id is not None and one.existing_webhook is None}
        found: dict[tuple[str, str | None], Mapping[str, Any]] = {}
        for chunk in _chunks(asked):
            for row in self._connection.execute(_EARLIER, {"asked": chunk}).mappings():
                found[row["source"], row["delivery_id"]] = dict(row)
        return found

    def _is_fresh(self, one: Submission, earlier: Mapping[tuple[str, str | None], Mapping[str, Any]]) -> bool:
        known = earlier.get((one.source, one.delivery_id))
        return one.existing_webhook is not None or known is None or known["quarantined"] > 0

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

    def _current(self, item: TranslatedItem) -> TranslatedItem:
        """The telling, translated again where the memory that it rests on has changed; then its lessons are learnt."""
        if item.again is not None and any(self._recall(key) != values for key, values in item.reads.items()):
            item = item.again(self._recall)
            self._read_memory(_memory_keys(item))
        spared = self._tombstones.without_the_erased(item, self._recall)
        if spared is not item:
            self._about_erased.add(id(spared))
        item = spared
        for memo in item.memos:
            self._learn(memo)
        return item

    def _learn(self, memo: SubmittedMemo) -> None:
        known = self._memory.get(memo.key)
        if known is None:
            self._memory[memo.key] = (dict(memo.values), memo.at)
        elif memo.at >= known[1] and not memo.undated:
            self._memory[memo.key] = ({**known[0], **memo.values}, memo.at)
        else:
            self._memory[memo.key] = ({**memo.values, **known[0]}, known[1])
        if self._memory[memo.key] != known:
            self._taught.add(memo.key)

    def _read_keys(self, asked: set[str]) -> None:
        for key in asked:
            self._group_of[key] = None
        for chunk in _chunks(asked):
            for key, group in self._connection.execute(_GROUPS_OF_KEYS, self._asking(chunk)):
                self._group_of[key] = group
        missing = [key for key in asked if self._group_of[key] is None]
        self._group_of.update(hashing.groups_of(self._connection, self._destination, missing))
        self._read_groups({group for group in self._group_of.values() if group is not None})

    def _read_groups(self, asked: set[str]) -> None:
        for group in asked:
            self._groups[group] = []
        for chunk in _chunks(asked):
            for row in self._connection.execute(_EVENTS_OF_GROUPS, {"asked": chunk}).mappings():
                self._groups[row["group"]].append(_known(row))
        self._closures.read(asked)

    def _asking(self, chunk: list[str]) -> dict[str, Any]:
        return {"its_destination": self._destination, "asked": chunk}

    # What follows from it

    def _record_one(
        self, one: Submission, translated_items: Sequence[TranslatedItem], known: Mapping[str, Any] | None
    ) -> tuple[Recorded, list[dict[str, Any]]]:
        webhook = one.existing_webhook or (known["id"] if known is not None else new_id("wh"))
        made: list[str] = []
        counts = {"merged": 0, "taught": 0, "ignored": 0, "quarantined": 0}
        notes: list[dict[str, Any]] = []
        items: list[Item] = []
        for position, item in enumerate(translated_items):
            for link in item.links:
                self._group_for(link)
            if item.demand is not None:
                origin = privacy_requests.Origin(f"source {one.source}", one.source, webhook)
                privacy_requests.record(self._connection, item.demand, origin, self._now)
            self._recording = (one, webhook)
            if id(item) in self._about_erased:
                self._bodiless.add(webhook)
            new = [event for fact in item.events if (event := self._apply(fact)) is not None]
            named = (*item.links, *(fact.keys for fact in item.events))
            self._named |= {(webhook, group) for names in named if (group := self._group_of[names[0]]) is not None}
            made.extend(new)
            word = _counted_as(item, new)
            if word is not None:
                counts[word] += 1
            items.append(Item(word or "translated", item.reason, tuple(new)))
            if item.reason is not None:
                notes.append({"position": position, "type": item.type[:80], "word": item.word, "reason": item.reason})
        due = [row["due_at"] for event in made if (row := self._new_events[event])["status"] == Status.WAITING]
        receipt = Recorded(
            webhook, known is not None, tuple(made), **counts, items=tuple(items), due_at=min(due, default=None)
        )
        return receipt, notes

    def _apply(self, fact: SubmittedEvent) -> str | None:
        """The id of the new event, or None where the fact is known: then the richer telling is kept."""
        group = self._group_for(self._names(fact))
        if self._closures.is_erased(group):
            if self._recording is not None:
                self._bodiless.add(self._recording[1])
            return None
        if fact.sum is not None:
            event = self._sale_balance.apply(fact, group)
            return None if event is None else event.id
        item = [event for event in self._groups[group] if event.balance is None]
        if any(event.is_closed for event in item) or self._closures.is_closed(group):
            return None
        live = [event for event in item if event.is_live]
        if live:
            self._enrich(live, fact, repeated=any(map(self.is_repeated, live)))
            return None
        return self.add(fact, group, {}).id

    def _names(self, fact: SubmittedEvent) -> Sequence[str]:
        if fact.once is None or any(self._group_of.get(key) is not None for key in fact.keys):
            return fact.keys
        return (*fact.keys, fact.once)

    def add(self, fact: SubmittedEvent, group: str, values: Mapping[str, Any]) -> KnownEvent:
        """Make an event of a telling of the webhook that is being recorded; `values` are columns besides the fact's."""
        if self._recording is None:
            raise RuntimeError("no webhook is being recorded")
        one, webhook = self._recording
        held = fact.subscriber is None
        row: dict[str, Any] = {
            "id": new_id("ev"),
            "webhook": webhook,
            "source": one.source,
            "destination": self._destination,
            "type": fact.type.value,
            "subscriber": fact.subscriber,
            "data": fact.data,
            "occurred_at": fact.occurred_at,
            "lane": int(fact.lane),
            "status": Status.HELD if held else Status.WAITING,
            "reason": Reason.SUBSCRIBER_UNKNOWN if held else None,
            "due_at": self._now + fact.settle,
            "group": group,
            "detail_rank": fact.detail_rank,
            "waits_for": fact.waits_for if held else None,
            "named_by": fact.named_by,
            "balance": None,
            "provider_object": None,
            "amount": None,
            "currency": None,
            "after": None,
            "release_at": None,
            "expires_at": fact.expires_at,
            "created_at": self._now,
            "settled_at": None,
            **values,
        }
        row["held_at"] = self._now if row["status"] == Status.HELD else None
        known: dict[str, Any] = {name: row.get(name) for name in COLUMNS}
        event = KnownEvent(**known, new=True)
        self._new_events[event.id] = _stored(row)
        self._groups[group].append(event)
        return event

    @property
    def reporter(self) -> str:
        """The webhook that is being recorded."""
        return "" if self._recording is None else self._recording[1]

    @property
    def is_same_webhook(self) -> bool:
        """Whether that was recorded before, and is translated anew."""
        return self._recording is not None and self._recording[0].existing_webhook is not None

    def is_repeated(self, event: KnownEvent) -> bool:
        """Whether what is being recorded is a second translation of the webhook that made the event."""
        return not event.new and event.webhook == self.reporter

    def _enrich(self, live: Sequence[KnownEvent], fact: SubmittedEvent, *, repeated: bool) -> None:
        """Give the untold event of a fact the better data; what an attempt may have sent stays as it is.

        What a webhook told at first is replaced by what it tells now.
        """
        event = next((one for one in live if one.is_unattempted), None)
        if event is None or len(live) > 1:
            return
        finds_subscriber = event.subscriber is None and fact.subscriber is not None
        told_otherwise = (fact.data, fact.subscriber or event.subscriber) != (event.data, event.subscriber)
        richer = fact.detail_rank > event.detail_rank or (
            repeated and fact.detail_rank == event.detail_rank and told_otherwise and not event.new
        )
        if not (finds_subscriber or richer):
            return
        values: dict[str, Any] = {}
        if richer:
            values |= {"data": fact.data, "occurred_at": fact.occurred_at, "detail_rank": fact.detail_rank}
            values |= {"expires_at": fact.expires_at, "named_by": fact.named_by}
        if fact.subscriber is not None and (finds_subscriber or richer):
            values["subscriber"] = fact.subscriber
        if finds_subscriber:
            values |= {"status": Status.WAITING, "reason": None, "waits_for": None}
        self.change(event, values)

    def change(self, event: KnownEvent, values: Mapping[str, Any]) -> None:
        """Set columns of an event that nobody has sent."""
        begins_to_be_held = values.get("status") == Status.HELD and event.status != Status.HELD
        changes = {**values, **({"held_at": self._now} if begins_to_be_held else {})}
        before = event.subscriber
        if event.new:
            self._new_events[event.id].update(_stored(changes))
        else:
            self._connection.execute(
                update(events)
                .where(events.c.id == event.id, events.c.status == event.status, events.c.first_attempt_at.is_(None))
                .values(**_stored(changes))
            )
            self._touched = True
        for name in COLUMNS:
            if name in changes:
                setattr(event, name, changes[name])
        self._lines |= {
            (event.lane, one) for one in (None if event.new else before, event.subscriber) if one is not None
        }

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
        repeats.move(self._connection, other, group)
        self._named = {(webhook, group if of == other else of) for webhook, of in self._named}
        self._group_of = {key: group if of == other else of for key, of in self._group_of.items()}
        self._new_keys = {key: group if of == other else of for key, of in self._new_keys.items()}
        for event in self._groups[other]:
            if event.new:
                self._new_events[event.id]["group"] = group
        sent = [
            [one for one in self._groups[name] if one.is_sent and not one.is_written and one.balance is None]
            for name in (group, other)
        ]
        if all(sent):
            named = ", ".join(sorted(event.id for events_ in sent for event in events_))
            incidents.record(self._connection, self._destination, group, f"sent for one fact: {named}")
        incidents.move(self._connection, self._destination, other, group)
        self._groups[group] += self._groups.pop(other)
        live = [event for event in self._groups[group] if event.is_live and event.balance is None]
        stays = max(live, key=lambda event: event.rank_of_staying, default=None)
        for event in live:
            if event is not stays and (event.is_unattempted or event.is_written):
                values = {"status": Status.DROPPED, "reason": Reason.SUPERSEDED, "waits_for": None}
                self.change(event, {**values, "settled_at": self._now})
        self._sale_balance.unite(group, other)
        self._closures.unite(group, other)
        if self._closures.is_closed(group):
            self._leave_out(group)

    def _leave_out(self, group: str) -> None:
        """What waits turns out to tell a fact that is closed; of a sale that is told its sums know what is lacking."""
        erased = self._closures.is_erased(group)
        reason = Reason.PERSON_ERASED if erased else Reason.SUPERSEDED
        for event in self._groups[group]:
            if (event.is_unattempted or event.is_written) and (erased or event.balance is None):
                values = {"status": Status.DROPPED, "reason": reason, "waits_for": None, "settled_at": self._now}
                self.change(event, values)

    # What is written

    def _write(self, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._connection.execute(_ADD_WEBHOOKS, rows)
        if self._new_events:
            self._connection.execute(_ADD_EVENTS, list(self._new_events.values()))
        if self._new_keys:
            wanted = [
                {"destination": self._destination, "key": self._closures.stored(key, group), "group": group}
                for key, group in sorted(self._new_keys.items())
            ]
            self._connection.execute(_ADD_KEYS[self._connection.dialect.name], wanted)
        self._sale_balance.write()
        self._closures.write()
        made = {(row["webhook"], row["group"]) for row in self._new_events.values()}
        repeats.add(self._connection, self._named - made)
        self._write_memory()
        waiting = [row for row in self._new_events.values() if row["status"] == Status.WAITING]
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
        self._rename({row["key"]: row["values"]["name"] for row in rows if row["values"].get("name")})

    def _release(self, emails: Mapping[str, str]) -> None:
        """Let go the events that waited for what was just taught."""
        for chunk in _chunks(emails):
            for identity, waited_for, lane in self._connection.execute(_WAITING_FOR, self._asking(chunk)).all():
                self._connection.execute(
                    update(events)
                    .where(events.c.id == identity, events.c.status == Status.HELD)
                    .values(subscriber=emails[waited_for], waits_for=None, **_RELEASED)
                )
                self._lines.add((lane, emails[waited_for]))

    def _rename(self, names: Mapping[str, str]) -> None:
        """Give events that nobody has sent the better name of their product that was just taught."""
        for chunk in _chunks(names):
            for identity, named_by, data in self._connection.execute(_NAMED_LATER, self._asking(chunk)).all():
                better = encode_data({**decode_data(data), "product": names[named_by]})
                self._connection.execute(
                    update(events)
                    .where(events.c.id == identity, events.c.first_attempt_at.is_(None))
                    .values(data=better, named_by=None)
                )


def _memory_keys(item: TranslatedItem) -> list[str]:
    return [*item.reads, *(memo.key for memo in item.memos)]


def _known(row: RowMapping) -> KnownEvent:
    values = {name: row[name] for name in COLUMNS}
    return KnownEvent(**{**values, "amount": None if row["amount"] is None else Decimal(row["amount"])})


def _stored(values: Mapping[str, Any]) -> dict[str, Any]:
    """Columns as the table takes them."""
    amount = values.get("amount")
    return {**values, "amount": str(amount)} if amount is not None else dict(values)


def _counted_as(item: TranslatedItem, new: Sequence[str]) -> str | None:
    """Under which count a source event goes; None where it made events."""
    if new:
        return None
    return "merged" if item.word == "translated" else item.word


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
