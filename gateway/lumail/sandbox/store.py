"""What the sandbox has recorded: subscribers, events and the log of requests, in SQLite."""

import json
import secrets
import sqlite3
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

REQUESTS_KEPT = 1_000_000
_TRIM_EVERY = 10_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS subscribers (
    id TEXT PRIMARY KEY, organization TEXT NOT NULL, email TEXT NOT NULL, name TEXT, phone TEXT,
    status TEXT NOT NULL, tags TEXT NOT NULL, fields TEXT NOT NULL, revenue TEXT NOT NULL,
    UNIQUE (organization, email)
);
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, organization TEXT NOT NULL, type TEXT NOT NULL,
    subscriber_id TEXT NOT NULL, received TEXT NOT NULL, data TEXT NOT NULL,
    created_at REAL NOT NULL, recorded_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS events_of_subscriber ON events (subscriber_id, created_at, seq);
CREATE TABLE IF NOT EXISTS requests (
    seq INTEGER PRIMARY KEY, time REAL NOT NULL, organization TEXT, method TEXT NOT NULL, path TEXT NOT NULL,
    status INTEGER, fault TEXT, event_id TEXT
);
"""

_EVENTS = (
    "SELECT e.seq, e.id AS event_id, e.type, e.received, e.data, e.created_at, e.recorded_at, s.*"
    " FROM events e JOIN subscribers s ON s.id = e.subscriber_id"
)


@dataclass(frozen=True)
class Person:
    """A subscriber as it is kept; `revenue` is what payments added up to."""

    id: str
    organization: str
    email: str
    name: str | None
    phone: str | None
    status: str
    tags: tuple[Any, ...]
    fields: Mapping[str, Any]
    revenue: Decimal


@dataclass(frozen=True)
class Record:
    """An event as it is kept. `received` is the data as sent, `data` the part of it that is shown again.

    `created_at` is in the sandbox's clock, `recorded_at` in the true one; both Unix seconds.
    """

    seq: int
    id: str
    organization: str
    type: str
    received: Mapping[str, Any]
    data: Mapping[str, Any]
    created_at: float
    recorded_at: float
    person: Person


@dataclass(frozen=True)
class NewRecord:
    """An event to be kept; `revenue` is what it adds to its subscriber's."""

    person: Person
    type: str
    received: Mapping[str, Any]
    data: Mapping[str, Any]
    created_at: float
    recorded_at: float
    revenue: Decimal = Decimal(0)


@dataclass(frozen=True)
class RequestRow:
    """One request; `status` None where no whole answer was given, `time` in true Unix seconds."""

    time: float
    organization: str | None
    method: str
    path: str
    status: int | None
    fault: str | None
    event_id: str | None


@dataclass(frozen=True)
class Slice:
    """Which of a subscriber's events are wanted; times are in the sandbox's clock, `after` is (created_at, seq)."""

    types: Sequence[str] | None
    descending: bool
    start: float | None
    end: float | None
    search: str | None
    recorded_by: float
    after: tuple[float, int] | None
    take: int


