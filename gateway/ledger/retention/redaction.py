"""How facts lose the person to whom they belonged: the rows stay and are counted, nobody is in them any more."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, or_, select, update

from gateway.ledger.facts import closed_facts, hashing
from gateway.ledger.outbox import transitions
from gateway.ledger.scheduling import lines
from gateway.ledger.schema import attempts, edits, events, groups, job_items, repeats, webhooks
from gateway.ledger.status import ON_THEIR_WAY, Closed

_NOBODY: dict[str, Any] = {
    **dict.fromkeys(("subscriber", "waits_for", "named_by", "after", "release_at", "expires_at", "read_cursor")),
    **dict.fromkeys(("candidates", "last_error", "lumail_event_id", "provider_object", "amount", "currency")),
    "data": "{}",
}
_NOTE = {"position": 0, "type": "", "word": "erased", "reason": "a person of whom it spoke was erased"}


def wipe_facts(
    connection: Connection, salt: bytes, destination: str, facts: Collection[str], now: datetime
) -> tuple[dict[str, int], list[str]]:
    """Wipe everything of these groups and close them; what was wiped, and the events that are on their way still."""
    query = select(*(events.c[name] for name in ("id", "webhook", "status", "lane", "subscriber"))).where(
        events.c.group.in_(facts), or_(events.c.data != "{}", events.c.subscriber.is_not(None))
    )
    found = connection.execute(query).all()
    left = [row.id for row in found if row.status in ON_THEIR_WAY]
    wiped = [row for row in found if row.status not in ON_THEIR_WAY]
    told = list(connection.execute(select(repeats.c.webhook).where(repeats.c.group.in_(facts))).scalars())
    connection.execute(delete(repeats).where(repeats.c.group.in_(facts)))
    _wipe_events(connection, [row.id for row in wiped], now)
    lines.refresh(connection, destination, {(row.lane, row.subscriber) for row in wiped if row.subscriber is not None})
    closed_facts.close(connection, destination, dict.fromkeys(facts, Closed.ERASED))
    nothing = dict.fromkeys(("truth", "emitted", "incident", "heard_at"))
    connection.execute(update(groups).where(groups.c.id.in_(facts)).values(**nothing))
    counts = {
        "events": len(wiped),
        "attempts": _wipe_attempts(connection, [row.id for row in wiped]),
        "webhooks": wipe_webhooks(connection, sorted({*told, *(row.webhook for row in found)})),
        "keys": hashing.hash_keys(connection, salt, destination, facts),
    }
    return counts, left


def _wipe_events(connection: Connection, wiped: Sequence[str], now: datetime) -> None:
    transitions.erase(connection, wiped, _NOBODY, now)
    connection.execute(delete(edits).where(edits.c.event.in_(wiped)))
    connection.execute(update(job_items).where(job_items.c.subject.in_(wiped)).values(before={}, explanation=None))


def _wipe_attempts(connection: Connection, of_events: Sequence[str]) -> int:
    mine = update(attempts).where(attempts.c.event.in_(of_events), attempts.c.sent.is_not(None))
    return connection.execute(mine.values(sent=None, body=None, error=None)).rowcount


def wipe_webhooks(connection: Connection, wiped: Sequence[str]) -> int:
    """Remove bytes and headers, also where they spoke of others too, and say so; how many had any."""
    query = select(webhooks.c.id, webhooks.c.notes).where(webhooks.c.id.in_(wiped), webhooks.c.body.is_not(None))
    found = connection.execute(query).all()
    for row in found:
        mine = update(webhooks).where(webhooks.c.id == row.id)
        connection.execute(mine.values(body=None, headers={}, notes=[*row.notes, _NOTE]))
    return len(found)
