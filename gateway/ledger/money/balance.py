"""What is still to be told of a sale's money: truth minus what was told, never one event a telling.

A till works on the groups of one batch of webhooks, under the writer lock: it reads their sums, decides which events
are made, corrected or left out, and writes the sums back. Payments of a sale are one book, the refunds of each of its
charges or orders another; in each book the amounts of events add up to what is true, or to more where Lumail was told
too much. That can't be taken back: it is set against what comes next, and shown.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Protocol

from sqlalchemy import BindParameter, Connection, Insert, RowMapping, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway.events import LINK_WAIT, Chargeback, EventType, Paid, Refund, RefundTotal, decode_data, encode_data
from gateway.ledger.facts import incidents
from gateway.ledger.facts.known_event import KnownEvent
from gateway.ledger.facts.submission import SubmittedEvent
from gateway.ledger.money.refund_order import follow
from gateway.ledger.money.sums import NOTHING, PAID, Money, Standing, Sums, priced
from gateway.ledger.schema import groups
from gateway.ledger.status import WITHOUT_REASON, Closed, Reason, Status

RETURNED = "Refund returned"
"""The product of a payment that gives back a refund which failed after Lumail had heard of it."""

_NOTHING_ELSE: Mapping[str, Any] = MappingProxyType({})
_IN_OTHER_CURRENCY = {"hold": Status.HELD, "drop": Status.DROPPED}
_CHUNK = 500
_ASKED: BindParameter[Any] = bindparam("asked", expanding=True)
_SUMS_OF_GROUPS = select(groups.c.id, groups.c.truth, groups.c.emitted, groups.c.heard_at, groups.c.closed).where(
    groups.c.id.in_(_ASKED)
)


def _upsert(insert_into: Any) -> Insert:
    upsert = insert_into(groups)
    names = ("truth", "emitted", "heard_at")
    made: Insert = upsert.on_conflict_do_update(
        index_elements=["id"], set_={name: upsert.excluded[name] for name in names}
    )
    return made


_KEEP = {"sqlite": _upsert(sqlite_insert), "postgresql": _upsert(postgresql_insert)}


class EventWriter(Protocol):
    """Who writes the events of the batch."""

    @property
    def reporter(self) -> str:
        """The webhook that is being recorded."""

    @property
    def is_same_webhook(self) -> bool:
        """Whether that was recorded before, and is translated anew."""

    def add(self, fact: SubmittedEvent, group: str, values: Mapping[str, Any]) -> KnownEvent:
        """Make an event of the telling that is being recorded, with these columns besides the fact's own."""

    def change(self, event: KnownEvent, values: Mapping[str, Any]) -> None:
        """Set columns of an event that nobody has sent."""

    def is_repeated(self, event: KnownEvent) -> bool:
        """Whether what is being recorded is a second translation of the webhook that made the event."""


class _Account:
    """A group's sums, with what is known of events that are not kept any more and of what was shown already."""

    def __init__(self, row: RowMapping | None = None) -> None:
        truth = row["truth"] if row is not None else None
        emitted = (row["emitted"] if row is not None else None) or {}
        self.sums = Sums() if truth is None else Sums.from_json(truth)
        self.kept: dict[str, dict[str, str]] = emitted.get("kept", {})
        self.shown: dict[str, str] = emitted.get("shown", {})
        self.heard_at: datetime | None = row["heard_at"] if row is not None else None
        self.is_erased = row is not None and row["closed"] == Closed.ERASED

    @property
    def is_empty(self) -> bool:
        return self.sums == Sums() and not self.kept

    def emitted(self, balance: str, currency: str, told: Iterable[KnownEvent]) -> Decimal:
        counted = (
            event.amount
            for event in told
            if event.amount is not None and event.currency == currency and (event.is_live or event.is_closed)
        )
        return sum(counted, Decimal(self.kept.get(balance, {}).get(currency, "0")))

    def take_over(self, other: "_Account") -> None:
        self.sums.merge(other.sums)
        for balance, amounts in other.kept.items():
            mine = self.kept.setdefault(balance, {})
            for currency, amount in amounts.items():
                mine[currency] = str(Decimal(mine.get(currency, "0")) + Decimal(amount))
        self.shown = {**other.shown, **self.shown}
        self.heard_at = min((at for at in (self.heard_at, other.heard_at) if at is not None), default=None)
        self.is_erased = self.is_erased or other.is_erased

    def as_json(self) -> dict[str, Any]:
        return {"kept": self.kept, "shown": self.shown}


