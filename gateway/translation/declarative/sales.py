"""What a rule of a YAML adapter says of a sale: what was paid and what went back, as the gateway's sums take it.

A rule never says what is to be sent: that is what is true of a sale by all rules less what was sent already.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from gateway.config.faults import Path as Place
from gateway.errors import PayloadError
from gateway.events import (
    LINK_WAIT,
    Chargeback,
    EventType,
    LumailEvent,
    MemoryKey,
    Paid,
    Refund,
    RefundState,
    RefundTotal,
    Sum,
)
from gateway.translation import money
from gateway.translation.adapter import Context, SourceEvent
from gateway.translation.declarative import functions, given
from gateway.translation.declarative.expressions import Expression
from gateway.translation.declarative.scope import Scope

SAYS = ("paid", "refunded_total", "refund", "chargeback")
"""The keys by which a rule says something of a sale's money."""

LONGEST_PRODUCT = 200

ANY_TIME = datetime.fromtimestamp(0, UTC)
"""When a refund was created: before any running total, which then holds it. No two clocks are compared about money."""

Keys = Sequence[tuple[str, Expression]]


@dataclass(frozen=True)
class Back:
    """One refund or chargeback. `state` None: what is told of has succeeded."""

    id: Expression
    amount: Expression
    state: Expression | None = None


@dataclass(frozen=True)
class Sale:
    """What a rule says of a sale; `keys` name it, the first of them the money that refunds take from.

    `provider_object` names what was paid where several payments make the sale. `makes` is the word of `payments_from`
    that it asks for. `minor`: amounts are told in minor units.
    """

    keys: Keys
    currency: Expression
    title: str
    subscriber: Expression | None = None
    product: Expression | None = None
    provider_object: Keys | None = None
    paid: Expression | None = None
    presented: Mapping[str, Expression] | None = None
    refunded_total: Expression | None = None
    refund: Back | None = None
    chargeback: Back | None = None
    makes: str | None = None
    detail_rank: int = 0
    minor: bool = False

    @property
    def takes_back(self) -> bool:
        return any(one is not None for one in (self.refunded_total, self.refund, self.chargeback))

    def expressions(self) -> Iterator[tuple[Place, Expression]]:
        """Every expression, with the place where it stands within the rule."""
        yield from ((("sale", kind or place), one) for place, (kind, one) in enumerate(self.keys))
        yield from ((("part", kind or place), one) for place, (kind, one) in enumerate(self.provider_object or ()))
        singles = {name: getattr(self, name) for name in ("subscriber", "currency", "product", *SAYS[:2])}
        yield from (((name,), one) for name, one in singles.items() if one is not None)
        yield from ((("presented", name), one) for name, one in (self.presented or {}).items())
        for name in SAYS[2:]:
            back: Back | None = getattr(self, name)
            if back is not None:
                inner = {word: getattr(back, word) for word in ("id", "amount", "state")}
                yield from (((name, word), one) for word, one in inner.items() if one is not None)


@dataclass(frozen=True)
class Said:
    """What a rule said: events that may be made, and those that only teach; neither where nothing was told."""

    events: Sequence[LumailEvent] = ()
    sums: Sequence[LumailEvent] = ()
    reason: str = "nothing is told of money"


def statements(
    sale: Sale, recall: Mapping[str, Expression], event: SourceEvent, payload: Any, scope: Scope, context: Context
) -> Said:
    """Raises PayloadError where the payload does not tell what is needed."""
    keys = given.keys("sale", sale.keys, payload, scope)
    translated_item = _Telling(sale, keys, event, payload, scope, context)
    measured = (measure(translated_item) for measure in (_paid, _refunded_total, _refund, _chargeback))
    said = [one for one in measured if one is not None]
    if not said:
        return Said(reason=_silence(sale, context))
    subscriber, waits_for = given.subscriber(sale.subscriber, recall, payload, scope)
    product = _product(sale, payload, scope)
    base = _Base(sale, keys, subscriber, waits_for, product, event.occurred_at)
    made = [(base.event(one), makes) for one, makes in said]
    return Said([one for one, makes in made if makes], [one for one, makes in made if not makes])


def _silence(sale: Sale, context: Context) -> str:
    if sale.chargeback is not None and context.options.get("chargebacks") == "ignore":
        return "chargebacks are left out here (chargebacks)"
    return "nothing is told of money"


@dataclass(frozen=True)
class _Telling:
    """One source event as a rule reads it."""

    sale: Sale
    keys: Sequence[str]
    event: SourceEvent
    payload: Any
    scope: Scope
    context: Context

    def amount(self, place: str, expression: Expression | None) -> Decimal | None:
        """In major units; None where nothing is told."""
        if expression is None:
            return None
        found = given.evaluated(place, expression, self.payload, self.scope)
        if found is None or found is False or found == "":
            return None
        try:
            if self.sale.minor:
                return functions.major_units(self.scope, found, self.currency)
            return money.amount(found)
        except PayloadError as error:
            raise PayloadError(f"{place}: {error}") from error

    @cached_property
    def currency(self) -> str:
        found = given.evaluated("currency", self.sale.currency, self.payload, self.scope)
        try:
            return money.currency_code(found)
        except PayloadError as error:
            raise PayloadError(f"currency: {error}") from error

    @property
    def balance(self) -> str:
        if not self.keys:
            raise PayloadError("sale: none of its keys is told")
        return self.keys[0]

    def option(self, name: str) -> Any:
        return self.context.options.get(name)

    @property
    def common(self) -> dict[str, Any]:
        """What is alike of all that takes money back."""
        return {
            "balance": self.balance,
            "provider_object": self.balance,
            "currency": self.currency,
            "reported_at": self.event.occurred_at,
            "alone": self.option("unknown_sale_refunds") == "send",
            "returns": self.option("failed_refund") == "payment",
            "link_wait": self.option("link_wait") or LINK_WAIT,
        }


