"""How a person leaves the ledger: by steps that may stop anywhere, while webhooks are taken and events delivered.

Who is to be erased stands in a row of `jobs` until it is done. What was known when that was demanded goes: memory,
facts with their events, requests and webhooks, and whatever else mentions an address. Tombstones and hashed keys stay,
so that what is told of it later is left out.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    type_coerce,
    update,
)

from gateway.ledger import schema
from gateway.ledger.accounts import audit
from gateway.ledger.accounts.audit import Deed
from gateway.ledger.database import Ledger
from gateway.ledger.facts import hashing, tombstones
from gateway.ledger.jobs.privacy_requests import DONE, OPEN
from gateway.ledger.retention.address_search import Mentions
from gateway.ledger.retention.redaction import wipe_facts, wipe_webhooks
from gateway.ledger.schema import (
    GENERATION,
    attempts,
    destinations,
    events,
    jobs,
    keys,
    marks,
    memory,
    size_of,
    unknown_subscribers,
    unpacked_size,
    webhooks,
)
from gateway.ledger.status import ON_THEIR_WAY, Status
from gateway.privacy import Duty

_FACTS = 40
"""Facts that one step wipes, each with its events, requests, keys and webhooks."""

_ROWS = 200
"""Rows of other kinds that one step changes at the most."""

_LOOKED_THROUGH = 5_000
"""Rows that one step reads at the most, without a lock."""

_BODIES = 8_000_000
"""Bytes of bodies that one step reads, unless a single one has more."""

_LINGERS = "erased lingers"
"""The mark that says that SQLite's write-ahead log could not be cut off when an erasure ended."""

Work = Callable[[Connection], Mapping[str, int]]
"""What a step does under the writer lock; how much of each kind it erased."""


@dataclass(frozen=True)
class Erased:
    """How far an erasure has come. `left` are events on their way to Lumail that have to end first."""

    id: str
    is_done: bool
    counts: Mapping[str, int]
    left: int = 0


@dataclass(frozen=True)
class _State:
    """A job as it stands. `position` is its stage and destination, `after` up to where it has looked there."""

    id: str
    request: Mapping[str, Any]
    counts: Mapping[str, int]
    made_by: str
    made_at: datetime
    position: int
    after: str | None
    turn: int
    cursor: str | None
    is_open: bool


@dataclass
class _Step:
    """What is to be done next at a stage. `after` None: the stage is over."""

    work: Work = field(default=lambda connection: {})
    after: str | None = None


def open_ids(connection: Connection) -> list[str]:
    """Erasures that are not done, and that this version knows how to do."""
    query = select(jobs.c.id).where(jobs.c.kind == Duty.ERASE, jobs.c.status == OPEN, jobs.c.generation <= GENERATION)
    return list(connection.execute(query.order_by(jobs.c.id)).scalars())


_log = structlog.get_logger()


def erase(ledger: Ledger, identity: str, *, stopping: Callable[[], bool] = lambda: False) -> Erased:
    """Do what can be done of an erasure now."""
    work = _Erasure(ledger, identity, hashing.ensure_salt(ledger))
    while not stopping() and work.step():
        continue
    state = work.state()
    if not state.is_open and not cut_off(ledger):
        _log.warning("erasure.lingers", job=identity, why="somebody reads the database; upkeep tries again")
    return Erased(identity, not state.is_open, state.counts, len(state.request.get("left", ())))


def lingers(connection: Connection) -> bool:
    """Whether what was erased may still stand in a file of the database."""
    return connection.execute(select(marks.c.name).where(marks.c.name == _LINGERS)).scalar_one_or_none() is not None


def cut_off(ledger: Ledger) -> bool:
    """Leave nothing of what was erased in the database's files; False where somebody reads, and it is due again."""
    if ledger.let_nothing_linger():
        with ledger.read() as connection:
            had = lingers(connection)
        if had:
            with ledger.write([_LINGERS]) as connection:
                connection.execute(delete(marks).where(marks.c.name == _LINGERS))
        return True
    with ledger.write([_LINGERS]) as connection:
        if not lingers(connection):
            connection.execute(insert(marks).values(name=_LINGERS, value=""))
    return False


