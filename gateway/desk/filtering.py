"""How a list's filters stand in its URL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from flask import abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from gateway.desk.parts import now, parts
from gateway.events import EventType, Lane
from gateway.formats.durations import duration
from gateway.ledger.paging import Place
from gateway.ledger.views import listing
from gateway.ledger.views.listing import NEWEST, Ask, Count, Kind, Page
from gateway.ledger.views.search import Filters

AGES = (("15m", "15 minutes"), ("1h", "1 hour"), ("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days"))
TYPES: Sequence[str] = tuple(sorted(EventType))
LANES: Sequence[str] = tuple(lane.word for lane in Lane)

MOST_NEWS = 99
"""More than these are not counted for somebody who looks at a list."""

_NAMES = (
    *("status", "type", "lane", "source", "destination", "subscriber", "age", "since", "until", "error", "incident"),
    "q",
)


@dataclass(frozen=True)
class Listed:
    """A page of a list, and the URLs of its neighbours; `given` is what the form shows again."""

    page: Page
    count: Count
    given: Mapping[str, str]
    older: str | None
    newer: str | None
    news: str | None


def given() -> dict[str, str]:
    """What the URL asks for, without what is empty."""
    return {name: value for name in _NAMES if (value := request.args.get(name, "").strip()[:200])}


def filters() -> Filters:
    """The same as the ledger understands it; 400 for what makes no sense."""
    asked = given()
    since = _moment(asked.get("since"), "since")
    age = asked.get("age")
    if age is not None:
        begun = now() - _age(age)
        since = begun if since is None else max(since, begun)
    subscriber = asked.get("subscriber")
    return Filters(
        status=asked.get("status"),
        type=asked.get("type"),
        lane=_lane(asked.get("lane")),
        source=asked.get("source"),
        destination=asked.get("destination"),
        subscriber=None if subscriber is None else subscriber.lower(),
        since=since,
        until=_moment(asked.get("until"), "until"),
        error=asked.get("error"),
        text=asked.get("q"),
        incident=_yes(asked.get("incident"), "incident"),
    )


def ask() -> Ask:
    """Which page."""
    older, newer = (Place.read(request.args.get(name)) for name in ("older", "newer"))
    return Ask(older=older, newer=None if older is not None else newer)


def listed(connection: Connection, kind: Kind, pages: str) -> Listed:
    """The page that the URL asks for, with the URLs of its neighbours; `pages` is the blueprint that shows it."""
    asked, which, said = filters(), ask(), given()
    page = kind.page(connection, asked, which)
    count = listing.counted_by(page, which) or kind.count(connection, asked)

    def url(**place: Any) -> str | None:
        return None if None in place.values() else _url(f"{pages}.page", {**said, **place})

    at = page.rows[0] if page.rows else None
    first = Place(now(), "") if at is None else Place(at.get("created_at") or at["received_at"], at["id"])
    return Listed(
        page=page,
        count=count,
        given=said,
        older=url(older=page.older),
        newer=url(newer=page.newer),
        news=_url(f"{pages}.news", {**said, "newer": first}) if which == NEWEST else None,
    )


def news(kind: Kind, pages: str) -> ResponseReturnValue:
    """How many are newer than the first that is shown."""
    with parts().ledger.read() as connection:
        count = kind.count(connection, filters(), newer=ask().newer, most=MOST_NEWS)
    return render_template("desk/events/news.html", count=count, given=given(), endpoint=f"{pages}.page")


def _url(endpoint: str, asked: Mapping[str, object]) -> str:
    texts: dict[str, Any] = {name: str(value) for name, value in asked.items()}
    return url_for(endpoint, **texts)


def _age(written: str) -> timedelta:
    age = duration(written)
    if age is None:
        abort(400, f"age: {written!r} is not like 15m, 24h or 7d")
    return age


def _moment(written: str | None, name: str) -> datetime | None:
    if written is None:
        return None
    try:
        moment = datetime.fromisoformat(written)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        abort(400, f"{name}: {written!r} is no time such as 2026-11-03T09:00")


def _yes(written: str | None, name: str) -> Literal[True] | None:
    if written not in (None, "yes"):
        abort(400, f"{name}: {written!r} is not yes")
    return None if written is None else True


def _lane(written: str | None) -> Lane | None:
    if written is None:
        return None
    if written not in LANES:
        abort(400, f"lane: {written!r} is none of {', '.join(LANES)}")
    return Lane[written.upper()]
