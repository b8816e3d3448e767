"""The events of a batch of webhooks, as they are known and as they become; nothing is read or written here."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from gateway.events import Lane
from gateway.ledger.event import Event, EventChange
from gateway.ledger.facts.submission import Submission
from gateway.ledger.identity import new_id
from gateway.ledger.money.sale import NewEvent
from gateway.ledger.outbox.transitions import completed
from gateway.ledger.status import Reason, Status


class BatchEvents:
    """Who makes and changes them (see `EventWriter`), for the webhook that `begin` named last."""

    def __init__(self, loaded: Iterable[Event], waiting: Iterable[Event], now: datetime) -> None:
        self._now = now
        self._events: dict[str, Event] = {}
        self._of_group: dict[str, list[str]] = {}
        for event in loaded:
            self._events[event.id] = event
            self._of_group.setdefault(event.group, []).append(event.id)
        for event in waiting:
            self._events.setdefault(event.id, event)
        self._before = dict(self._events)
        self._changes: dict[str, EventChange] = {}
        self._submission: Submission | None = None
        self._webhook = ""
        self.lines: set[tuple[Lane, str]] = set()
        """Lines whose head may be another now; new events join theirs by themselves."""

    def begin(self, submission: Submission, webhook: str) -> None:
        """What is made from now on is made by this webhook."""
        self._submission, self._webhook = submission, webhook

    @property
    def reporter(self) -> str:
        return self._webhook

    @property
    def is_same_webhook(self) -> bool:
        return self._submission is not None and self._submission.existing_webhook is not None

    def is_repeated(self, event: Event) -> bool:
        return event.id in self._before and event.webhook == self._webhook

    def is_new(self, event: Event) -> bool:
        return event.id not in self._before

    def add(self, new: NewEvent) -> Event:
        if self._submission is None:
            raise RuntimeError("no webhook is being recorded")
        fact, columns = new.fact, new.columns
        is_nobodys = fact.subscriber is None
        columns = {
            "status": Status.HELD if is_nobodys else Status.WAITING,
            "reason": Reason.SUBSCRIBER_UNKNOWN if is_nobodys else None,
            "waits_for": fact.waits_for if is_nobodys else None,
            **columns,
        }
        status = columns["status"]
        event = Event(
            id=new_id("ev"),
            webhook=self._webhook,
            source=self._submission.source,
            destination=self._submission.destination,
            type=columns.get("type", fact.type),
            subscriber=columns.get("subscriber", fact.subscriber),
            data=columns.get("data", fact.encoded),
            occurred_at=fact.occurred_at,
            lane=fact.lane,
            status=status,
            reason=columns["reason"],
            due_at=self._now + fact.settle,
            group=new.group,
            created_at=self._now,
            detail_rank=fact.detail_rank,
            held_at=self._now if status == Status.HELD else None,
            expires_at=fact.expires_at,
            waits_for=columns["waits_for"],
            named_by=fact.named_by,
            balance=new.balance,
            provider_object=columns.get("provider_object"),
            amount=columns.get("amount"),
            currency=columns.get("currency"),
            release_at=columns.get("release_at"),
        )
        self._events[event.id] = event
        self._of_group.setdefault(new.group, []).append(event.id)
        return event

    def change(self, event: Event, change: EventChange) -> Event:
        change = completed(event, change, self._now)
        after = self._events[event.id] = replace(event, **change)
        subscribers = {after.subscriber}
        if not self.is_new(event):
            self._changes.setdefault(event.id, {}).update(change)
            subscribers.add(event.subscriber)
        self.lines |= {(event.lane, one) for one in subscribers if one is not None}
        return after

    def now(self, identity: str) -> Event:
        """An event as it is now."""
        return self._events[identity]

    def of_group(self, group: str) -> Sequence[Event]:
        return [self._events[identity] for identity in self._of_group.get(group, ())]

    def unite(self, group: str, other: str) -> None:
        """The events of `other` belong to `group`."""
        moved = self._of_group.pop(other, [])
        for identity in moved:
            self._events[identity] = replace(self._events[identity], group=group)
        self._of_group.setdefault(group, []).extend(moved)

    def all(self) -> list[Event]:
        return list(self._events.values())

    def made(self) -> list[Event]:
        """New events, as they have become."""
        return [event for identity, event in self._events.items() if identity not in self._before]

    def changed(self) -> list[tuple[Event, EventChange]]:
        """Events of the ledger as they were, with what is set of them."""
        return [(self._before[identity], change) for identity, change in self._changes.items()]