class _Erasure:
    def __init__(self, ledger: Ledger, identity: str, salt: bytes) -> None:
        self._ledger = ledger
        self._id = identity
        self._salt = salt
        self._stages: Sequence[Callable[[_State, str], _Step]] = (
            self._bury,
            self._memory,
            self._facts_by_key,
            self._facts_of_account,
            self._facts_of_memories,
            self._facts_of_people,
            self._bodies,
            self._keys,
            *(self._texts_of(table, identity_, columns) for table, identity_, columns in _TEXTS),
            self._unknown_subscribers,
        )

    def state(self) -> _State:
        with self._ledger.read() as connection:
            return self._read(connection)

    def step(self) -> bool:
        """One step; whether another can follow at once."""
        state = self.state()
        if not state.is_open:
            return False
        names = state.request.get("destinations") or self._destinations(state)
        stage, place = divmod(state.position, len(names))
        if stage >= len(self._stages):
            return self._end(state, names)
        step = self._stages[stage](state, names[place])
        with self._ledger.write([names[place], self._id]) as connection:
            current = self._read(connection)
            if current.cursor != state.cursor:
                return True  # somebody else works on it, too, and was faster
            counts = step.work(connection)
            request = {**state.request, **self._request(connection), "destinations": names}
            moved = state.position + (step.after is None)
            self._save(connection, state, request, counts, (moved, step.after))
        return True

    # The job

    def _read(self, connection: Connection) -> _State:
        row = connection.execute(select(jobs).where(jobs.c.id == self._id)).mappings().one()
        position, after, turn = json.loads(row["cursor"] or "[0, null, 0]")
        return _State(
            self._id,
            row["request"],
            row["counts"] or {},
            row["made_by"] or "",
            row["made_at"],
            position,
            after,
            turn,
            row["cursor"],
            row["status"] == OPEN,
        )

    def _request(self, connection: Connection) -> dict[str, Any]:
        request: dict[str, Any] = connection.execute(select(jobs.c.request).where(jobs.c.id == self._id)).scalar_one()
        return request

    def _save(
        self,
        connection: Connection,
        state: _State,
        request: Mapping[str, Any],
        counts: Mapping[str, int],
        reached: tuple[int, str | None],
    ) -> None:
        total = Counter(state.counts)
        total.update({word: count for word, count in counts.items() if count})
        cursor = json.dumps([*reached, state.turn + 1])
        values = {"request": request, "counts": dict(total), "done": sum(total.values()), "cursor": cursor}
        connection.execute(update(jobs).where(jobs.c.id == self._id).values(**values))

    def _extend(self, connection: Connection, name: str, more: Iterable[str]) -> None:
        """Add to a list of the request, for the stages to come."""
        request = self._request(connection)
        request[name] = sorted({*request.get(name, ()), *more})
        connection.execute(update(jobs).where(jobs.c.id == self._id).values(request=request))

    def _destinations(self, state: _State) -> list[str]:
        if state.request["destination"] is not None:
            return [state.request["destination"]]
        with self._ledger.read() as connection:
            named = set(connection.execute(select(destinations.c.name)).scalars())
            named |= set(connection.execute(select(webhooks.c.destination).distinct()).scalars())
            return sorted(named)

    def _end(self, state: _State, names: Sequence[str]) -> bool:
        """Wipe what was on its way once that has ended, and close the job where nothing of it is left."""
        with self._ledger.write([*names, self._id]) as connection:
            request = self._request(connection)
            left, counts = self._wipe_left(connection, request)
            now = self._ledger.now(connection)
            asked = self._is_asking(connection, request["people"], now)
            if left or asked:
                if counts or left != request.get("left", []):
                    self._save(connection, state, {**request, "left": left}, counts, (state.position, state.after))
                return False
            total = Counter(state.counts)
            total.update({word: count for word, count in counts.items() if count})
            prints = [self._print(address) for address in request["people"]]
            kept = {name: request[name] for name in ("source", "webhook", "destination")} | {"people": prints}
            for name in names:
                _forget_unknown_subscribers(connection, name, request["people"])
            _forget_questions(connection, request["people"])
            values = {"request": kept, "counts": dict(total), "status": DONE, "ended_at": now, "cursor": None}
            connection.execute(update(jobs).where(jobs.c.id == self._id).values(**values))
            subject = ", ".join(prints) or ("a whole account" if request["account"] else "facts by their names")
            audit.record(connection, now, Deed(state.made_by, "erase", subject), None, dict(total))
        return False

    def _wipe_left(self, connection: Connection, request: Mapping[str, Any]) -> tuple[list[str], dict[str, int]]:
        query = select(events.c.id, events.c.destination, events.c.group, events.c.status).where(
            events.c.id.in_(request.get("left", []))
        )
        rows = connection.execute(query).all()
        total: Counter[str] = Counter()
        left: list[str] = []
        for row in rows:
            counts, still = wipe_facts(
                connection, self._salt, row.destination, [row.group], self._ledger.now(connection)
            )
            total.update(counts)
            left += still
        return sorted(set(left)), dict(total)

    def _is_asking(self, connection: Connection, people: Sequence[str], now: datetime) -> bool:
        """Whether Lumail is being asked for the person at this moment."""
        under_way = and_(attempts.c.outcome.is_(None), attempts.c.ends_by > now)
        query = select(attempts.c.id).where(under_way, attempts.c.sent.in_(people))
        return connection.execute(query.limit(1)).first() is not None

    def _print(self, address: str) -> str:
        return hashing.hashed(self._salt, tombstones.person(address))[:17]

    # Stages

    def _bury(self, state: _State, destination: str) -> _Step:
        request = state.request

        def work(connection: Connection) -> Mapping[str, int]:
            names = [*map(tombstones.person, request["people"]), *map(tombstones.memo, request["memories"])]
            tombstones.put(connection, self._salt, destination, names, state.made_at)
            _end_requests(connection, request["people"])
            return {"memory": self._forget(connection, state, destination, request["memories"])}

        return _Step(work)

    def _forget(self, connection: Connection, state: _State, destination: str, names: Sequence[str]) -> int:
        mine = and_(memory.c.destination == destination, memory.c.key.in_(names), memory.c.at <= state.made_at)
        return connection.execute(delete(memory).where(mine)).rowcount

    def _memory(self, state: _State, destination: str) -> _Step:
        """What was taught of the people, wherever their addresses stand in it, and all of the account."""
        found, after = self._look_through(
            memory,
            memory.c.key,
            memory.c.destination == destination,
            state.after,
            (memory.c.key, memory.c["values"], memory.c.at),
        )
        mentions, account = Mentions(state.request["people"]), state.request["account"]
        ours = [row.key for row in found if _begins(row.key, account) or mentions.are_in_value(row.values)]
        if len(ours) > _ROWS:
            ours = ours[:_ROWS]
            after = ours[-1]
        # What was touched since the demand may hold an address from before, unless that was said anew.
        touched = {row.key for row in found if row.at > state.made_at}.intersection(ours)
        stale = sorted(touched) if account is None and touched and not self._said_since(state, destination) else []

        def work(connection: Connection) -> Mapping[str, int]:
            tombstones.put(connection, self._salt, destination, map(tombstones.memo, ours), state.made_at)
            if account is None and ours:
                self._extend(connection, "memories", ours)
            old = and_(memory.c.destination == destination, memory.c.key.in_(stale))
            gone = connection.execute(delete(memory).where(old)).rowcount
            return {"memory": gone + self._forget(connection, state, destination, ours)}

        return _Step(work, after)

    def _said_since(self, state: _State, destination: str) -> bool:
        """Whether a webhook that came after the demand speaks of the person."""
        columns = (webhooks.c.body, webhooks.c.headers, webhooks.c.url)
        since = and_(webhooks.c.destination == destination, webhooks.c.received_at > state.made_at)
        mentioned = _mentioned(state.request)
        with self._ledger.read() as connection:
            rows = connection.execute(select(*columns).where(since))  # unpacked one at a time
            return any(mentioned(row.body or b"", row.headers, row.url) for row in rows)

    def _facts_by_key(self, state: _State, destination: str) -> _Step:
        named = [key for key in state.request["keys"] if state.after is None or key > state.after]
        chunk = sorted(named)[:_FACTS]
        with self._ledger.read() as connection:
            mine = and_(keys.c.destination == destination, keys.c.key.in_(chunk))
            groups_ = set(connection.execute(select(keys.c.group).where(mine)).scalars())
            groups_ |= set(hashing.groups_of(connection, destination, chunk).values())
        return _Step(self._wiping(destination, groups_), chunk[-1] if len(named) > len(chunk) else None)

    def _facts_of_account(self, state: _State, destination: str) -> _Step:
        account = state.request["account"]
        if account is None:
            return _Step()
        query = select(keys.c.key, keys.c.group).where(
            keys.c.destination == destination, _begins_with(keys.c.key, account)
        )
        if state.after is not None:
            query = query.where(keys.c.key > state.after)
        with self._ledger.read() as connection:
            found = connection.execute(query.order_by(keys.c.key).limit(_FACTS)).all()
        after = found[-1].key if len(found) == _FACTS else None
        return _Step(self._wiping(destination, {row.group for row in found}), after)

    def _facts_of_memories(self, state: _State, destination: str) -> _Step:
        """Events that wait for somebody to tell whose they are."""
        names = sorted(state.request["memories"])
        chunk = [name for name in names if state.after is None or name > state.after][:_ROWS]
        waits = or_(events.c.waits_for.in_(chunk), _begins_with(events.c.waits_for, state.request["account"]))
        query = self._unwiped(state, destination, and_(events.c.waits_for.is_not(None), waits))
        with self._ledger.read() as connection:
            groups_ = set(connection.execute(query).scalars())
        if len(groups_) == _FACTS:
            return _Step(self._wiping(destination, groups_), state.after or "")
        return _Step(self._wiping(destination, groups_), chunk[-1] if chunk and chunk[-1] != names[-1] else None)

    def _facts_of_people(self, state: _State, destination: str) -> _Step:
        query = self._unwiped(state, destination, events.c.subscriber.in_(state.request["people"]))
        with self._ledger.read() as connection:
            groups_ = set(connection.execute(query).scalars())
        return _Step(self._wiping(destination, groups_), "" if len(groups_) == _FACTS else None)

    def _unwiped(self, state: _State, destination: str, condition: ColumnElement[bool]) -> Any:
        """The facts of some events that were known when the erasure was demanded, those on their way come later."""
        return (
            select(events.c.group)
            .where(
                events.c.destination == destination,
                condition,
                events.c.created_at <= state.made_at,
                events.c.id.not_in(state.request.get("left", [])),
            )
            .distinct()
            .limit(_FACTS)
        )

    def _wiping(self, destination: str, facts: set[str]) -> Work:
        def work(connection: Connection) -> Mapping[str, int]:
            if not facts:
                return {}
            now = self._ledger.now(connection)
            counts, left = wipe_facts(connection, self._salt, destination, sorted(facts), now)
            if left:
                self._extend(connection, "left", left)
            return counts

        return work

    def _bodies(self, state: _State, destination: str) -> _Step:
        """Webhooks that mention the person, whether or not anything was made of them."""
        request = state.request
        # The one that demanded it goes by its id: the door's clock may be ahead of the ledger's.
        known = or_(webhooks.c.received_at <= state.made_at, webhooks.c.id == request["webhook"])
        mine = [webhooks.c.destination == destination, known]
        if request["account"] is not None:
            mine.append(webhooks.c.source == request["source"])
        query = select(webhooks.c.id, size_of(webhooks.c.body).label("size")).where(*mine, webhooks.c.body.is_not(None))
        if state.after is not None:
            query = query.where(webhooks.c.id > state.after)
        with self._ledger.read() as connection:
            seen = connection.execute(query.order_by(webhooks.c.id).limit(_ROWS)).all()
            taken: list[str] = []
            room = _BODIES
            for row in seen:
                size = unpacked_size(row.size)
                if taken and size > room:
                    break
                room -= size
                taken.append(row.id)
            columns = (webhooks.c.id, webhooks.c.body, webhooks.c.headers, webhooks.c.url)
            mentioned = _mentioned(request)
            rows = connection.execute(select(*columns).where(webhooks.c.id.in_(taken)))  # unpacked one at a time
            ours = [row.id for row in rows if mentioned(row.body or b"", row.headers, row.url)]
        is_over = len(seen) < _ROWS and len(taken) == len(seen)
        return _Step(lambda connection: {"webhooks": wipe_webhooks(connection, ours)}, None if is_over else taken[-1])

    def _keys(self, state: _State, destination: str) -> _Step:
        """Keys that hold an address, such as those of what counts once a subscriber."""
        mentions = Mentions(state.request["people"])
        condition = and_(keys.c.destination == destination, _like(keys.c.key, state.request["people"]))
        found, after = self._look_through(
            keys, keys.c.key, keys.c.destination == destination, state.after, (keys.c.key, keys.c.group), condition
        )
        groups_ = {row.group for row in found if mentions.are_in_text(row.key)}
        return _Step(
            lambda connection: {"keys": hashing.hash_keys(connection, self._salt, destination, groups_)}, after
        )

    def _texts_of(
        self, table: Table, identity: Sequence[str], columns: Sequence[str]
    ) -> Callable[[_State, str], _Step]:
        """The stage that blots out addresses within the texts of a table; it is done with the first destination."""

        def stage(state: _State, destination: str) -> _Step:
            people = state.request["people"]
            if not people or destination != (state.request.get("destinations") or [destination])[0]:
                return _Step()
            condition = and_(or_(*(_like(table.c[name], people) for name in columns)), _is_ours(table, state))
            read = (*(table.c[name] for name in identity), *(_raw(table, name) for name in columns))
            place = table.c[identity[0]]
            found, after = self._look_through(table, place, literal(value=True), state.after, read, condition)
            mentions = Mentions(people)
            changes = [
                (row, new)
                for row in found
                if (new := {name: mentions.without(old) for name in columns if (old := row._mapping[name]) is not None})
                != {name: row._mapping[name] for name in new}
            ]
            changed = changes[:_ROWS]
            if len(changed) < len(changes):
                after = state.after or ""  # once more: what was changed is not found again

            def work(connection: Connection) -> Mapping[str, int]:
                for row, new in changed:
                    mine = and_(*(table.c[name] == row._mapping[name] for name in identity))
                    values = {name: literal(text, Text()) for name, text in new.items()}
                    connection.execute(update(table).where(mine).values(values))
                return {"texts": len(changed)}

            return _Step(work, after)

        return stage

    def _unknown_subscribers(self, state: _State, destination: str) -> _Step:
        people = state.request["people"]
        return _Step(lambda connection: {"strangers": _forget_unknown_subscribers(connection, destination, people)})

    def _look_through(
        self,
        table: Table,
        place: ColumnElement[Any],
        where: ColumnElement[bool],
        after: str | None,
        columns: Sequence[ColumnElement[Any]],
        condition: ColumnElement[bool] | None = None,
    ) -> tuple[Sequence[Any], str | None]:
        """The rows of the next stretch of a table that fit, and where the one after it begins; None at the end."""
        behind = where if after is None else and_(where, place > after)
        with self._ledger.read() as connection:
            ordered = select(place).select_from(table).where(behind).order_by(place)
            last = connection.execute(ordered.offset(_LOOKED_THROUGH - 1).limit(1)).scalar_one_or_none()
            stretch = behind if last is None else and_(behind, place <= last)
            query = select(*columns).where(stretch if condition is None else and_(stretch, condition))
            return connection.execute(query.order_by(place)).all(), last


