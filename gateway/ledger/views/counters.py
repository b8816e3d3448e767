"""How much came and went, counted once by whoever ticks, so that a chart costs the same however much it was.

`keep` counts what happened since it was called last, minute by minute, and how many events stand where. `series` and
`totals` read that, and count what is newer as they are asked. Requests that are turned away are counted when they are
written down (`add`). These are counts for charts: what is written more than LATE after its time is left out.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    CompoundSelect,
    Connection,
    Select,
    bindparam,
    case,
    delete,
    insert,
    literal,
    literal_column,
    select,
    text,
    type_coerce,
    union_all,
)
from sqlalchemy import func as sql
from sqlalchemy import update as change
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway.events import Lane
from gateway.ledger.database import Ledger
from gateway.ledger.schema import (
    counted,
    counters,
    destinations,
    events,
    from_microseconds,
    gauges,
    status_is,
    webhooks,
)
from gateway.ledger.status import UNSETTLED, Status

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
MINUTES, HOURS = 1, 60
"""How long what is kept is, in minutes."""

LATE = timedelta(seconds=30)
"""What is written later than this after its time is not counted; the door gives up after 4 s."""

EVERY = timedelta(seconds=50)
"""Who finds it counted more recently leaves it at that: each worker ticks once a minute."""

STEP = HOUR
"""How much is counted in one step at the most, where nobody has counted for long."""

SETTLED_GAUGED = (Status.DELIVERED, Status.DROPPED)
"""Statuses of which there may be millions, and which are not counted anew every minute."""

MOST_STEPS = 10
"""Steps that one call does; what is left then is counted by the next."""

KEPT = {MINUTES: timedelta(days=8), HOURS: timedelta(days=400)}
"""How long minutes and hours are kept."""

COUNTED_NOW = 2_000
"""Events of one status and lane that are counted as somebody asks."""

LIVE_ROWS = 50_000
"""What is not counted yet is counted while somebody asks, up to so many of the newest rows."""


class Measure(StrEnum):
    """What is counted, by the name of a source or destination and by a word."""

    RECEIVED = "received"
    """Webhooks by source and outcome, as it was when they were counted."""

    REJECTED = "rejected"
    """Requests that the door turned away, by source (empty: there is no such) and cause."""

    UNAVAILABLE = "unavailable"
    """Requests that were answered 503, by source and cause."""

    SETTLED = "settled"
    """Events by destination that became delivered, failed or dropped, and those that became held and still are."""


class Span(Enum):
    """What a chart shows: so many steps of so long, the last of which is still under way."""

    HOUR = ("1h", timedelta(minutes=1), 60)
    DAY = ("24h", timedelta(minutes=15), 96)
    WEEK = ("7d", timedelta(hours=1), 168)

    def __init__(self, word: str, step: timedelta, steps: int) -> None:
        self.word = word
        self.step = step
        self.steps = steps


@dataclass(frozen=True)
class Series:
    """Counts in equal steps, the oldest first, of which the first begins at `starts`.

    `counts` has for each source or destination that had any, and for each of its words, as many numbers as there are
    steps. `counted_until` is where nobody has counted further: None where nothing is missing.
    """

    starts: datetime
    step: timedelta
    steps: int
    counts: Mapping[str, Mapping[str, tuple[int, ...]]]
    counted_until: datetime | None = None

    def of(self, name: str, *words: str) -> tuple[int, ...]:
        """One source's or destination's, of these words together; of all where none is named."""
        return _sum(self.steps, [row for word, row in self.counts.get(name, {}).items() if not words or word in words])

    def total(self, *words: str) -> tuple[int, ...]:
        """That of all sources or destinations together."""
        return _sum(self.steps, [self.of(name, *words) for name in self.counts])


def series(connection: Connection, measure: Measure, span: Span, now: datetime) -> Series:
    """What happened in the newest `span`, by name and word."""
    starts = _floor(now, span.step) - (span.steps - 1) * span.step
    counts, counted_until = _read(connection, measure, HOURS if span.step >= HOUR else MINUTES, starts, now)
    found: dict[str, dict[str, list[int]]] = {}
    for (at, name, word), count in counts.items():
        position = (at - starts) // span.step
        if 0 <= position < span.steps:
            found.setdefault(name, {}).setdefault(word, [0] * span.steps)[position] += count
    told = {name: {word: tuple(row) for word, row in sorted(of.items())} for name, of in sorted(found.items())}
    return Series(starts, span.step, span.steps, told, counted_until)


def totals(
    connection: Connection, measure: Measure, now: datetime, since: timedelta = timedelta(hours=24)
) -> dict[str, dict[str, int]]:
    """How often each word was counted of each name, from the minute that was `since` ago on."""
    starts = _floor(now - since, MINUTE)
    counts, _ = _read(connection, measure, HOURS, starts, now)
    found: dict[str, dict[str, int]] = {}
    for (_at, name, word), count in counts.items():
        of_name = found.setdefault(name, {})
        of_name[word] = of_name.get(word, 0) + count
    return {name: dict(sorted(of.items())) for name, of in sorted(found.items())}


def gauge(connection: Connection) -> Mapping[tuple[str, str, int], int]:
    """How many events stood in each destination, status and lane when that was counted last."""
    rows = connection.execute(select(gauges.c.destination, gauges.c.status, gauges.c.lane, gauges.c.count))
    return {(destination, status, lane): count for destination, status, lane, count in rows}


def by_state(
    connection: Connection, destination: str, statuses: Sequence[Status] = tuple(Status)
) -> dict[tuple[str, int], int]:
    """How many events of a destination have each status and lane: counted now where they are few, else as they were
    counted last, up to two minutes ago.
    """
    former = gauge(connection)
    found = {}
    for status, lane, count in connection.execute(_counted_of(tuple(statuses)), {"of_destination": destination}):
        known = former.get((destination, status, lane), 0)
        found[status, lane] = max(known, count) if count == COUNTED_NOW else count
    return found


@cache
def _counted_of(statuses: tuple[Status, ...]) -> CompoundSelect[Any]:
    return union_all(*(_counted(status, lane) for status in statuses for lane in Lane))


def _counted(status: Status, lane: Lane) -> Select[Any]:
    """Through the index, up to COUNTED_NOW; of what were twice as many none is counted now."""
    former = (
        select(gauges.c.count)
        .where(
            gauges.c.destination == bindparam("of_destination"),
            gauges.c.status == status.value,
            gauges.c.lane == int(lane),
        )
        .scalar_subquery()
    )
    of_one: Select[Any] = select(literal_column("1")).where(
        events.c.destination == bindparam("of_destination"),
        events.c.status == status.value,
        events.c.lane == int(lane),
    )
    count = select(sql.count()).select_from(of_one.limit(COUNTED_NOW).subquery()).scalar_subquery()
    many: Any = literal_column(str(COUNTED_NOW))
    told = case((sql.coalesce(former, 0) >= 2 * COUNTED_NOW, many), else_=count)
    return select(literal(status.value), literal(int(lane)), told)


def add(connection: Connection, measure: Measure, at: datetime, counts: Mapping[tuple[str, str], int]) -> None:
    """Count these, by name and word, at once."""
    _write(connection, measure, Counter({(_floor(at, MINUTE), *of): count for of, count in counts.items()}))


def keep(ledger: Ledger) -> None:
    """Count what happened since this was last done, by whomever; the others of several who do it at once do nothing."""
    for _ in range(MOST_STEPS):
        if not _step(ledger):
            break
    _take_gauges(ledger)
    _take_settled(ledger)


def _step(ledger: Ledger) -> bool:
    """Count one step; whether there is another."""
    with ledger.read() as connection:
        ends = _floor(ledger.now(connection) - LATE, MINUTE)
        was = _counted_until(connection, "counters")
        starts = _beginning(connection, ends) if was is None else was
        until = min(ends, starts + STEP)
        if until <= starts and was is not None:
            return False
        counts = {measure: counting(connection, starts, until, None) for measure, counting in _COUNTING.items()}
    with ledger.write() as connection:
        if not _advance(connection, "counters", was, until):
            return False
        for measure, of in counts.items():
            _write(connection, measure, of)
        for minutes, kept in KEPT.items():
            connection.execute(delete(counters).where(counters.c.minutes == minutes, counters.c.at < until - kept))
    return until < ends


def _take_gauges(ledger: Ledger) -> None:
    """Write down how many events are unsettled, unless somebody did so just now."""
    with ledger.read() as connection:
        now = ledger.now(connection)
        was = _counted_until(connection, "gauges")
        if was is not None and was <= now < was + EVERY:
            return
        of = (events.c.destination, events.c.status, events.c.lane)
        query = select(*of, sql.count().label("count")).where(events.c.status.in_(UNSETTLED)).group_by(*of)
        found = [dict(row) for row in connection.execute(query).mappings()]
    with ledger.write() as connection:
        if _advance(connection, "gauges", was, now):
            connection.execute(delete(gauges).where(gauges.c.status.in_(UNSETTLED)))
            if found:
                connection.execute(insert(gauges), found)


def _take_settled(ledger: Ledger) -> None:
    """Add what was settled since to how many are; all are counted anew once an hour, since some go again."""
    with ledger.read() as connection:
        now = ledger.now(connection)
        was, all_at = (_counted_until(connection, name) for name in ("settled", "settled_anew"))
        until = now - LATE
        anew = all_at is None or not all_at <= now < all_at + HOUR
        if not anew and was is not None and until < was + EVERY:
            return
        of = (events.c.destination, events.c.status, events.c.lane)
        query = select(*of, sql.count().label("count")).group_by(*of)
        if anew:
            query = query.where(events.c.status.in_(SETTLED_GAUGED))
        else:
            between = (events.c.settled_at >= was, events.c.settled_at < until)
            query = query.where(text("events.settled_at IS NOT NULL"), *between, events.c.status.in_(SETTLED_GAUGED))
        found = [dict(row) for row in connection.execute(query).mappings()]
    with ledger.write() as connection:
        if not _advance(connection, "settled", was, until):
            return
        if anew:
            _advance(connection, "settled_anew", all_at, now)
            connection.execute(delete(gauges).where(gauges.c.status.in_(SETTLED_GAUGED)))
        if found:
            _add_gauges(connection, found)


def _add_gauges(connection: Connection, found: Sequence[Mapping[str, Any]]) -> None:
    into = (sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert)(gauges)
    upsert = into.on_conflict_do_update(
        index_elements=list(gauges.primary_key.columns), set_={"count": gauges.c.count + into.excluded["count"]}
    )
    connection.execute(upsert, list(found))


def _counted_until(connection: Connection, name: str) -> datetime | None:
    found: datetime | None = connection.execute(
        select(counted.c.until).where(counted.c.name == name)
    ).scalar_one_or_none()
    return found


def _advance(connection: Connection, name: str, was: datetime | None, until: datetime) -> bool:
    """Whether it was this caller that moved it on; of several who started at the same point only one does."""
    if was is None:
        into = (sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert)(counted)
        begun = into.values(name=name, until=until).on_conflict_do_nothing().returning(counted.c.name)
        return connection.execute(begun).first() is not None
    moved = change(counted).where(counted.c.name == name, counted.c.until == was).values(until=until)
    return connection.execute(moved).rowcount == 1


def _beginning(connection: Connection, ends: datetime) -> datetime:
    """Where a ledger is counted from that nobody has counted yet."""
    first = connection.execute(select(sql.min(webhooks.c.received_at))).scalar_one()
    return ends if first is None else min(ends, max(_floor(first, MINUTE), ends - KEPT[MINUTES]))


# Counting

_Counts = Counter[tuple[datetime, str, str]]
"""How often, by the minute's or hour's beginning, a name and a word."""


def _grouped(connection: Connection, rows: Select[Any]) -> _Counts:
    """The counts of a query of instants, names and words."""
    at, name, word = rows.subquery().c
    minute = type_coerce(at, BigInteger).op("/")(literal_column("60000000"))
    query = select(minute, name, word, sql.count()).group_by(minute, name, word)
    return Counter(
        {(from_microseconds(int(begun) * 60_000_000), of, said): n for begun, of, said, n in connection.execute(query)}
    )


def _received(connection: Connection, starts: datetime, until: datetime | None, most: int | None) -> _Counts:
    at = webhooks.c.received_at
    return _grouped(connection, _between(select(at, webhooks.c.source, webhooks.c.outcome), at, starts, until, most))


def _settled(connection: Connection, starts: datetime, until: datetime | None, most: int | None) -> _Counts:
    at = events.c.settled_at
    rows = select(at, events.c.destination, events.c.status).where(text("events.settled_at IS NOT NULL"))
    found = _grouped(connection, _between(rows, at, starts, until, most))
    at = events.c.held_at
    for name in connection.execute(select(destinations.c.name)).scalars():
        of_one = (status_is(Status.HELD), events.c.destination == name)
        rows = select(at, events.c.destination, events.c.status).where(*of_one)
        found += _grouped(connection, _between(rows, at, starts, until, most))
    return found


def _between(
    rows: Select[Any], at: Column[datetime], starts: datetime, until: datetime | None, most: int | None
) -> Select[Any]:
    """Those rows from `starts` until before `until`; the newest where there are more than `most`."""
    rows = rows.where(at >= starts)
    if until is not None:
        rows = rows.where(at < until)
    return rows if most is None else rows.order_by(at.desc()).limit(most)


_COUNTING: Mapping[Measure, Callable[[Connection, datetime, datetime | None, int | None], _Counts]] = {
    Measure.RECEIVED: _received,
    Measure.SETTLED: _settled,
}
"""How each measure is counted; what was rejected is counted when it is written down."""


# Reading and writing


def _read(
    connection: Connection, measure: Measure, minutes: int, starts: datetime, now: datetime
) -> tuple[_Counts, datetime | None]:
    """Counts from `starts` on, in minutes or hours, and those not counted yet; until when they are, if any are left."""
    whole = starts if minutes == HOURS else now + MINUTE
    if minutes == HOURS and starts != _floor(starts, HOUR):
        whole = _floor(starts, HOUR) + HOUR
    found = _tallied(connection, measure, MINUTES, starts, whole) if whole > starts else Counter()
    if minutes == HOURS:
        found += _tallied(connection, measure, HOURS, whole, now + MINUTE)
    counting = _COUNTING.get(measure)
    if counting is None:
        return found, None
    counted_until = _counted_until(connection, "counters")
    live = counting(connection, max(starts, counted_until or starts), None, LIVE_ROWS)
    return found + live, counted_until if live.total() >= LIVE_ROWS else None


def _tallied(connection: Connection, measure: Measure, minutes: int, starts: datetime, until: datetime) -> _Counts:
    query = select(counters.c.at, counters.c.name, counters.c.word, counters.c.count).where(
        counters.c.minutes == minutes,
        counters.c.at >= starts,
        counters.c.at < until,
        counters.c.measure == measure.value,
    )
    return Counter({(at, name, word): count for at, name, word, count in connection.execute(query)})


def _write(connection: Connection, measure: Measure, counts: _Counts) -> None:
    """Add these to the minutes and the hours, in one order so that two writers don't wait for each other crosswise."""
    sums: Counter[tuple[int, datetime, str, str]] = Counter()
    for (at, name, word), count in counts.items():
        sums[MINUTES, at, name[:100], word[:40]] += count
        sums[HOURS, _floor(at, HOUR), name[:100], word[:40]] += count
    if not sums:
        return
    into = (sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert)(counters)
    upsert = into.on_conflict_do_update(
        index_elements=list(counters.primary_key.columns),
        set_={"count": counters.c.count + into.excluded["count"]},
    )
    rows = [
        {"minutes": minutes, "at": at, "measure": measure.value, "name": name, "word": word, "count": count}
        for (minutes, at, name, word), count in sorted(sums.items())
    ]
    connection.execute(upsert, rows)


def _floor(instant: datetime, step: timedelta) -> datetime:
    """The beginning of the minute, quarter or hour."""
    return instant - (instant - _EPOCH) % step


def _sum(steps: int, rows: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*rows, strict=True))) if rows else (0,) * steps
