"""What today's adapter makes of a kept webhook, told step by step; nothing is changed by asking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.desk.parts import Desk
from gateway.events import Lane, LumailEvent, decode_data
from gateway.intake.accept import translated_items
from gateway.ledger.facts.memory import reader
from gateway.ledger.facts.submission import TranslatedItem
from gateway.ledger.views.search import Row
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
    detail_rank: int


@dataclass(frozen=True)
class Explained:
    """One source event: its word, why, what it makes, what it teaches and which keys it links."""

    position: int
    word: str
    type: str
    reason: str | None
    makes: Sequence[Made]
    memos: Mapping[str, Mapping[str, Any]]
    links: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Explanation:
    """`fault` says why nothing can be explained; `left_out` counts source events that are not told."""

    adapter: str
    explained: Sequence[Explained] = ()
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
    found = translated_items(route, verified, reader(desk.ledger, row["destination"]))
    explained = [
        _explained(position, one) for position, one in enumerate(found) if not keys or not keys.isdisjoint(_names(one))
    ]
    return Explanation(route.adapter.name, explained[:MOST_EXPLAINED], max(0, len(explained) - MOST_EXPLAINED))


def _names(item: TranslatedItem) -> set[str]:
    names = {key for fact in item.events for key in fact.keys}
    return names | {key for link in item.links for key in link}


def _explained(position: int, item: TranslatedItem) -> Explained:
    return Explained(
        position,
        item.word,
        item.type,
        item.reason,
        [_made(fact) for fact in item.events],
        {memo.key: memo.values for memo in item.memos},
        item.links,
    )


def _made(fact: LumailEvent) -> Made:
    return Made(
        fact.type.value,
        fact.subscriber,
        Lane(fact.lane).word,
        fact.waits_for,
        decode_data(fact.encoded),
        fact.keys,
        fact.detail_rank,
    )