def _forget_unknown_subscribers(connection: Connection, destination: str, people: Sequence[str]) -> int:
    """Unless an event that came since is held for it."""
    held = select(events.c.id).where(
        events.c.destination == unknown_subscribers.c.destination,
        events.c.subscriber == unknown_subscribers.c.subscriber,
        events.c.status == Status.HELD,
    )
    mine = and_(unknown_subscribers.c.destination == destination, unknown_subscribers.c.subscriber.in_(people))
    return connection.execute(delete(unknown_subscribers).where(mine, ~held.exists())).rowcount


def _forget_questions(connection: Connection, people: Sequence[str]) -> None:
    """What Lumail was asked of the people, without any event."""
    asked = and_(attempts.c.event.is_(None), attempts.c.sent.in_(people))
    connection.execute(update(attempts).where(asked).values(sent=None, body=None, error=None))


def _end_requests(connection: Connection, people: Sequence[str]) -> None:
    """Of people who are erased nobody can be given a copy any more."""
    query = select(jobs.c.id, jobs.c.request).where(jobs.c.kind == Duty.COPY, jobs.c.status == OPEN)
    ours = [row.id for row in connection.execute(query) if set(row.request["people"]) & set(people)]
    connection.execute(update(jobs).where(jobs.c.id.in_(ours)).values(status=DONE))


