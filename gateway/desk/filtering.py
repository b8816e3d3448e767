"""How a list's filters stand in its URL."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from flask import abort, request, url_for

from gateway.desk.parts import now
from gateway.events import EventType, Lane
from gateway.ledger.paging import Place
from gateway.ledger.views.listing import NEWEST, Ask, Count, Page
from gateway.ledger.views.search import Filters

AGES = (("15m", "15 minutes"), ("1h", "1 hour"), ("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days"))
TYPES: Sequence[str] = tuple(sorted(EventType))
LANES: Sequence[str] = tuple(lane.word for lane in Lane)

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
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


def listed(page: Page, count: Count, endpoint: str, news: str) -> Listed:
    """The page with the URLs of its neighbours; `news` is the endpoint that counts what is newer."""
    asked = given()

    def url(**place: Any) -> str | None:
        return None if None in place.values() else _url(endpoint, {**asked, **place})

    at = page.rows[0] if page.rows else None
    first = Place(now(), "") if at is None else Place(at.get("created_at") or at["received_at"], at["id"])
    is_first = ask() == NEWEST
    return Listed(
        page=page,
        count=count,
        given=asked,
        older=url(older=page.older),
        newer=url(newer=page.newer),
        news=_url(news, {**asked, "newer": first}) if is_first else None,
    )


def _url(endpoint: str, asked: Mapping[str, object]) -> str:
    texts: dict[str, Any] = {name: str(value) for name, value in asked.items()}
    return url_for(endpoint, **texts)


def _age(written: str) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,4})([mhd])", written)
    if match is None:
        abort(400, f"age: {written!r} is not like 15m, 24h or 7d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


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