class SaleBalance:
    """The money of the groups of one batch; `event_writer` writes their events, `told` gives those of a group."""

    def __init__(
        self,
        connection: Connection,
        destination: str,
        now: datetime,
        event_writer: EventWriter,
        events: Mapping[str, list[KnownEvent]],
    ) -> None:
        self._connection = connection
        self._destination = destination
        self._now = now
        self._event_writer = event_writer
        self._told = events
        self._accounts: dict[str, _Account] = {}
        self._changed: set[str] = set()
        self._gone: set[str] = set()

    def read(self, wanted: Iterable[str]) -> None:
        """Read the sums of these groups before anything of them is told."""
        ordered = sorted(set(wanted))
        for start in range(0, len(ordered), _CHUNK):
            chunk = ordered[start : start + _CHUNK]
            for row in self._connection.execute(_SUMS_OF_GROUPS, {"asked": chunk}).mappings():
                self._accounts[row["id"]] = _Account(row)

    def apply(self, fact: SubmittedEvent, group: str) -> KnownEvent | None:
        """Take in what a telling says of a sale's money; the new event, None where there is none to be made."""
        account = self._of(group)
        if account.is_erased or fact.sum is None:
            return None
        self._changed.add(group)
        reporter = self._event_writer.reporter
        if self._event_writer.is_same_webhook and account.sums.rests_on(fact.sum, reporter):
            account.sums.take_back(fact.sum)
        account.sums.learn(fact.sum, makes=fact.makes, reporter=reporter)
        if not account.sums.is_heard_only:
            account.heard_at = None
        elif account.heard_at is None:
            account.heard_at = self._now
        if isinstance(fact.sum, Paid):
            made = self._paid(fact, fact.sum, group)
            for balance in account.sums.balances:
                # refunds that came first: now it is known what the buyer's money was worth, and how much was paid
                self._catch_up(group, balance, fact if fact.makes else None)
        else:
            made = self._refunded(fact, fact.sum, group)
        self._follow(group, LINK_WAIT if isinstance(fact.sum, Paid) else fact.sum.link_wait)
        return made

    def unite(self, group: str, other: str) -> None:
        """The sales `other` and `group` are one; their events have been put together already."""
        if other not in self._accounts and group not in self._accounts:
            return
        account = self._of(group)
        account.take_over(self._accounts.pop(other, _Account()))
        self._changed.discard(other)
        self._gone.add(other)
        self._changed.add(group)
        if not account.sums.is_heard_only:
            account.heard_at = None
        self._balance(group, PAID)
        for balance in account.sums.balances:
            self._catch_up(group, balance)
        self._follow(group, LINK_WAIT)

    def write(self) -> None:
        """Write the sums back."""
        if self._gone:
            self._connection.execute(delete(groups).where(groups.c.id.in_(sorted(self._gone))))
        rows = [
            {
                "id": group,
                "destination": self._destination,
                "truth": account.sums.as_json(),
                "emitted": account.as_json(),
                "heard_at": account.heard_at,
            }
            for group in sorted(self._changed)
            if not (account := self._accounts[group]).is_empty
        ]
        if rows:
            self._connection.execute(_KEEP[self._connection.dialect.name], rows)

    # Payments

    def _paid(self, fact: SubmittedEvent, told: Paid, group: str) -> KnownEvent | None:
        payments = self._events(group, PAID)
        lacking = self._balance(group, PAID, prefer=told.currency)
        currency = self._currency(group, PAID, prefer=told.currency)
        if lacking > 0 and fact.makes and told.currency == currency:
            correctable = self._correctable(payments, told, group)
            if correctable is None:
                return self._add(fact, group, PAID, told.provider_object, Money(lacking, currency))
            self._set_amount(correctable, _amount(correctable) + lacking)
        elif lacking > 0 and not fact.makes:
            self._revive(payments, fact)
        self._enrich(payments, fact, told.provider_object)
        return None

    def _correctable(self, payments: Sequence[KnownEvent], told: Paid, group: str) -> KnownEvent | None:
        """The untold event whose amount this telling corrects: of the same object, or the same money seen otherwise."""
        untold = [event for event in payments if event.is_unattempted]
        same = next((event for event in untold if event.provider_object == told.provider_object), None)
        if same is not None or len(untold) != 1:
            return same
        columns = self._of(group).sums.columns_of(untold[0].provider_object)
        return None if told.column in columns else untold[0]

    def _enrich(self, payments: Sequence[KnownEvent], fact: SubmittedEvent, provider_object: str) -> None:
        """Give an untold payment the better data; what an attempt may have sent stays as it is."""
        live = [event for event in payments if event.is_live]
        event = next((one for one in live if one.is_unattempted and one.provider_object == provider_object), None)
        if event is None and len(live) == 1 and live[0].is_unattempted:
            event = live[0]
        if event is None:
            return
        values: dict[str, Any] = {}
        finds_subscriber = event.subscriber is None and fact.subscriber is not None
        better = self._is_better(fact, event)
        if better:
            values |= {
                "data": _with_amount(fact.data, event),
                "detail_rank": fact.detail_rank,
                "named_by": fact.named_by,
            }
        if finds_subscriber or (fact.makes and fact.subscriber is not None and better):
            values["subscriber"] = fact.subscriber
        if event.release_at is not None and fact.makes and not _link_wait(fact):
            values["release_at"] = None
        subscriber = values.get("subscriber", event.subscriber)
        waits = values.get("release_at", event.release_at) is not None
        is_waited_for = event.reason in (Reason.SUBSCRIBER_UNKNOWN, Reason.LINK_MISSING)
        if event.status == Status.HELD and subscriber is not None and is_waited_for:
            if waits:
                values |= {"reason": Reason.LINK_MISSING, "waits_for": None}
            else:
                values |= {"status": Status.WAITING, "reason": None, "waits_for": None}
        if values:
            self._event_writer.change(event, values)

    def _revive(self, payments: Sequence[KnownEvent], fact: SubmittedEvent) -> None:
        """A payment that was given up because nobody knew whose it was leaves once somebody does."""
        lost = next((one for one in payments if one.status == Status.DROPPED and _was_nobodys(one)), None)
        if lost is not None and fact.subscriber is not None:
            values = {"subscriber": fact.subscriber, "status": Status.WAITING, **WITHOUT_REASON, "waits_for": None}
            self._event_writer.change(lost, {**values, "settled_at": None, "due_at": self._now + fact.settle})

    # Refunds

    def _refunded(self, fact: SubmittedEvent, told: Refund | RefundTotal | Chargeback, group: str) -> KnownEvent | None:
        lacking = self._balance(group, told.balance, returns=fact if told.returns else None)
        currency = self._currency(group, told.balance)
        refunds = [event for event in self._events(group, told.balance) if event.type == EventType.SUBSCRIBER_REFUND]
        if lacking > 0 and fact.makes:
            waiting = next(
                (one for one in refunds if one.is_unattempted and one.provider_object == told.provider_object), None
            )
            if waiting is None:
                return self._add(fact, group, told.balance, told.provider_object, Money(lacking, currency))
            self._set_amount(waiting, _amount(waiting) + lacking)
        for event in refunds:
            if event.is_unattempted:
                self._enrich_refund(event, fact)
        return None

    def _catch_up(self, group: str, balance: str, fact: SubmittedEvent | None = None) -> None:
        """Tell the refunds that came before their sale counted, or before as much of it was paid; `fact` tells that."""
        lacking = self._balance(group, balance)
        if lacking <= 0 or self._standing(group) is not Standing.COUNTED:
            return
        refunds = [event for event in self._events(group, balance) if event.type == EventType.SUBSCRIBER_REFUND]
        given_up = next((one for one in refunds if _was_given_up(one)), None)
        waiting = next((one for one in refunds if one.is_unattempted), None)
        money = Money(lacking, self._currency(group, balance))
        if waiting is not None:
            self._set_amount(waiting, _amount(waiting) + lacking)
        elif given_up is not None:
            self._event_writer.change(
                given_up, {**WITHOUT_REASON, "status": Status.HELD, "reason": Reason.SALE_UNKNOWN, "settled_at": None}
            )
            self._set_amount(given_up, money.amount, money.currency)
        elif fact is not None:
            values = {"type": EventType.SUBSCRIBER_REFUND.value, "detail_rank": 0, "named_by": None}
            self._add(fact, group, balance, balance, money, values)

    def _enrich_refund(self, event: KnownEvent, fact: SubmittedEvent) -> None:
        values: dict[str, Any] = {}
        if self._is_better(fact, event):
            values |= {"data": _with_amount(fact.data, event), "detail_rank": fact.detail_rank}
        if event.subscriber is None and fact.subscriber is not None:
            values |= {"subscriber": fact.subscriber, "waits_for": None}
        if values:
            self._event_writer.change(event, values)

    def _is_better(self, fact: SubmittedEvent, event: KnownEvent) -> bool:
        """Whether a telling names product and subscriber better, or what it named at first is read otherwise now."""
        if fact.detail_rank == event.detail_rank:
            return self._event_writer.is_repeated(event)
        return fact.detail_rank > event.detail_rank

    def _follow(self, group: str, wait: timedelta) -> None:
        """Let untold refunds go where their payment went, and after it; without one, wait for it so long."""
        payments = [event for event in self._events(group, PAID) if event.reason != Reason.SUPERSEDED]
        standing = self._standing(group)
        for balance in self._of(group).sums.balances:
            for event in self._events(group, balance):
                if event.type != EventType.SUBSCRIBER_REFUND or not event.is_unattempted:
                    continue
                sale = _sale_of(event, balance, payments)
                if sale is not None:
                    values = follow(event, sale)
                    values |= {} if event.release_at is None else {"release_at": None}
                else:
                    values = self._without_payment(event, balance, group, standing, wait)
                if values:
                    self._event_writer.change(event, values)

    def _standing(self, group: str) -> Standing:
        account = self._of(group)
        is_kept = any(Decimal(amount) > 0 for amount in account.kept.get(PAID, {}).values())
        return Standing.COUNTED if is_kept else account.sums.standing

    def _without_payment(
        self, event: KnownEvent, balance: str, group: str, standing: Standing, wait: timedelta
    ) -> dict[str, Any]:
        """The columns to set of a refund whose payment is no event that is kept here."""
        release_at = event.release_at or self._now + wait
        if standing is Standing.LEFT_OUT:
            wanted = {
                "status": Status.HELD,
                "reason": Reason.SALE_LEFT_OUT,
                "release_at": release_at,
                "waits_for": None,
            }
        elif standing is Standing.COUNTED:
            known = event.subscriber is not None
            wanted = {"status": Status.WAITING, "reason": None} if known else {"reason": Reason.SUBSCRIBER_UNKNOWN}
            wanted |= {"release_at": None}
        elif not self._of(group).sums.leaves_alone(balance):
            wanted = {"status": Status.HELD, "reason": Reason.SALE_UNKNOWN, "release_at": None, "waits_for": None}
        elif event.status == Status.HELD:
            wanted = {"reason": Reason.SALE_UNKNOWN, "release_at": release_at}
        else:  # it has waited for its sale, and is on its way without
            wanted = {}
        return {name: value for name, value in wanted.items() if getattr(event, name) != value}

    # Both

    def _balance(
        self, group: str, balance: str, *, prefer: str | None = None, returns: SubmittedEvent | None = None
    ) -> Decimal:
        """What is true and not told yet in a book. Untold events that say too much are lessened or left out.

        What Lumail was told too much is shown once, or given back as a payment where `returns` says so.
        """
        told, account = self._events(group, balance), self._of(group)
        currency = self._currency(group, balance, prefer=prefer)
        if not currency:
            return NOTHING
        self._convert(group, told, currency)
        truth = self._truth(group, balance, currency)
        lacking = truth - account.emitted(balance, currency, told)
        for event in sorted((one for one in told if one.is_unattempted), key=lambda one: one.rank_of_staying):
            if event.currency != currency:
                self._drop(event)
            elif lacking < 0 and event.type == _TYPES.get(balance, EventType.SUBSCRIBER_REFUND):
                less = min(_amount(event), -lacking)
                lacking += less
                if less == _amount(event):
                    self._drop(event)
                else:
                    self._set_amount(event, _amount(event) - less)
        if lacking < 0:
            if returns is not None:
                self._give_back(returns, group, balance, Money(-lacking, currency))
            else:
                self._show(group, balance, Money(-lacking, currency), told)
        return lacking

    def _truth(self, group: str, balance: str, currency: str) -> Decimal:
        sums = self._of(group).sums
        if balance == PAID:
            return sums.paid(currency)
        back = sums.went_back(balance)
        if back is None:
            return NOTHING
        amount = sums.in_currency(back, currency).amount
        if self._standing(group) is not Standing.COUNTED or not sums.paid(currency):
            return amount
        others = (other for other in sums.balances if other != balance)
        elsewhere = sum((self._emitted(group, other, currency) for other in others), NOTHING)
        return max(min(amount, sums.paid(currency) - elsewhere), NOTHING)

    def _emitted(self, group: str, balance: str, currency: str) -> Decimal:
        return self._of(group).emitted(balance, currency, self._events(group, balance))

    def _currency(self, group: str, balance: str, *, prefer: str | None = None) -> str:
        """In which currency a book is kept: the one that Lumail was told first; a refund in that of its sale.

        Empty where nothing was told yet.
        """
        sums, kept = self._of(group).sums, self._of(group).kept
        told = [event for event in self._events(group, balance) if event.is_live or event.is_closed]
        sent = next((event.currency for event in told if event.is_sent), None) or next(
            iter(kept.get(balance, {})), None
        )
        if sent is not None:
            return sent
        if balance == PAID:
            first = next((event.currency for event in told), None)
            return sums.own_currency(first or sums.first_currency or prefer or "")
        sale = [event for event in self._events(group, PAID) if event.is_live or event.is_closed]
        target = next((event.currency for event in sale), None) or next(iter(kept.get(PAID, {})), None)
        refunded = sums.went_back(balance)
        if refunded is None:
            return target or ""
        return refunded.currency if target is None else sums.in_currency(refunded, target).currency

    def _convert(self, group: str, told: Iterable[KnownEvent], currency: str) -> None:
        """Put untold events into the currency of their book, where the rate is known by now."""
        for event in told:
            if event.is_unattempted and event.amount is not None and event.currency not in (None, currency):
                money = self._of(group).sums.in_currency(Money(event.amount, str(event.currency)), currency)
                if money.currency == currency:
                    self._set_amount(event, money.amount, currency)

    def _add(
        self,
        fact: SubmittedEvent,
        group: str,
        balance: str,
        provider_object: str,
        money: Money,
        besides: Mapping[str, Any] = _NOTHING_ELSE,
    ) -> KnownEvent:
        values: dict[str, Any] = {
            "balance": balance,
            "provider_object": provider_object,
            "amount": money.amount,
            "currency": money.currency,
        }
        values |= {"data": priced(fact.data, money), **besides}
        wait = _link_wait(fact)
        if balance != PAID:
            values |= {"status": Status.HELD, "reason": Reason.SALE_UNKNOWN}
        elif wait is not None:
            values |= {"release_at": self._now + wait}
            if fact.subscriber is not None:
                values |= {"status": Status.HELD, "reason": Reason.LINK_MISSING}
        if fact.currencies is not None and fact.currencies[0] != money.currency:
            values |= {"status": _IN_OTHER_CURRENCY[fact.currencies[1]], "reason": Reason.OTHER_CURRENCY}
            values |= {"waits_for": None, "release_at": None}
            values |= {"settled_at": self._now} if values["status"] == Status.DROPPED else {}
        return self._event_writer.add(fact, group, values)

    def _give_back(self, fact: SubmittedEvent, group: str, balance: str, money: Money) -> None:
        """A payment for a refund that failed after Lumail had heard of it; it counts against the book of refunds."""
        refund = next(event for event in reversed(self._events(group, balance)) if event.is_sent)
        data = {**decode_data(priced(fact.data, money)), "product": RETURNED}
        values = {
            "type": EventType.SUBSCRIBER_PAYMENT.value,
            "balance": balance,
            "provider_object": refund.provider_object,
            "amount": -money.amount,
            "currency": money.currency,
            "data": encode_data(data),
            "subscriber": refund.subscriber,
            "status": Status.WAITING,
            "reason": None,
            "waits_for": None,
        }
        self._event_writer.add(fact, group, values)

    def _set_amount(self, event: KnownEvent, amount: Decimal, currency: str | None = None) -> None:
        money = Money(amount, currency or str(event.currency))
        data = priced(event.data, money)
        self._event_writer.change(event, {"amount": money.amount, "currency": money.currency, "data": data})

    def _drop(self, event: KnownEvent) -> None:
        values = {"status": Status.DROPPED, "reason": Reason.SUPERSEDED, "waits_for": None, "settled_at": self._now}
        self._event_writer.change(event, values)

    def _show(self, group: str, balance: str, excess: Money, told: Sequence[KnownEvent]) -> None:
        """Tell the operator, once, that Lumail heard of more than is true."""
        shown = self._of(group).shown
        if Decimal(shown.get(balance, "0")) >= excess.amount:
            return
        shown[balance] = str(excess.amount)
        sent = ", ".join(sorted(event.id for event in told if event.is_sent))
        what = (
            f"sent for one fact: {sent}"
            if balance == PAID
            else f"{excess.amount} {excess.currency} of the refund came back after it was told: {sent}"
        )
        incidents.record(self._connection, self._destination, group, what)

    def _events(self, group: str, balance: str) -> list[KnownEvent]:
        return [event for event in self._told[group] if event.balance == balance]

    def _of(self, group: str) -> _Account:
        return self._accounts.setdefault(group, _Account())