def _prefixes(account: str | None) -> tuple[str, ...]:
    """How names of an account begin; those of its tests stand beside the others."""
    return () if account is None else (account, f"{account.removesuffix(':')}~test:")


def _begins(name: str, account: str | None) -> bool:
    return name.startswith(_prefixes(account))


def _begins_with(column: ColumnElement[Any], account: str | None) -> ColumnElement[bool]:
    return or_(literal(value=False), *(column.startswith(one, autoescape=True) for one in _prefixes(account)))


def _mentioned(request: Mapping[str, Any]) -> Callable[[bytes, Mapping[str, str], str], bool]:
    """Whether a webhook speaks of the person, or belongs to the account."""
    account = request["account"]
    if account is not None:
        name = account.split(":", 1)[1].rstrip(":")
        if name == "-":
            return lambda body, headers, url: True
        return lambda body, headers, url: name.encode() in body or name in headers.values()
    ids = [name.rpartition(":")[2] for name in (*request["memories"], *request["keys"])]
    mentions = Mentions(request["people"], ids)

    def speaks(body: bytes, headers: Mapping[str, str], url: str) -> bool:
        return mentions.are_in(body) or any(map(mentions.are_in_text, (*headers.values(), url)))

    return speaks


def _like(column: ColumnElement[Any], people: Sequence[str]) -> ColumnElement[bool]:
    """Whether a text may mention one of them; which of those do is seen by reading them."""
    text = func.lower(type_coerce(column, Text()))
    return or_(literal(value=False), *(text.contains(address, autoescape=True) for address in people))