class Store:
    """One connection under one lock. A commit is a write to the log without fsync: it survives the process's death,
    which is what tests inflict, and costs microseconds."""

    def __init__(self, folder: Path | None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(
            folder / "sandbox.db" if folder else ":memory:", check_same_thread=False, isolation_level=None
        )
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.executescript(_SCHEMA)
        self._lock = threading.Lock()
        self._logged = 0
        self._request_counts: Counter[tuple[int | None, str | None]] = Counter()
        for row in self._all("SELECT status, fault, count(*) AS n FROM requests GROUP BY status, fault"):
            self._request_counts[row["status"], row["fault"]] = row["n"]

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def clear(self) -> None:
        with self._lock:
            self._connection.executescript("DELETE FROM events; DELETE FROM subscribers; DELETE FROM requests;")
            self._request_counts.clear()

    def person(self, organization: str, subscriber: str) -> Person | None:
        """By id or e-mail address."""
        column = "email" if "@" in subscriber else "id"
        wanted = subscriber.strip().lower() if column == "email" else subscriber
        rows = self._all(
            f"SELECT * FROM subscribers WHERE organization = ? AND {column} = ?",  # noqa: S608  # one of two constants
            (organization, wanted),
        )
        return _person(rows[0]) if rows else None

    def add_person(self, organization: str, email: str) -> Person:
        """The subscriber of this address, made where there is none."""
        self._all(
            "INSERT INTO subscribers VALUES (?, ?, ?, NULL, NULL, 'SUBSCRIBED', '[]', '{}', '0')"
            " ON CONFLICT DO NOTHING",
            (f"sub_{secrets.token_hex(8)}", organization, email.strip().lower()),
        )
        person = self.person(organization, email)
        if person is None:
            raise LookupError("a subscriber that was just made is gone")
        return person

    def update_person(self, person: Person) -> Person:
        """Write name, phone, status, tags and fields."""
        self._all(
            "UPDATE subscribers SET name = ?, phone = ?, status = ?, tags = ?, fields = ? WHERE id = ?",
            (person.name, person.phone, person.status, json.dumps(person.tags), json.dumps(person.fields), person.id),
        )
        return person

    def count_subscribers(self, organization: str) -> int:
        count: int = self._all("SELECT count(*) FROM subscribers WHERE organization = ?", (organization,))[0][0]
        return count

    def add_event(self, new: NewRecord) -> str:
        """Keep an event and raise its subscriber's revenue, in one transaction; returns its id."""
        event_id = f"evt_{secrets.token_hex(12)}"
        values = (event_id, new.person.organization, new.type, new.person.id, json.dumps(new.received))
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(
                "INSERT INTO events (id, organization, type, subscriber_id, received, data, created_at, recorded_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, json.dumps(new.data), new.created_at, new.recorded_at),
            )
            if new.revenue:
                (now,) = self._connection.execute(
                    "SELECT revenue FROM subscribers WHERE id = ?", (new.person.id,)
                ).fetchone()
                self._connection.execute(
                    "UPDATE subscribers SET revenue = ? WHERE id = ?",
                    (str(Decimal(now) + new.revenue), new.person.id),
                )
        return event_id

    def events_of(self, person: Person, wanted: Slice) -> list[Record]:
        """In the order of their creation, as `wanted` says."""
        order, later = ("DESC", "<") if wanted.descending else ("ASC", ">")
        conditions: list[tuple[str, tuple[Any, ...]]] = [
            ("e.subscriber_id = ?", (person.id,)),
            ("e.recorded_at <= ?", (wanted.recorded_by,)),
        ]
        if wanted.types is not None:
            conditions.append((f"e.type IN ({', '.join('?' * len(wanted.types))})", tuple(wanted.types)))
        if wanted.start is not None:
            conditions.append(("e.created_at >= ?", (wanted.start,)))
        if wanted.end is not None:
            conditions.append(("e.created_at <= ?", (wanted.end,)))
        if wanted.search is not None:
            text = "lower(e.data || ' ' || s.email || ' ' || coalesce(s.name, ''))"
            conditions.append((f"instr({text}, lower(?))", (wanted.search,)))
        if wanted.after is not None:
            conditions.append((f"(e.created_at, e.seq) {later} (?, ?)", wanted.after))
        where = " AND ".join(text for text, _ in conditions)
        values = [value for _, each in conditions for value in each]
        return self._events(
            f"WHERE {where} ORDER BY e.created_at {order}, e.seq {order} LIMIT ?", (*values, wanted.take)
        )

    def events(self, after: int = 0, limit: int = -1) -> list[Record]:
        """Of all organizations, the oldest first."""
        return self._events("WHERE e.seq > ? ORDER BY e.seq LIMIT ?", (after, limit))

    def newest_events(self, limit: int) -> list[Record]:
        return self._events("ORDER BY e.seq DESC LIMIT ?", (limit,))

    def subscribers(self, limit: int) -> list[Person]:
        """Those with the most revenue first."""
        rows = self._all("SELECT * FROM subscribers ORDER BY CAST(revenue AS REAL) DESC, rowid DESC LIMIT ?", (limit,))
        return [_person(row) for row in rows]

    def counts(self) -> tuple[int, int]:
        """How many events and subscribers there are."""
        row = self._all("SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM subscribers)")[0]
        return row[0], row[1]

    def log(self, row: RequestRow) -> None:
        self._all(
            "INSERT INTO requests (time, organization, method, path, status, fault, event_id)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (row.time, row.organization, row.method, row.path, row.status, row.fault, row.event_id),
        )
        with self._lock:
            self._request_counts[row.status, row.fault] += 1
            self._logged += 1
            if self._logged % _TRIM_EVERY == 0:
                self._connection.execute(
                    "DELETE FROM requests WHERE seq <= (SELECT max(seq) FROM requests) - ?", (REQUESTS_KEPT,)
                )

    def request_counts(self) -> dict[tuple[int | None, str | None], int]:
        """How many requests there were of each status and fault."""
        with self._lock:
            return dict(self._request_counts)

    def requests(self, after: int = 0, limit: int = -1) -> list[dict[str, Any]]:
        """The oldest first, as they are shown."""
        return [
            dict(row) for row in self._all("SELECT * FROM requests WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
        ]

    def request_times(self, since: float) -> list[tuple[str, float]]:
        """Organization and time of the requests that were counted against a limit."""
        rows = self._all(
            "SELECT organization, time FROM requests WHERE time > ? AND organization IS NOT NULL"
            " AND (status IS NULL OR status <> 429 OR fault IS NOT NULL) ORDER BY seq",
            (since,),
        )
        return [(row[0], row[1]) for row in rows]

    def _events(self, rest: str, values: Sequence[Any]) -> list[Record]:
        return [_record(row) for row in self._all(f"{_EVENTS} {rest}", values)]

    def _all(self, statement: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()


def _person(row: sqlite3.Row) -> Person:
    return Person(
        id=row["id"],
        organization=row["organization"],
        email=row["email"],
        name=row["name"],
        phone=row["phone"],
        status=row["status"],
        tags=tuple(json.loads(row["tags"])),
        fields=json.loads(row["fields"]),
        revenue=Decimal(row["revenue"]),
    )


def _record(row: sqlite3.Row) -> Record:
    return Record(
        seq=row["seq"],
        id=row["event_id"],
        organization=row["organization"],
        type=row["type"],
        received=json.loads(row["received"]),
        data=json.loads(row["data"]),
        created_at=row["created_at"],
        recorded_at=row["recorded_at"],
        person=_person(row),
    )
