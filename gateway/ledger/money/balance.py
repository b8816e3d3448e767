"""What is still to be told of a sale's money: truth minus what was told, never one event a webhook.

Nothing here reads or writes the ledger: a balance works on what was loaded of one sale, and says which of its events
are made, corrected or left out. Payments of a sale are one book, the refunds of each of its charges or orders another;
in each book the amounts of events add up to what is true, or to more where Lumail was told too much. That can't be
taken back: it is set against what comes next, and shown.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from gateway.events import LINK_WAIT, Chargeback, EventType, LumailEvent, Paid, Refund, RefundTotal, decode_data
from gateway.ledger.event import Event, EventChange
from gateway.ledger.money.refunds import amount_of, enriched, followed, returned, was_given_up, with_amount
from gateway.ledger.money.sale import EventWriter, NewEvent, Sale
from gateway.ledger.money.sums import NOTHING, PAID, Money, Standing, priced
from gateway.ledger.status import Reason, Status

_TYPES = {PAID: EventType.SUBSCRIBER_PAYMENT}
_IN_OTHER_CURRENCY = {"hold": Status.HELD, "drop": Status.DROPPED}
_NOTHING_ELSE = EventChange()


class SaleBalance:
    """One sale's; `writer` makes and changes its events, `show` tells the operator of what only a person can settle."""

    def __init__(self, sale: Sale, group: str, writer: EventWriter, show: Callable[[str], None], now: datetime) -> None:
        self._sale = sale
        self._group = group
        self._writer = writer
        self._show = show
        self._now = now

    def apply(self, fact: LumailEvent) -> Event | None:
        """Take in what a telling says of the money; the new event, None where there is none to be made."""
        if fact.sum is None:
            return None
        sums, reporter = self._sale.sums, self._writer.reporter
        if self._writer.is_same_webhook and sums.rests_on(fact.sum, reporter):
            sums.take_back(fact.sum)
        sums.learn(fact.sum, makes=fact.makes, reporter=reporter)
        self._sale.hear(self._now)
        if isinstance(fact.sum, Paid):
            made = self._paid(fact, fact.sum)
            for balance in sums.balances:
                # refunds that came first: now it is known what the buyer's money was worth, and how much was paid
                self._catch_up(balance, fact if fact.makes else None)
        else:
            made = self._refunded(fact, fact.sum)
        self._follow(LINK_WAIT if isinstance(fact.sum, Paid) else fact.sum.link_wait)
        return made

    def put_together(self) -> None:
        """Sums and events of two sales that turned out to be one have been put together already."""
        self._balance(PAID)
        for balance in self._sale.sums.balances:
            self._catch_up(balance)
        self._follow(LINK_WAIT)

    # Payments

    def _paid(self, fact: LumailEvent, told: Paid) -> Event | None:
        lacking = self._balance(PAID, prefer=told.currency)
        currency = self._currency(PAID, prefer=told.currency)
        if lacking > 0 and fact.makes and told.currency == currency:
            correctable = self._correctable(told)
            if correctable is None:
                return self._add(fact, PAID, told.provider_object, Money(lacking, currency))
            self._set_amount(correctable, amount_of(correctable) + lacking)
        elif lacking > 0 and not fact.makes:
            self._revive(fact)
        self._enrich(fact, told.provider_object)
        return None

    def _correctable(self, told: Paid) -> Event | None:
        """The untold event whose amount this telling corrects: of the same object, or the same money seen otherwise."""
        untold = [event for event in self._events(PAID) if event.is_unattempted]
        same = next((event for event in untold if event.provider_object == told.provider_object), None)
        if same is not None or len(untold) != 1:
            return same
        columns = self._sale.sums.columns_of(untold[0].provider_object)
        return None if told.column in columns else untold[0]

    def _enrich(self, fact: LumailEvent, provider_object: str) -> None:
        """Give an untold payment the better data; what an attempt may have sent stays as it is."""
        live = [event for event in self._events(PAID) if event.is_live]
        event = next((one for one in live if one.is_unattempted and one.provider_object == provider_object), None)
        if event is None and len(live) == 1 and live[0].is_unattempted:
            event = live[0]
        if event is None:
            return
        change: EventChange = {}
        finds_subscriber = event.subscriber is None and fact.subscriber is not None
        better = self._is_better(fact, event)
        if better:
            change |= {
                "data": with_amount(fact.encoded, event),
                "detail_rank": fact.detail_rank,
                "named_by": fact.named_by,
            }
        if finds_subscriber or (fact.makes and fact.subscriber is not None and better):
            change["subscriber"] = fact.subscriber
        if event.release_at is not None and fact.makes and not _link_wait(fact):
            change["release_at"] = None
        subscriber = change.get("subscriber", event.subscriber)
        waits = change.get("release_at", event.release_at) is not None
        nameless = event.reason in (Reason.SUBSCRIBER_UNKNOWN, Reason.LINK_MISSING)
        if event.status == Status.HELD and subscriber is not None and nameless:
            if waits:
                change |= {"reason": Reason.LINK_MISSING, "waits_for": None}
            else:
                change |= {"status": Status.WAITING, "reason": None, "waits_for": None}
        self._change(event, change)

    def _revive(self, fact: LumailEvent) -> None:
        """A payment that was given up because nobody knew whose it was leaves once somebody does."""
        lost = next((one for one in self._events(PAID) if _was_nobodys(one)), None)
        if lost is not None and fact.subscriber is not None:
            change: EventChange = {"subscriber": fact.subscriber, "status": Status.WAITING, "reason": None}
            self._change(lost, {**change, "waits_for": None, "due_at": self._now + fact.settle})

    # Refunds

    def _refunded(self, fact: LumailEvent, told: Refund | RefundTotal | Chargeback) -> Event | None:
        lacking = self._balance(told.balance, returns=fact if told.returns else None)
        currency = self._currency(told.balance)
        if lacking > 0 and fact.makes:
            waiting = next(
                (one for one in self._untold_refunds(told.balance) if one.provider_object == told.provider_object), None
            )
            if waiting is None:
                return self._add(fact, told.balance, told.provider_object, Money(lacking, currency))
            self._set_amount(waiting, amount_of(waiting) + lacking)
        for event in self._untold_refunds(told.balance):
            self._change(event, enriched(event, fact, better=self._is_better(fact, event)))
        return None

    def _catch_up(self, balance: str, fact: LumailEvent | None = None) -> None:
        """Tell the refunds that came before their sale counted, or before as much of it was paid; `fact` tells that."""
        lacking = self._balance(balance)
        if lacking <= 0 or self._standing is not Standing.COUNTED:
            return
        money = Money(lacking, self._currency(balance))
        waiting = next(iter(self._untold_refunds(balance)), None)
        given_up = next((one for one in self._events(balance) if was_given_up(one)), None)
        if waiting is not None:
            self._set_amount(waiting, amount_of(waiting) + lacking)
        elif given_up is not None:
            data = priced(given_up.data, money)
            change: EventChange = {"status": Status.HELD, "reason": Reason.SALE_UNKNOWN, "data": data}
            self._change(given_up, {**change, "amount": money.amount, "currency": money.currency})
        elif fact is not None:
            besides: EventChange = {"type": EventType.SUBSCRIBER_REFUND, "detail_rank": 0, "named_by": None}
            self._add(fact, balance, balance, money, besides)
        else:
            self._tell_more(balance, money)

    def _tell_more(self, balance: str, money: Money) -> None:
        """More goes back than was told, since two sales turned out to be one: told as the last refund of it was."""
        refunds = [one for one in self._events(balance) if one.type == EventType.SUBSCRIBER_REFUND]
        if not refunds:
            return
        last, data = refunds[-1], decode_data(refunds[-1].data)
        fact = LumailEvent(EventType.SUBSCRIBER_REFUND, last.subscriber, data, last.occurred_at, keys=())
        self._add(fact, balance, last.provider_object or balance, money)

    def _is_better(self, fact: LumailEvent, event: Event) -> bool:
        """Whether a telling names product and subscriber better, or what it named at first is read otherwise now."""
        if fact.detail_rank == event.detail_rank:
            return self._writer.is_repeated(event)
        return fact.detail_rank > event.detail_rank

    def _follow(self, wait: timedelta) -> None:
        """Let untold refunds go where their payment went, and after it; without one, wait for it so long."""
        if not self._sale.sums.balances:
            return
        payments = [event for event in self._events(PAID) if event.reason != Reason.SUPERSEDED]
        for balance in self._sale.sums.balances:
            alone = self._sale.sums.leaves_alone(balance)
            for event in self._untold_refunds(balance):
                release_at = event.release_at or self._now + wait
                self._change(event, followed(event, payments, self._standing, release_at, alone=alone))

    @property
    def _standing(self) -> Standing:
        is_purged = any(Decimal(amount) > 0 for amount in self._sale.kept.get(PAID, {}).values())
        return Standing.COUNTED if is_purged else self._sale.sums.standing

    def _untold_refunds(self, balance: str) -> list[Event]:
        refunds = [event for event in self._events(balance) if event.type == EventType.SUBSCRIBER_REFUND]
        return [event for event in refunds if event.is_unattempted]

    # Both

    def _balance(self, balance: str, *, prefer: str | None = None, returns: LumailEvent | None = None) -> Decimal:
        """What is true and not told yet in a book. Untold events that say too much are lessened or left out.

        What Lumail was told too much is shown once, or given back as a payment where `returns` says so.
        """
        currency = self._currency(balance, prefer=prefer)
        if not currency:
            return NOTHING
        self._convert(self._events(balance), currency)
        told = self._events(balance)
        lacking = self._truth(balance, currency) - self._sale.emitted(balance, currency, told)
        for event in sorted((one for one in told if one.is_unattempted), key=lambda one: one.rank_of_staying):
            if event.currency != currency:
                self._drop(event)
            elif lacking < 0 and event.type == _TYPES.get(balance, EventType.SUBSCRIBER_REFUND):
                less = min(amount_of(event), -lacking)
                lacking += less
                if less == amount_of(event):
                    self._drop(event)
                else:
                    self._set_amount(event, amount_of(event) - less)
        if lacking < 0:
            excess = Money(-lacking, currency)
            if returns is not None:
                refund = next(event for event in reversed(self._events(balance)) if event.is_sent)
                self._writer.add(returned(returns, self._group, refund, excess))
            else:
                self._show_excess(balance, excess, told)
        return lacking

    def _truth(self, balance: str, currency: str) -> Decimal:
        sums = self._sale.sums
        if balance == PAID:
            return sums.paid(currency)
        back = sums.went_back(balance)
        if back is None:
            return NOTHING
        amount = sums.in_currency(back, currency).amount
        if self._standing is not Standing.COUNTED or not sums.paid(currency):
            return amount
        others = (other for other in sums.balances if other != balance)
        elsewhere = sum((self._sale.emitted(one, currency, self._events(one)) for one in others), NOTHING)
        return max(min(amount, sums.paid(currency) - elsewhere), NOTHING)

    def _currency(self, balance: str, *, prefer: str | None = None) -> str:
        """In which currency a book is kept: the one that Lumail was told first; a refund in that of its sale.

        Empty where nothing was told yet.
        """
        sums, kept = self._sale.sums, self._sale.kept
        told = self._counted(balance)
        sent = next((event.currency for event in told if event.is_sent), None) or next(
            iter(kept.get(balance, {})), None
        )
        if sent is not None:
            return sent
        if balance == PAID:
            first = next((event.currency for event in told), None)
            return sums.own_currency(first or sums.first_currency or prefer or "")
        paid = next((event.currency for event in self._counted(PAID)), None) or next(iter(kept.get(PAID, {})), None)
        refunded = sums.went_back(balance)
        if refunded is None:
            return paid or ""
        return refunded.currency if paid is None else sums.in_currency(refunded, paid).currency

    def _counted(self, balance: str) -> list[Event]:
        return [event for event in self._events(balance) if event.is_live or event.is_closed]

    def _convert(self, told: Iterable[Event], currency: str) -> None:
        """Put untold events into the currency of their book, where the rate is known by now."""
        for event in told:
            if event.is_unattempted and event.amount is not None and event.currency not in (None, currency):
                money = self._sale.sums.in_currency(Money(event.amount, str(event.currency)), currency)
                if money.currency == currency:
                    self._set_amount(event, money.amount, currency)

    def _add(
        self,
        fact: LumailEvent,
        balance: str,
        provider_object: str,
        money: Money,
        besides: EventChange = _NOTHING_ELSE,
    ) -> Event:
        columns: EventChange = {"provider_object": provider_object, "amount": money.amount, "currency": money.currency}
        columns |= {"data": priced(fact.encoded, money), **besides}
        wait = _link_wait(fact)
        if balance != PAID:
            columns |= {"status": Status.HELD, "reason": Reason.SALE_UNKNOWN}
        elif wait is not None:
            columns |= {"release_at": self._now + wait}
            if fact.subscriber is not None:
                columns |= {"status": Status.HELD, "reason": Reason.LINK_MISSING}
        if fact.currencies is not None and fact.currencies[0] != money.currency:
            columns |= {"status": _IN_OTHER_CURRENCY[fact.currencies[1]], "reason": Reason.OTHER_CURRENCY}
            columns |= {"waits_for": None, "release_at": None}
        return self._writer.add(NewEvent(fact, self._group, columns, balance))

    def _set_amount(self, event: Event, amount: Decimal, currency: str | None = None) -> None:
        money = Money(amount, currency or str(event.currency))
        data = priced(event.data, money)
        self._change(event, {"amount": money.amount, "currency": money.currency, "data": data})

    def _drop(self, event: Event) -> None:
        self._change(event, {"status": Status.DROPPED, "reason": Reason.SUPERSEDED, "waits_for": None})

    def _show_excess(self, balance: str, excess: Money, told: Sequence[Event]) -> None:
        """Tell the operator, once, that Lumail heard of more than is true."""
        shown = self._sale.shown
        if Decimal(shown.get(balance, "0")) >= excess.amount:
            return
        shown[balance] = str(excess.amount)
        sent = ", ".join(sorted(event.id for event in told if event.is_sent))
        self._show(
            f"sent for one fact: {sent}"
            if balance == PAID
            else f"{excess.amount} {excess.currency} of the refund came back after it was told: {sent}"
        )

    def _change(self, event: Event, change: EventChange) -> None:
        if change:
            self._writer.change(event, change)

    def _events(self, balance: str) -> list[Event]:
        return [event for event in self._writer.of_group(self._group) if event.balance == balance]


def _link_wait(fact: LumailEvent) -> timedelta | None:
    return fact.sum.link_wait if isinstance(fact.sum, Paid) else None


def _was_nobodys(event: Event) -> bool:
    why = (event.status, event.reason, event.former_reason)
    nobodys = (Status.DROPPED, Reason.HELD_TOO_LONG, Reason.SUBSCRIBER_UNKNOWN)
    return event.first_attempt_at is None and why == nobodys