def _raw(table: Table, name: str) -> ColumnElement[Any]:
    return type_coerce(table.c[name], Text()).label(name)


def _is_ours(table: Table, state: _State) -> ColumnElement[bool]:
    """Rows that were there when the erasure was demanded, and that nobody is at."""
    if table is events:
        return and_(events.c.created_at <= state.made_at, events.c.status.not_in(ON_THEIR_WAY))
    if table is attempts:
        under_way = select(events.c.id).where(events.c.id == attempts.c.event, events.c.status.in_(ON_THEIR_WAY))
        return and_(attempts.c.taken_at <= state.made_at, attempts.c.outcome.is_not(None), ~under_way.exists())
    if table is jobs:
        return and_(jobs.c.id != state.id, jobs.c.made_at <= state.made_at)
    if table is webhooks:
        return webhooks.c.received_at <= state.made_at
    return literal(value=True)


_TEXTS: Sequence[tuple[Table, Sequence[str], Sequence[str]]] = (
    (events, ("id",), ("data", "reason_detail", "last_error", "candidates", "read_cursor")),
    (attempts, ("id",), ("sent", "body", "error")),
    (webhooks, ("id",), ("url", "headers", "notes")),
    (schema.groups, ("id",), ("truth", "emitted", "incident")),
    (schema.edits, ("id",), ("before", "after")),
    (schema.job_items, ("job", "subject"), ("before", "explanation")),
    (jobs, ("id",), ("request", "cursor", "error")),
    (schema.rejections, ("id",), ("path", "detail")),
    (schema.pauses, ("id",), ("details",)),
    (schema.audit, ("id",), ("subject", "before", "after")),
)
"""Where a text may mention somebody: the table, its key, and the columns."""
