"""What the door turned away: counted, without bodies, only the newest kept."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from gateway.ledger.identity import new_id
from gateway.ledger.schema import rejections
from gateway.ledger.views import counters
from gateway.ledger.views.counters import Measure

KEPT_A_SOURCE = 100


@dataclass(frozen=True)
class Refused:
    """`count` requests that were turned away for one cause. `source` None: there is no source at `path`."""

    source: str | None
    path: str
    cause: str
    detail: str
    count: int


def add(connection: Connection, refused: Sequence[Refused], now: datetime) -> None:
    """Keep these, and of each source (and of unknown paths) only the newest KEPT_A_SOURCE."""
    rows = [
        {
            "id": new_id("rj"),
            "source": one.source,
            "path": one.path[:200],
            "cause": one.cause,
            "detail": one.detail[:500],
            "count": one.count,
            "at": now,
        }
        for one in refused
    ]
    if not rows:
        return
    connection.execute(insert(rejections), rows)
    counts: Counter[tuple[str, str]] = Counter()
    for one in refused:
        counts[one.source or "", one.cause] += one.count
    counters.add(connection, Measure.REJECTED, now, counts)
    for source in {one.source for one in refused}:
        of_source = rejections.c.source.is_(None) if source is None else rejections.c.source == source
        kept = (
            select(rejections.c.id)
            .where(of_source)
            .order_by(rejections.c.at.desc(), rejections.c.id.desc())
            .limit(KEPT_A_SOURCE)
        )
        connection.execute(delete(rejections).where(of_source, rejections.c.id.not_in(kept.scalar_subquery())))


def close(connection: Connection, sources: Collection[str], now: datetime) -> None:
    """What these sources were refused before is over: something of theirs was proven that is kept already."""
    open_ones = (rejections.c.source.in_(sources), rejections.c.proven_at.is_(None), rejections.c.at <= now)
    connection.execute(update(rejections).where(*open_ones).values(proven_at=now))


def add_unavailable(connection: Connection, counts: Mapping[tuple[str, str], int], now: datetime) -> None:
    """Count requests that were answered 503, by source and cause."""
    counters.add(connection, Measure.UNAVAILABLE, now, counts)
