"""Which events or webhooks a bulk replay is about, and what it would do with them before anybody presses."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from gateway.errors import CommandError
from gateway.events import Lane
from gateway.intake.route import Route
from gateway.ledger.database import Ledger
from gateway.ledger.facts.known_events import events_of
from gateway.ledger.jobs.jobs import EVENTS, WEBHOOKS
from gateway.ledger.outbox import duplicates
from gateway.ledger.paging import Place
from gateway.ledger.schema import from_microseconds
from gateway.ledger.views import listing
from gateway.ledger.views.listing import Ask, Count
from gateway.ledger.views.search import Filters, Row
from gateway.replay import pace
from gateway.replay.sending import FORCIBLE, Cause, refusal, stands
from gateway.replay.translating import Verdict, foresee, kept, translated_again

FIRST = Place(from_microseconds(0), "")
"""Before all that a list can hold."""

MOST_COUNTED = 1_000_000
"""Further than this nobody counts before a replay begins."""

SAMPLE = 500
"""Events whose fate is looked up for a preview; that of the others is like theirs."""

TRIED = 50
"""Webhooks that are translated for a preview."""


@dataclass(frozen=True)
class Selection:
    """What somebody wants replayed: `kind` is one of `jobs.EVENTS` and `jobs.WEBHOOKS`."""

    kind: str
    filters: Filters
    force: bool = False

    def as_request(self) -> dict[str, Any]:
        """As the ledger keeps it."""
        said = {one.name: getattr(self.filters, one.name) for one in fields(Filters)}
        return {
            "filters": {name: _written(value) for name, value in said.items() if value is not None},
            "force": self.force,
        }

    @classmethod
    def from_request(cls, kind: str, request: Mapping[str, Any]) -> "Selection":
        said = {name: _read(name, value) for name, value in request["filters"].items()}
        return cls(kind, Filters(**said), request["force"])


_KINDS = {EVENTS: listing.EVENTS, WEBHOOKS: listing.WEBHOOKS}


def of_destination(selection: Selection, destination: str) -> Selection:
    return replace(selection, filters=replace(selection.filters, destination=destination))


def page(connection: Connection, selection: Selection, after: Place, limit: int) -> listing.Page:
    """The oldest that follow, the newest of them first; its `newer` is where to go on, None: that is all."""
    return _KINDS[selection.kind].page(connection, selection.filters, Ask(newer=after, limit=limit))


def count(connection: Connection, selection: Selection) -> Count:
    return _KINDS[selection.kind].count(connection, selection.filters, most=MOST_COUNTED)


@dataclass(frozen=True)
class Preview:
    """What a bulk replay would do at one destination.

    `total` is how many are asked for, `looked_at` how many of them were looked at for the rest: `does` counts those
    that would be sent (by their lane's word), or what translating gives (by `Verdict`); `refused` why others would
    not be (by `Cause` or in words). `forced` counts what is sent by force alone, of which Lumail would count each
    fact twice, or may. `through_at` is when all would have left, None where the destination rests.
    """

    destination: str
    total: Count
    looked_at: int
    does: Mapping[str, int]
    refused: Mapping[str, int]
    forced: Mapping[str, int]
    through_at: datetime | None
    at: datetime

    @property
    def of_all(self) -> float:
        """By what the counts are to be multiplied for all that is asked for."""
        return max(1.0, self.total.number / self.looked_at) if self.looked_at else 1.0


def destinations_of(plans: Mapping[str, int], selection: Selection) -> list[str]:
    """Where it is replayed to. Raises CommandError for what there is not."""
    name = selection.filters.destination
    if name is not None and name not in plans:
        raise CommandError(f"no destination {name}; there is {', '.join(plans)}")
    return list(plans) if name is None else [name]


def preview(
    ledger: Ledger, plans: Mapping[str, int], routes: Mapping[str, Route], selection: Selection
) -> list[Preview]:
    """What a bulk replay would do, of each destination that it is about; nothing is written."""
    look = _preview_events if selection.kind == EVENTS else _preview_webhooks
    found = [
        look(ledger, of_destination(selection, name), plans[name], routes) for name in destinations_of(plans, selection)
    ]
    return [one for one in found if one.total.number] or found[:1]


def _preview_events(ledger: Ledger, selection: Selection, plan: int, routes: Mapping[str, Route]) -> Preview:
    del routes
    does, refused, forced = dict[str, int](), dict[str, int](), dict[str, int]()
    with ledger.read() as connection:
        now = ledger.now(connection)
        total = count(connection, selection)
        looked_at = 0
        for listed in _first(connection, selection, SAMPLE):
            event = events_of(connection, [listed["id"]]).get(listed["id"])
            if event is None:
                continue
            looked_at += 1
            found = refusal(event, duplicates.duplicates_of(connection, event))
            if stands(found, force=selection.force) and found is not None:
                _add(refused, found.cause.value)
                continue
            _add(does, event.lane.word)
            if found is not None:
                _add(forced, found.cause.value)
        made = Preview(_destination(selection), total, looked_at, does, refused, forced, None, now)
        added = {Lane[word.upper()]: round(number * made.of_all) for word, number in does.items()}
        ends = pace.through_at(connection, made.destination, plan, now, added, paced=True)
    return replace(made, through_at=ends)


def _preview_webhooks(ledger: Ledger, selection: Selection, plan: int, routes: Mapping[str, Route]) -> Preview:
    with ledger.read() as connection:
        now = ledger.now(connection)
        total = count(connection, selection)
        listed = [row["id"] for row in _first(connection, selection, TRIED)]
    does, refused, lanes = dict[str, int](), dict[str, int](), dict[Lane, int]()
    for identity in listed:
        try:
            foreseen = foresee(ledger, translated_again(ledger, routes, kept(ledger, identity)))
        except CommandError as error:
            _add(refused, str(error).replace(identity, "it"))
            continue
        for one in foreseen:
            _add(does, one.verdict.value)
            if one.verdict is Verdict.NEW and one.lane is not None:
                lanes[Lane(one.lane)] = lanes.get(Lane(one.lane), 0) + 1
    made = Preview(_destination(selection), total, len(listed), does, refused, {}, None, now)
    added = {lane: round(number * made.of_all) for lane, number in lanes.items()}
    with ledger.read() as connection:
        ends = pace.through_at(connection, made.destination, plan, now, added, paced=True)
    return replace(made, through_at=ends)


def effect_of_force(cause: str, number: int) -> str:
    """What force does with so many events of this cause, in words."""
    return {
        Cause.DELIVERED.value: f"{number:,} that Lumail has would be sent once more, and counted twice",
        Cause.UNCONFIRMED.value: f"{number:,} that Lumail may have would be sent once more, and may be counted twice",
        Cause.REPEATED.value: f"{number:,} whose fact another event tells would be sent besides, and counted twice",
    }[cause]


def can_be_forced(refused: Mapping[str, int]) -> dict[str, int]:
    """Of the refused, those that force would send."""
    return {cause: number for cause, number in refused.items() if cause in {one.value for one in FORCIBLE}}


def _first(connection: Connection, selection: Selection, most: int) -> Iterator[Row]:
    """The oldest, as they would be replayed."""
    place: Place | None = FIRST
    while most > 0 and place is not None:
        found = page(connection, selection, place, min(most, 200))
        yield from found.rows[::-1]
        most -= len(found.rows)
        place = found.newer


def _destination(selection: Selection) -> str:
    return selection.filters.destination or ""


def _add(counts: dict[str, int], word: str) -> None:
    counts[word] = counts.get(word, 0) + 1


def _written(value: Any) -> Any:
    if isinstance(value, Lane):
        return value.word
    return value.isoformat() if isinstance(value, datetime) else value


def _read(name: str, value: Any) -> Any:
    if name == "lane":
        return Lane[value.upper()]
    return datetime.fromisoformat(value).astimezone(UTC) if name in ("since", "until") else value


def span_of(made: Preview) -> timedelta | None:
    """How long it would take; None where the destination rests."""
    return None if made.through_at is None else max(timedelta(0), made.through_at - made.at)
