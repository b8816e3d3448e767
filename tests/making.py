"""Short ways to make what the ledger takes, for tests that look at one thing of it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Table, insert, select, update

from gateway.events import EventType, LumailEvent, Memo, Paid, lane_of
from gateway.ledger import heartbeats
from gateway.ledger.database import Ledger
from gateway.ledger.event import Event
from gateway.ledger.facts.submission import Recorded, Submission, TranslatedItem
from gateway.ledger.heartbeats import Condition, Identity
from gateway.ledger.identity import new_id
from gateway.ledger.recording.commit import record_group
from gateway.ledger.schema import attempts, destinations
from gateway.ledger.schema import heartbeats as heartbeat_rows
from gateway.ledger.status import Outcome, Status

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def payment(*keys: str, subscriber: str | None = "ana@example.com", **given: Any) -> LumailEvent:
    """A payment of 49.99 at noon, due at once; `given` replaces its fields, `amount` and `product` its data."""
    data = {"amount": given.pop("amount", 49.99), "product": given.pop("product", "Course")}
    return fact(EventType.SUBSCRIBER_PAYMENT, data, *keys, subscriber=subscriber, **given)


def sold(id_: str, currency: str, amount: str = "49.99") -> LumailEvent:
    """A payment that is all of one sale."""
    said = Paid("order", f"order:{id_}", Decimal(amount), currency)
    return replace(
        payment(f"order:{id_}", amount=Decimal(amount)),
        data={"amount": Decimal(amount), "currency": currency, "product": "Course"},
        sum=said,
    )


def opened(key: str, subscriber: str = "ana@example.com", **given: Any) -> LumailEvent:
    return fact(EventType.EMAIL_OPENED, {"emailId": key, "subject": ""}, key, subscriber=subscriber, **given)


def complained(key: str, subscriber: str = "ana@example.com", **given: Any) -> LumailEvent:
    return fact(EventType.EMAIL_COMPLAINED, {"emailId": key, "subject": ""}, key, subscriber=subscriber, **given)


def fact(event_type: EventType, data: Mapping[str, Any], *keys: str, **given: Any) -> LumailEvent:
    fields: dict[str, Any] = {
        "subscriber": "ana@example.com",
        "occurred_at": NOON,
        "waits_for": None,
        "detail_rank": 0,
        "settle": timedelta(0),
        **given,
    }
    return LumailEvent(type=event_type, data=data, keys=keys, **fields)


def event(event_type: EventType, **given: Any) -> Event:
    """An event of Ana's that was due a second before noon; `given` are its other columns."""
    columns: dict[str, Any] = {
        "id": "ev_1",
        "webhook": "wh_1",
        "source": "stripe",
        "destination": "main",
        "subscriber": "ana@example.com",
        "data": "{}",
        "occurred_at": NOON,
        "lane": lane_of(event_type, {}),
        "status": Status.WAITING,
        "reason": None,
        "due_at": NOON - timedelta(seconds=1),
        "group": "gr_1",
        "created_at": NOON,
        **given,
    }
    return Event(type=event_type, **columns)


def told(*facts: LumailEvent, links: tuple[tuple[str, ...], ...] = (), memos: tuple[Memo, ...] = ()) -> TranslatedItem:
    return TranslatedItem(Outcome.TRANSLATED if facts else Outcome.TAUGHT, "test.event", facts, memos, links)


def submission(*translated_items: TranslatedItem, delivery_id: str | None = None, **given: Any) -> Submission:
    fields: dict[str, Any] = {
        "source": "stripe",
        "adapter": "stripe",
        "destination": "main",
        "received_at": NOON,
        "url": "https://hooks.example.com/webhooks/stripe",
        "headers": {},
        "body": b"{}",
        "secret": "0123456789abcdef",
        **given,
    }
    return Submission(delivery_id=delivery_id, translated_items=translated_items, **fields)


def record(ledger: Ledger, *submissions: Submission) -> list[Recorded]:
    """Record them as one group."""
    with ledger.write({one.destination for one in submissions}) as connection:
        return record_group(connection, ledger, submissions)


def record_facts(ledger: Ledger, *facts: LumailEvent) -> list[str]:
    """Each fact in a webhook of its own, all in one group; the ids of the new events."""
    return [event for one in record(ledger, *(submission(told(fact)) for fact in facts)) for event in one.events]


def add_destinations(ledger: Ledger, *names: str) -> None:
    with ledger.write(names) as connection:
        connection.execute(insert(destinations), [{"name": name, "fingerprint": "test"} for name in names])


def add_attempt(ledger: Ledger, event: str | None, at: datetime, **given: Any) -> None:
    """A request to Lumail that was answered at once; `given` are further columns."""
    instants = dict.fromkeys(("taken_at", "send_before", "ends_by", "place_until", "answered_at"), at)
    values = {"kind": "event", "outcome": "delivered", "destination": "main", **instants, **given}
    with ledger.write(["main"]) as connection:
        connection.execute(insert(attempts).values(id=new_id("at"), event=event, **values))


WELL = Condition(timedelta(0), 10**12, None)


def beat(ledger: Ledger, role: str, found: Condition = WELL, version: str = "0.1.0") -> None:
    """A process that lives, and that is not missed however slow a test is."""
    who = Identity(f"hb_{role}_{version}", role, "host-1", 7, version, "0001")
    with ledger.write() as connection:
        now = ledger.now(connection)
        heartbeats.beat(connection, who, found, now)
        seen = {"seen": now + timedelta(hours=1)}
        connection.execute(update(heartbeat_rows).where(heartbeat_rows.c.id == who.id).values(seen))


def beat_all(ledger: Ledger) -> None:
    """A web process and a worker live."""
    beat(ledger, heartbeats.WEB)
    beat(ledger, heartbeats.WORKER)


def rows(ledger: Ledger, table: Table, *columns: str) -> list[tuple[Any, ...]]:
    """All rows of a table, in the order of its primary key."""
    with ledger.read() as connection:
        query = select(*(table.c[name] for name in columns)).order_by(*table.primary_key.columns)
        return [tuple(row) for row in connection.execute(query)]


def again(
    translated_item: Callable[[Mapping[str, Any] | None], TranslatedItem], key: str, read: Mapping[str, Any] | None
) -> TranslatedItem:
    """A telling that rests on what memory holds under `key`, as far as it was read as `read`."""
    first = translated_item(read)
    return TranslatedItem(
        first.word,
        first.type,
        first.events,
        first.memos,
        first.links,
        first.reason,
        reads={key: read},
        again=lambda recall: translated_item(recall(key)),
    )
