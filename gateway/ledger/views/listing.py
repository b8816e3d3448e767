"""Long lists of events and webhooks, a page at a time, both ways, at a cost that does not grow with the ledger.

What is asked for is looked up along an index that has the order of the list. What no index tells (a part of an
address, an error, a second filter) is looked for in the next LOOKED_THROUGH rows only; a page then says how far it has
looked, and the next goes on from there.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, Table, literal_column, or_, select
from sqlalchemy import func as sql

from gateway.events import EventType, Lane, lanes_of
from gateway.ledger.paging import Place
from gateway.ledger.schema import events, webhooks
from gateway.ledger.status import Outcome, Status
from gateway.ledger.views import search, text_search
from gateway.ledger.views.search import Filters, Row

PAGE = 50

MOST_COUNTED = 10_000
"""Further than this nobody counts."""

LOOKED_THROUGH = 10_000
"""Rows that one page looks through for what no index tells."""

COUNTED_THROUGH = 5_000
"""The same, to count."""

STATUSES = tuple(status.value for status in Status)


@dataclass(frozen=True)
class Ask:
    """Which page: the rows behind `older`, or before `newer`, or the newest; `limit` of them at the most.

    `reach` is how many rows are looked through for what no index tells.
    """

    older: Place | None = None
    newer: Place | None = None
    limit: int = PAGE
    reach: int = LOOKED_THROUGH


NEWEST = Ask()
_COUNTING = Ask(reach=COUNTED_THROUGH)


@dataclass(frozen=True)
class Page:
    """The newest first. `older` and `newer` say where the neighbouring pages begin, None where the list ends.

    `looked_to` is set where nobody looked further than to this time, so that the page may be short.
    """

    rows: Sequence[Row]
    older: Place | None = None
    newer: Place | None = None
    looked_to: datetime | None = None


@dataclass(frozen=True)
class Newest:
    """The newest first. `after` is the id to go on with, None where this is the end."""

    rows: Sequence[Row]
    after: str | None


@dataclass(frozen=True)
class Count:
    """`number` or, with `more`, at least so many. `looked_to`: of those not older than this."""

    number: int
    more: bool = False
    looked_to: datetime | None = None


def events_page(connection: Connection, filters: Filters, ask: Ask = NEWEST) -> Page:
    return _page(connection, _of_events(connection, filters), ask)


def webhooks_page(connection: Connection, filters: Filters, ask: Ask = NEWEST) -> Page:
    """Webhooks without headers and bodies."""
    return _page(connection, _of_webhooks(connection, filters), ask)


def counted_by(page: Page, ask: Ask) -> Count | None:
    """How many there are, where a page that shows the newest has shown that already."""
    if ask != NEWEST or (page.older is not None and page.looked_to is None):
        return None
    return Count(len(page.rows), more=page.looked_to is not None, looked_to=page.looked_to)


def count_events(
    connection: Connection, filters: Filters, *, newer: Place | None = None, most: int = MOST_COUNTED
) -> Count:
    """How many there are, of those newer than a place where one is given."""
    return _count(connection, _of_events(connection, filters), newer, most)


def count_webhooks(
    connection: Connection, filters: Filters, *, newer: Place | None = None, most: int = MOST_COUNTED
) -> Count:
    return _count(connection, _of_webhooks(connection, filters), newer, most)


def newest_events(connection: Connection, filters: Filters, limit: int, after: str | None = None) -> Newest:
    """Up to `limit` events that follow the event `after`, however far they have to be looked for."""
    return _newest(connection, _of_events(connection, filters), limit, after)


def newest_webhooks(connection: Connection, filters: Filters, limit: int, after: str | None = None) -> Newest:
    return _newest(connection, _of_webhooks(connection, filters), limit, after)


@dataclass(frozen=True)
class Kind:
    """A kind of list."""

    page: Callable[[Connection, Filters, Ask], Page]
    count: Callable[..., Count]


EVENTS = Kind(events_page, count_events)
WEBHOOKS = Kind(webhooks_page, count_webhooks)


@dataclass(frozen=True)
class _Way:
    """An index along which rows are found in the order of the list. `covers` names the filters that it answers.

    `ordered` False: few rows in any order.
    """

    where: tuple[ColumnElement[bool], ...] = ()
    covers: frozenset[str] = frozenset()
    index: str | None = None
    ordered: bool = True


@dataclass(frozen=True)
class _List:
    """What is listed: all of `conditions`, looked up along each of the `ways`."""

    table: Table
    at: Column[datetime]
    columns: Sequence[Column[Any]]
    conditions: tuple[ColumnElement[bool], ...]
    ways: Sequence[_Way]
    said: frozenset[str] = field(default=frozenset())

    @property
    def id(self) -> Column[str]:
        return self.table.c.id


_OF_EVENTS = tuple(
    events.c[name]
    for name in (
        *(
            "id",
            "created_at",
            "occurred_at",
            "status",
            "reason",
            "reason_detail",
            "former_reason",
            "type",
            "lane",
            "subscriber",
            "source",
            "destination",
        ),
        *("webhook", "due_at", "settled_at", "tries", "last_error", "lumail_event_id", "candidates"),
    )
)
_OF_WEBHOOKS = tuple(column for column in webhooks.c if column.name not in ("headers", "body"))


def _of_events(connection: Connection, filters: Filters) -> _List:
    conditions = search.of_events(connection, replace(filters, text=None))
    found = None
    if filters.text is not None:
        found = text_search.events_by_text(connection, filters.text)
        conditions.append(text_search.contains_text(filters.text) if found is None else found)
    return _List(
        events,
        events.c.created_at,
        _OF_EVENTS,
        tuple(conditions),
        _ways_to_events(connection, filters, found),
        frozenset(search.said(filters)) - {"since", "until"},
    )


_MANY = frozenset({Status.DELIVERED, Status.DROPPED})
"""Statuses that most events have in the end."""


def _ways_to_events(connection: Connection, filters: Filters, found: ColumnElement[bool] | None) -> Sequence[_Way]:
    if found is not None:
        return [_Way((found,), frozenset({"text"}), ordered=False)]
    names = text_search.destinations(connection)
    if filters.subscriber is not None:
        mine = (events.c.destination.in_(names), events.c.subscriber == filters.subscriber)
        return [_Way(mine, frozenset({"subscriber"}), ordered=False)]
    if filters.refused_in is not None:
        return [_Way((search.of_run(filters.refused_in),), frozenset({"refused_in"}), ordered=False)]
    if filters.incident is not None:
        return [_Way((search.of_incident(),), frozenset({"incident"}), ordered=False)]
    if filters.error is not None and filters.status is None:
        return [_Way((search.has_reason(),), index="events_with_reason")]
    lanes = _lanes(filters)
    is_bulk = filters.status is None and Lane.BULK in lanes
    if filters.source is not None and (is_bulk or filters.status in _MANY):
        of_source = (events.c.source == filters.source,)
        return [_Way(of_source, frozenset({"source"}), "events_of_source")]
    if is_bulk and filters.destination is None:  # most events are
        return [_Way(index="events_by_time")]
    covers = frozenset({"status", "lane", "destination"})
    return [
        _Way(
            (events.c.destination == name, events.c.status == status, events.c.lane == int(lane)),
            covers,
            "events_by_status",
        )
        for name in ([filters.destination] if filters.destination is not None else names)
        for status in ([filters.status] if filters.status is not None else STATUSES)
        for lane in lanes
    ]


def _lanes(filters: Filters) -> list[Lane]:
    if filters.lane is not None:
        return [filters.lane]
    if filters.type is None:
        return list(Lane)
    try:
        return sorted(lanes_of(EventType(filters.type)))
    except ValueError:
        return list(Lane)


def _of_webhooks(connection: Connection, filters: Filters) -> _List:
    way = _way_to_webhooks(connection, filters)
    conditions = search.of_webhooks(connection, replace(filters, text=None))
    return _List(
        webhooks,
        webhooks.c.received_at,
        _OF_WEBHOOKS,
        (*conditions, *way.where),
        [way],
        frozenset(search.said(filters)) - {"since", "until"},
    )


def _way_to_webhooks(connection: Connection, filters: Filters) -> _Way:
    if filters.delivery_id is not None:
        return _Way((webhooks.c.delivery_id == filters.delivery_id,), ordered=False)
    if filters.text is not None:
        return _Way((text_search.webhooks_of(connection, filters.text),), ordered=False)
    if filters.subscriber is not None:
        return _Way((text_search.webhooks_about(connection, filters.subscriber),), ordered=False)
    of_source = () if filters.source is None else (webhooks.c.source == filters.source,)
    if filters.status == Outcome.QUARANTINED:
        index = "webhooks_in_quarantine" if of_source else "webhooks_quarantined"
        where = (*of_source, search.in_quarantine())
        return _Way(where, frozenset({"status", "source"}), index)
    if of_source:
        return _Way(of_source, frozenset({"source"}), "webhooks_by_source")
    return _Way(index="webhooks_by_time")


# Looking


def _page(connection: Connection, listed: _List, ask: Ask) -> Page:
    older, newer, limit = ask.older, ask.newer, ask.limit
    upwards = newer is not None and older is None
    bounds = _bounds(listed, older, newer)
    found: list[Row] = []
    looked: list[datetime] = []
    for way in listed.ways:
        limits = (*way.where, *bounds)
        end = _end(connection, listed, way, limits, ask)
        if end is not None:
            looked.append(end)
            limits = (*limits, listed.at <= end if upwards else listed.at >= end)
        query = _along(listed, way, select(*listed.columns)).where(*limits, *listed.conditions)
        found += _rows(connection, _ordered(listed, query, upwards=upwards).limit(limit + 1))
    cut = (min(looked) if upwards else max(looked)) if looked else None
    rows = sorted((row for row in found if _is_within(listed, row, cut, upwards=upwards)), key=_key(listed))
    rows = rows[: limit + 1] if upwards else rows[::-1][: limit + 1]
    more = len(rows) > limit
    shown = rows[:limit]
    if upwards:
        shown = shown[::-1]
    further = None
    if more:
        further = _place(listed, shown[0 if upwards else -1])
    elif cut is not None:
        further = Place(cut, "~" if upwards else "")
    if upwards:
        behind = _place(listed, shown[-1]) if shown else newer
        return Page(shown, older=behind, newer=further, looked_to=None if more else cut)
    before = (_place(listed, shown[0]) if shown else older) if older is not None else None
    return Page(shown, older=further, newer=before, looked_to=None if more else cut)


def _newest(connection: Connection, listed: _List, limit: int, after: str | None) -> Newest:
    place = None if after is None else _place_of(connection, listed, after)
    if after is not None and place is None:
        return Newest((), None)
    rows: list[Row] = []
    while len(rows) <= limit:
        page = _page(connection, listed, Ask(older=place, limit=limit + 1 - len(rows)))
        rows += page.rows
        place = page.older
        if place is None:
            break
    return Newest(rows[:limit], rows[limit - 1]["id"] if len(rows) > limit else None)


def _place_of(connection: Connection, listed: _List, identity: str) -> Place | None:
    at = connection.execute(select(listed.at).where(listed.id == identity)).scalar_one_or_none()
    return None if at is None else Place(at, identity)


def _count(connection: Connection, listed: _List, newer: Place | None, most: int) -> Count:
    number = 0
    looked: list[datetime] = []
    bounds = _bounds(listed, None, newer)
    for way in listed.ways:
        limits = (*way.where, *bounds)
        end = _end(connection, listed, way, limits, _COUNTING)
        if end is not None:
            looked.append(end)
            limits = (*limits, listed.at >= end)
        one = _along(listed, way, select(literal_column("1")).select_from(listed.table))
        matching = one.where(*limits, *listed.conditions).limit(most + 1 - number)
        number += int(connection.execute(select(sql.count()).select_from(matching.subquery())).scalar_one())
        if number > most:
            return Count(most, more=True)
    return Count(number, bool(looked), max(looked, default=None))


def _end(
    connection: Connection, listed: _List, way: _Way, limits: Iterable[ColumnElement[bool]], ask: Ask
) -> datetime | None:
    """Up to when this way is looked along; None: to its end, since each row on it is asked for, or there are few."""
    if not way.ordered or not listed.said - way.covers:
        return None
    share = max(ask.reach // len(listed.ways), 1)
    upwards = ask.newer is not None and ask.older is None
    query = _along(listed, way, select(listed.at)).where(*limits).order_by(listed.at if upwards else listed.at.desc())
    end: datetime | None = connection.execute(query.offset(share - 1).limit(1)).scalar_one_or_none()
    return end


def _along(listed: _List, way: _Way, query: Select[Any]) -> Select[Any]:
    """SQLite knows nothing of how many rows have which value, and takes the index that compares the most columns."""
    if way.index is None:
        return query
    return query.with_hint(listed.table, f"INDEXED BY {way.index}", "sqlite")


def _bounds(listed: _List, older: Place | None, newer: Place | None) -> tuple[ColumnElement[bool], ...]:
    at, identity = listed.at, listed.id
    if older is not None:
        return (at <= older.at, or_(at < older.at, identity < older.id))
    if newer is not None:
        return (at >= newer.at, or_(at > newer.at, identity > newer.id))
    return ()


def _ordered(listed: _List, query: Select[Any], *, upwards: bool) -> Select[Any]:
    return query.order_by(*((listed.at, listed.id) if upwards else (listed.at.desc(), listed.id.desc())))


def _is_within(listed: _List, row: Row, cut: datetime | None, *, upwards: bool) -> bool:
    if cut is None:
        return True
    at: datetime = row[listed.at.name]
    return at <= cut if upwards else at >= cut


def _key(listed: _List) -> Any:
    return lambda row: (row[listed.at.name], row["id"])


def _place(listed: _List, row: Row) -> Place:
    return Place(row[listed.at.name], row["id"])


def _rows(connection: Connection, query: Select[Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(query).mappings()]