_TYPES = {PAID: EventType.SUBSCRIBER_PAYMENT}


def _amount(event: KnownEvent) -> Decimal:
    return NOTHING if event.amount is None else event.amount


def _link_wait(fact: SubmittedEvent) -> Any:
    return fact.sum.link_wait if isinstance(fact.sum, Paid) else None


def _was_given_up(event: KnownEvent) -> bool:
    """Whether it was dropped because its sale was not known, or did not count."""
    if event.status != Status.DROPPED:
        return False
    unknown = event.reason == Reason.HELD_TOO_LONG and event.former_reason in (
        Reason.SALE_UNKNOWN,
        Reason.SALE_LEFT_OUT,
    )
    return unknown or event.reason == Reason.SALE_NEVER_COUNTED


def _was_nobodys(event: KnownEvent) -> bool:
    why = (event.reason, event.former_reason)
    return event.first_attempt_at is None and why == (Reason.HELD_TOO_LONG, Reason.SUBSCRIBER_UNKNOWN)


def _sale_of(refund: KnownEvent, balance: str, payments: Sequence[KnownEvent]) -> KnownEvent | None:
    """The payment that a refund takes back: the one that was told by the same object, else the first that lives."""
    ranked = sorted(
        payments,
        key=lambda one: (
            one.provider_object not in (balance, refund.provider_object),
            not one.is_live,
            one.occurred_at,
        ),
    )
    return next(iter(ranked), None)


def _with_amount(data: str, event: KnownEvent) -> str:
    return priced(data, Money(_amount(event), str(event.currency)))
