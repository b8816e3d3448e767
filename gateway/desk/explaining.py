"""What today's adapter makes of a kept webhook, told step by step; nothing is changed by asking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.desk.parts import Desk
from gateway.events import Lane, decode_data
from gateway.intake.accept import tellings
from gateway.ledger.remembering import reader
from gateway.ledger.search import Row
from gateway.ledger.telling import Fact, Telling
from gateway.translation.webhook import Headers, VerifiedWebhook, Webhook

MOST_EXPLAINED = 100


@dataclass(frozen=True)
class Made:
    """An event, or what only counts in a sum."""

    type: str
    subscriber: str | None
    lane: str
    waits_for: str | None
    data: Mapping[str, Any]
    keys: Sequence[str]
    richness: int


@dataclass(frozen=True)
class Explained:
    """One source event: its word, why, what it makes, what it teaches and which keys it links."""

    position: int
    word: str
    type: str
    reason: str | None
    makes: Sequence[Made]
    lessons: Mapping[str, Mapping[str, Any]]
    links: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Explanation:
    """`fault` says why nothing can be explained; `left_out` counts source events that are not told."""

    adapter: str
    told: Sequence[Explained] = ()
    left_out: int = 0
    fault: str | None = None


def explain(desk: Desk, row: Row, keys: frozenset[str] = frozenset()) -> Explanation:
    """Every source event of the webhook; where `keys` are given, those that name one of them."""
    adapter = row["adapter"]
    if row["body"] is None:
        return Explanation(adapter, fault="Its body is not kept any more.")
    route = desk.routes.get(row["source"])
    if route is None:
        return Explanation(adapter, fault=f"The source {row['source']} is not configured or not enabled.")
    route = replace(route, source=replace(route.source, destination=row["destination"]))
    webhook = Webhook(row["source"], row["url"], Headers(row["headers"]), row["body"], row["received_at"])
    verified = VerifiedWebhook(webhook, secret=None, signed_at=None)
    found = tellings(route, verified, reader(desk.ledger, row["destination"]))
    told = [
        _explained(position, one) for position, one in enumerate(found) if not keys or not keys.isdisjoint(_names(one))
    ]
    return Explanation(route.adapter.name, told[:MOST_EXPLAINED], max(0, len(told) - MOST_EXPLAINED))


def _names(told: Telling) -> set[str]:
    names = {key for fact in told.facts for key in fact.keys}
    return names | {key for link in told.links for key in link}


def _explained(position: int, told: Telling) -> Explained:
    return Explained(
        position,
        told.word,
        told.type,
        told.reason,
        [_made(fact) for fact in told.facts],
        {lesson.key: lesson.values for lesson in told.lessons},
        told.links,
    )


def _made(fact: Fact) -> Made:
    return Made(
        fact.type.value,
        fact.subscriber,
        Lane(fact.lane).word,
        fact.waits_for,
        decode_data(fact.data),
        fact.keys,
        fact.richness,
    )
