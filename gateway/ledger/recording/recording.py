"""How verified webhooks enter the ledger: what is known is loaded, what follows is decided, and that is written.

Each of the three is done for a whole group of webhooks: so a group costs hardly more statements than one webhook.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from gateway.events import LumailEvent
from gateway.ledger.event import Event, EventChange
from gateway.ledger.facts import hashing, incidents
from gateway.ledger.facts.submission import Item, Recorded, Submission, TranslatedItem
from gateway.ledger.identity import new_id
from gateway.ledger.jobs.privacy_requests import Origin
from gateway.ledger.money.balance import SaleBalance
from gateway.ledger.money.sale import NewEvent
from gateway.ledger.recording.batch_events import BatchEvents
from gateway.ledger.recording.grouping import FactGroup
from gateway.ledger.recording.loading import EarlierWebhook, Loaded, load
from gateway.ledger.recording.working_memory import released, renamed
from gateway.ledger.recording.writing import Changes, Note, RecordedWebhook, write
from gateway.ledger.status import COUNTED, UNSENT, Outcome, Reason, Status


def record(connection: Connection, submissions: Sequence[Submission], now: datetime) -> list[Recorded]:
    """Record webhooks of one destination, in order, under its writer lock. Any error leaves nothing of them."""
    loaded = load(connection, submissions[0].destination, submissions)
    receipts, changes = decide(loaded, submissions, now)
    write(connection, loaded.destination, changes, now)
    return receipts


def decide(loaded: Loaded, submissions: Sequence[Submission], now: datetime) -> tuple[list[Recorded], Changes]:
    """What each webhook is answered, and what changes with all of them. Nothing is read or written for it."""
    batch = RecordingBatch(loaded, now)
    receipts = [batch.take(one, item) for one, item in zip(submissions, loaded.translated_items, strict=True)]
    return receipts, batch.changes()


def quarantined_whole(submission: Submission, reason: str) -> Submission:
    """The same webhook, kept but not translated, because recording it failed."""
    return replace(submission, translated_items=(TranslatedItem(Outcome.QUARANTINED, "", reason=reason),))


class RecordingBatch:
    """What becomes of a group of webhooks, one after the other."""

    def __init__(self, loaded: Loaded, now: datetime) -> None:
        self._loaded = loaded
        self._now = now
        self._grouping = loaded.grouping
        self._events = BatchEvents(loaded.events, loaded.waiting, now)
        self._changes = Changes()
        self._bodiless: set[str] = set()
        """Webhooks of which no bytes are kept, since they spoke of a person who was erased."""
        self._named: set[tuple[str, str]] = set()
        """Webhooks and the groups of which they told."""
        self._balances: dict[str, SaleBalance] = {}

    def take(self, submission: Submission, translated_items: Sequence[TranslatedItem] | None) -> Recorded:
        """Record the next webhook; its receipt."""
        name = (submission.source, submission.delivery_id)
        earlier = self._loaded.earlier.get(name) if submission.existing_webhook is None else None
        if earlier is not None and not earlier.quarantined:
            return Recorded(
                earlier.id, duplicate=True, items=(Item(Outcome.DUPLICATE),) * len(submission.translated_items)
            )
        receipt, notes = self._record(submission, translated_items or (), earlier)
        recorded = RecordedWebhook(submission, receipt, tuple(notes), bodiless=receipt.webhook in self._bodiless)
        if submission.existing_webhook is not None or earlier is not None:
            self._changes.translated_again.append(recorded)
        else:
            self._changes.received.append(recorded)
            if submission.delivery_id is not None:
                self._loaded.earlier[name] = EarlierWebhook(receipt.webhook, receipt.quarantined)
        return receipt

    def changes(self) -> Changes:
        """All that is to be written down."""
        taught = self._loaded.memos.taught()
        if taught:
            self._release()
        changes, grouping = self._changes, self._grouping
        changes.memory = [(key, values, at) for key, (values, at) in taught.items()]
        changes.new_events = self._events.made()
        changes.changed_events = self._events.changed()
        changes.lines = self._events.lines
        changes.new_keys = [(self._stored(key, group), group) for key, group in grouping.new_keys()]
        changes.moved_groups = grouping.moved()
        changes.groups = grouping.changed()
        changes.gone_groups = grouping.gone()
        made = {(event.webhook, event.group) for event in changes.new_events}
        changes.repeats = {(webhook, grouping.now(group)) for webhook, group in self._named} - made
        return changes

    # One webhook

    def _record(
        self, one: Submission, translated_items: Sequence[TranslatedItem], earlier: EarlierWebhook | None
    ) -> tuple[Recorded, list[Note]]:
        webhook = one.existing_webhook or (earlier.id if earlier is not None else new_id("wh"))
        self._events.begin(one, webhook)
        made: list[str] = []
        counts = dict.fromkeys(COUNTED, 0)
        notes: list[Note] = []
        items: list[Item] = []
        for position, item in enumerate(translated_items):
            new = self._take_telling(one, webhook, item)
            made.extend(new)
            word = _counted_as(item, new)
            if word is not None:
                counts[word] += 1
            items.append(Item(word or Outcome.TRANSLATED, item.reason, tuple(new)))
            if item.reason is not None:
                notes.append({"position": position, "type": item.type[:80], "word": item.word, "reason": item.reason})
        events = [self._events.now(identity) for identity in made]
        due_at = min((event.due_at for event in events if event.status == Status.WAITING), default=None)
        receipt = Recorded(
            webhook,
            earlier is not None,
            tuple(made),
            **{word.value: count for word, count in counts.items()},
            items=tuple(items),
            due_at=due_at,
        )
        return receipt, notes

    def _take_telling(self, one: Submission, webhook: str, item: TranslatedItem) -> list[str]:
        """What one source event became; the ids of its new events."""
        for link in item.links:
            self._group_for(link)
        if item.demand is not None:
            origin = Origin(f"source {one.source}", one.source, webhook)
            self._changes.privacy_requests.append((item.demand, origin))
        if id(item) in self._loaded.about_erased:
            self._bodiless.add(webhook)
        new = [event.id for fact in item.events if (event := self._apply(webhook, fact)) is not None]
        for names in (*item.links, *(fact.keys for fact in item.events)):
            group = self._grouping.find(names[0])
            if group is not None:
                self._named.add((webhook, group))
        return new

    def _apply(self, webhook: str, fact: LumailEvent) -> Event | None:
        """The new event, or None where the fact is known: then the richer telling is kept."""
        group = self._group_for(self._names(fact))
        known = self._grouping.fact(group)
        if known.is_erased:
            self._bodiless.add(webhook)
            return None
        if fact.sum is not None:
            known.is_changed = True
            return self._balance(known).apply(fact)
        item = [event for event in self._events.of_group(group) if event.balance is None]
        if any(event.is_closed for event in item) or known.closed is not None:
            return None
        live = [event for event in item if event.is_live]
        if live:
            self._enrich(live, fact)
            return None
        return self._events.add(NewEvent(fact, group))

    def _names(self, fact: LumailEvent) -> Sequence[str]:
        if fact.once is None or any(self._grouping.find(key) is not None for key in fact.keys):
            return fact.keys
        return (*fact.keys, fact.once)

    def _balance(self, fact: FactGroup) -> SaleBalance:
        balance = self._balances.get(fact.id)
        if balance is None:

            def show(what: str) -> None:
                self._note_incident(fact, what)

            balance = self._balances[fact.id] = SaleBalance(fact.sale, fact.id, self._events, show, self._now)
        return balance

    def _note_incident(self, fact: FactGroup, what: str) -> None:
        fact.incident = incidents.both(fact.incident, what)
        fact.is_changed = True

    def _enrich(self, live: Sequence[Event], fact: LumailEvent) -> None:
        """Give the untold event of a fact the better data; what an attempt may have sent stays as it is.

        What a webhook told at first is replaced by what it tells now.
        """
        event = next((one for one in live if one.is_unattempted), None)
        if event is None or len(live) > 1:
            return
        finds_subscriber = event.subscriber is None and fact.subscriber is not None
        told_otherwise = (fact.encoded, fact.subscriber or event.subscriber) != (event.data, event.subscriber)
        richer = fact.detail_rank > event.detail_rank or (
            fact.detail_rank == event.detail_rank and told_otherwise and self._events.is_repeated(event)
        )
        if not (finds_subscriber or richer):
            return
        change: EventChange = {}
        if richer:
            change |= {"data": fact.encoded, "occurred_at": fact.occurred_at, "detail_rank": fact.detail_rank}
            change |= {"expires_at": fact.expires_at, "named_by": fact.named_by}
        if fact.subscriber is not None and (finds_subscriber or richer):
            change["subscriber"] = fact.subscriber
        if finds_subscriber:
            change |= {"status": Status.WAITING, "reason": None, "waits_for": None}
        self._events.change(event, change)

    # Facts that meet

    def _group_for(self, names: Sequence[str]) -> str:
        """The one group that all these keys belong to from now on."""
        met = self._grouping.met(names)
        group = min(met) if met else self._grouping.make()
        for other in met:
            if other != group:
                self._unite(self._grouping.fact(group), self._grouping.fact(other))
        self._grouping.put(names, group)
        return group

    def _unite(self, fact: FactGroup, other: FactGroup) -> None:
        """Two facts turn out to be one: the keys meet, and of several untold events the richest stays.

        Where both were sent already, only a person can put that right.
        """
        sent = [[event.id for event in self._sent(one)] for one in (fact, other)]
        self._grouping.unite(fact.id, other.id)
        self._events.unite(fact.id, other.id)
        if all(sent):
            self._note_incident(fact, f"sent for one fact: {', '.join(sorted(sent[0] + sent[1]))}")
        if other.incident is not None:
            self._note_incident(fact, other.incident)
        live = [event for event in self._events.of_group(fact.id) if event.is_live and event.balance is None]
        stays = max(live, key=lambda event: event.rank_of_staying, default=None)
        for event in live:
            if event is not stays and (event.is_unattempted or event.is_written):
                self._drop(event, Reason.SUPERSEDED)
        fact.sale.take_over(other.sale)
        fact.close_as(other)
        fact.is_changed = fact.is_changed or not fact.is_empty
        self._balance(fact).put_together()
        if fact.closed is not None:
            self._leave_out(fact)

    def _sent(self, fact: FactGroup) -> list[Event]:
        item = self._events.of_group(fact.id)
        return [event for event in item if event.is_sent and not event.is_written and event.balance is None]

    def _leave_out(self, fact: FactGroup) -> None:
        """What waits turns out to tell a fact that is closed; of a sale that is told its sums know what is lacking."""
        for event in self._events.of_group(fact.id):
            if (event.is_unattempted or event.is_written) and (fact.is_erased or event.balance is None):
                self._drop(event, Reason.PERSON_ERASED if fact.is_erased else Reason.SUPERSEDED)

    def _drop(self, event: Event, reason: Reason) -> None:
        self._events.change(event, {"status": Status.DROPPED, "reason": reason, "waits_for": None})

    # What was taught

    def _release(self) -> None:
        """Let go the events that waited for what was taught, and give others the better name of their product."""
        emails, names = (self._loaded.memos.named(what) for what in ("email", "name"))
        for event in self._events.all():
            if event.status == Status.HELD and event.waits_for in emails:
                event = self._events.change(event, released(event, emails[event.waits_for]))
            if event.status in UNSENT and event.first_attempt_at is None and event.named_by in names:
                self._events.change(event, renamed(event, names[event.named_by]))

    def _stored(self, key: str, group: str) -> str:
        """A new key of a group as it is written: of one that is closed nothing is kept in clear."""
        salt = self._loaded.salt if self._grouping.fact(group).closed is not None else None
        return key if salt is None else hashing.hashed(salt, key)


def _counted_as(item: TranslatedItem, new: Sequence[str]) -> Outcome | None:
    """Under which count a source event goes; None where it made events."""
    if new:
        return None
    return Outcome.MERGED if item.word is Outcome.TRANSLATED else item.word