def _paid(one: _Telling) -> tuple[Sum, bool] | None:
    amount = one.amount("paid", one.sale.paid)
    if amount is None:
        return None
    part = one.balance
    if one.sale.provider_object is not None:
        part = next(iter(given.keys("part", one.sale.provider_object, one.payload, one.scope)), "")
        if not part:
            raise PayloadError("part: it is not told")
    amount = max(amount, Decimal(0))
    makes = amount > 0 and one.sale.makes in (None, one.option("payments_from"))
    presented = _presented(one) if amount > 0 else None
    return Paid(part.partition(":")[0], part, amount, one.currency, presented), makes


def _presented(one: _Telling) -> tuple[Decimal, str] | None:
    """The same money in the currency that the buyer saw, where that is another."""
    named = one.sale.presented
    if named is None:
        return None
    code = given.name("presented.currency", named["currency"], one.payload, one.scope)
    amount = given.evaluated("presented.amount", named["amount"], one.payload, one.scope)
    if code is None or amount is None or money.currency_code(code) == one.currency:
        return None
    seen = functions.major_units(one.scope, amount, code) if one.sale.minor else money.amount(amount)
    return seen, money.currency_code(code)


def _refunded_total(one: _Telling) -> tuple[Sum, bool] | None:
    amount = one.amount("refunded_total", one.sale.refunded_total)
    if amount is None or amount <= 0:
        return None
    return RefundTotal(amount=amount, **one.common), True


def _refund(one: _Telling) -> tuple[Sum, bool] | None:
    back = one.sale.refund
    found = None if back is None else _single("refund", back, one)
    if back is None or found is None:
        return None
    id_, amount, state = found
    if amount <= 0:
        return None
    return Refund(
        id=f"refund:{id_}", amount=amount, state=state, created_at=ANY_TIME, **one.common
    ), state is RefundState.SUCCEEDED


def _chargeback(one: _Telling) -> tuple[Sum, bool] | None:
    back = one.sale.chargeback
    if back is None or one.option("chargebacks") == "ignore":
        return None
    found = _single("chargeback", back, one)
    if found is None:
        return None
    id_, amount, state = found
    return Chargeback(
        id=f"chargeback:{id_}", amount=amount, state=state, **one.common
    ), state is RefundState.SUCCEEDED and amount > 0


def _single(place: str, back: Back, one: _Telling) -> tuple[str, Decimal, RefundState] | None:
    id_ = given.name(f"{place}.id", back.id, one.payload, one.scope)
    amount = None if id_ is None else one.amount(f"{place}.amount", back.amount)
    if id_ is None or amount is None:
        return None
    if back.state is None:
        return id_, amount, RefundState.SUCCEEDED
    word = given.name(f"{place}.state", back.state, one.payload, one.scope)
    if word is None:
        return None
    if word not in _STATES:
        raise PayloadError(f"{place}.state: must be pending, succeeded or failed")
    return id_, amount, _STATES[word]


_STATES = {one.value: one for one in RefundState}


def _product(sale: Sale, payload: Any, scope: Scope) -> str | None:
    if sale.product is None:
        return None
    found = given.text(given.evaluated("product", sale.product, payload, scope), "product")
    return found[:LONGEST_PRODUCT].strip() or None


@dataclass(frozen=True)
class _Base:
    """What is alike of all that one telling says of a sale."""

    sale: Sale
    keys: Sequence[str]
    subscriber: str | None
    waits_for: MemoryKey | None
    product: str | None
    occurred_at: datetime

    def event(self, said: Sum) -> LumailEvent:
        pays = isinstance(said, Paid)
        waits_for = self.waits_for
        if self.subscriber is None and waits_for is None:
            if pays and said.amount > 0:
                raise PayloadError("subscriber: nobody is told, and nothing that could teach who it is")
            kind, _, id_ = self.keys[0].partition(":")
            waits_for = MemoryKey(kind, id_)  # a refund follows its payment
        data: dict[str, Any] = {"amount": abs(said.amount), "currency": said.currency}
        data["product"] = self.product or f"{self.sale.title} payment"
        if isinstance(said, Paid) and said.presented is not None:
            data["presentmentAmount"], data["presentmentCurrency"] = said.presented
        return LumailEvent(
            type=EventType.SUBSCRIBER_PAYMENT if pays else EventType.SUBSCRIBER_REFUND,
            subscriber=self.subscriber,
            data=data,
            occurred_at=self.occurred_at,
            keys=tuple(self.keys),
            waits_for=waits_for,
            detail_rank=(self.sale.detail_rank or 1) if self.product else 0,
            sum=said,
        )
