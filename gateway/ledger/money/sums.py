"""What is true of a sale's money, from all that objects of the provider said about it, in any order.

Pure: a fact's sums are a value that is read, taught, and written back. Names in it are hashes (see `named`), because
sums are kept for ever.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from enum import Enum
from typing import Any, Self

from gateway.events import Chargeback, Paid, Refund, RefundState, RefundTotal, Sum, decode_data, encode_data

NOTHING = Decimal(0)

PAID = "paid"
"""The book of a fact's payments; a book of refunds is named after the charge or order that they take from."""

_PROGRESS = {RefundState.PENDING: 0, RefundState.SUCCEEDED: 1, RefundState.FAILED: 2}


@dataclass(frozen=True)
class Money:
    amount: Decimal
    currency: str

    def as_json(self) -> list[str]:
        return [str(self.amount), self.currency]

    @classmethod
    def from_json(cls, stored: list[str]) -> Self:
        return cls(Decimal(stored[0]), stored[1])


class Standing(Enum):
    """What a sale is to the refunds that take it back."""

    COUNTED = "counted"
    LEFT_OUT = "left out"
    """It is known, and nothing of it counts: nobody paid it, or no telling that makes payments has told it."""

    UNKNOWN = "unknown"
    """Nobody told it, or only that something else tells it."""


@dataclass(frozen=True)
class _Single:
    """A refund or a chargeback as it was told last."""

    money: Money
    state: RefundState
    created_at: float
    reported_at: float

    def after(self, other: "_Single") -> bool:
        """Whether this telling is the later word about one refund. A failure is final, from when it was told first."""
        if self.state is RefundState.FAILED and other.state is RefundState.FAILED:
            return (self.reported_at, self.created_at) < (other.reported_at, other.created_at)
        if RefundState.FAILED in (self.state, other.state):
            return self.state is RefundState.FAILED
        return self._rank > other._rank

    @property
    def _rank(self) -> tuple[float, int, float]:
        return self.reported_at, _PROGRESS[self.state], self.created_at


@dataclass
class _RefundBalance:
    """What went back from one charge or order. `total` is cumulative, with the time when it was told; chargebacks are
    not in it.

    `alone`: somebody told it who says enough for it to leave without its sale.
    """

    singles: dict[str, _Single] = field(default_factory=dict)
    chargebacks: dict[str, _Single] = field(default_factory=dict)
    total: tuple[Money, float] | None = None
    paid: Money | None = None
    alone: bool = False

    def learn(self, report: Refund | RefundTotal | Chargeback) -> bool:
        """Whether this is what is known now of the refund, the chargeback, or of all refunds."""
        self.alone = self.alone or report.alone
        at = report.reported_at.timestamp()
        money = Money(report.amount, report.currency)
        if isinstance(report, Chargeback):
            return self._learn_chargeback(report.id, _Single(money, report.state, at, at))
        if report.paid is not None:
            self._learn_paid(Money(report.paid, report.currency))
        if isinstance(report, RefundTotal):
            return self._learn_total(money, at)
        return self._learn_single(report.id, _Single(money, report.state, report.created_at.timestamp(), at))

    def merge(self, other: "_RefundBalance") -> None:
        self.alone = self.alone or other.alone
        if other.paid is not None:
            self._learn_paid(other.paid)
        if other.total is not None:
            self._learn_total(*other.total)
        for identity, single in other.singles.items():
            self._learn_single(identity, single)
        for identity, single in other.chargebacks.items():
            self._learn_chargeback(identity, single)

    def went_back(self) -> Money | None:
        """What went back by refunds and chargebacks, as far as it is known; None where nothing was told."""
        moneys = [*([self.total[0]] if self.total is not None else []), *(one.money for one in self._all())]
        if not moneys:
            return None
        currency = moneys[0].currency
        lost = sum(
            (
                one.money.amount
                for one in self.chargebacks.values()
                if one.money.currency == currency and one.state is RefundState.SUCCEEDED
            ),
            NOTHING,
        )
        truth = max(self._refunded(currency), NOTHING) + max(lost, NOTHING)
        if self.paid is not None and self.paid.currency == currency:
            truth = min(truth, self.paid.amount)
        return Money(truth, currency)

    def _all(self) -> Iterator[_Single]:
        yield from self.singles.values()
        yield from self.chargebacks.values()

    def _refunded(self, currency: str) -> Decimal:
        """What refunds gave back.

        Refunds that were created before the newest total are in it, also those that have failed since or that are
        pending still; later ones are not. A refund that was known to have failed before the total is not in it.
        """
        known = [one for one in self.singles.values() if one.money.currency == currency]
        succeeded = sum((one.money.amount for one in known if one.state is RefundState.SUCCEEDED), NOTHING)
        truth = succeeded
        if self.total is not None:
            money, at = self.total
            inside = sum(
                (
                    one.money.amount
                    for one in known
                    if one.state is not RefundState.SUCCEEDED
                    and one.created_at <= at
                    and not (one.state is RefundState.FAILED and one.reported_at < at)
                ),
                NOTHING,
            )
            since = sum(
                (one.money.amount for one in known if one.state is RefundState.SUCCEEDED and one.created_at > at),
                NOTHING,
            )
            truth = max(money.amount - inside + since, succeeded)
        return truth

    def _learn_paid(self, paid: Money) -> None:
        if self.paid is None or paid.amount > self.paid.amount:
            self.paid = paid

    def _learn_total(self, money: Money, at: float) -> bool:
        counts = self.total is None or (at, money.amount) > (self.total[1], self.total[0].amount)
        if counts:
            self.total = (money, at)
        return counts

    def _learn_single(self, identity: str, single: _Single) -> bool:
        return _keep_last(self.singles, identity, single)

    def _learn_chargeback(self, identity: str, single: _Single) -> bool:
        return _keep_last(self.chargebacks, identity, single)

    def as_json(self) -> dict[str, Any]:
        return {
            "singles": _singles_as_json(self.singles),
            "chargebacks": _singles_as_json(self.chargebacks),
            "total": None if self.total is None else [*self.total[0].as_json(), self.total[1]],
            "paid": None if self.paid is None else self.paid.as_json(),
            "alone": self.alone,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        return cls(
            _singles_from_json(stored["singles"]),
            _singles_from_json(stored["chargebacks"]),
            None if stored["total"] is None else (Money.from_json(stored["total"][:2]), stored["total"][2]),
            None if stored["paid"] is None else Money.from_json(stored["paid"]),
            stored["alone"],
        )


def _keep_last(singles: dict[str, _Single], identity: str, single: _Single) -> bool:
    """Keep the later word; it was created when the earliest telling says. Whether that is this one."""
    known = singles.get(identity)
    counts = known is None or single.after(known)
    last = single if known is None or counts else known
    created_at = single.created_at if known is None else min(known.created_at, single.created_at)
    singles[identity] = replace(last, created_at=created_at)
    return counts


def _singles_as_json(singles: Mapping[str, _Single]) -> dict[str, list[Any]]:
    return {
        identity: [*one.money.as_json(), one.state.value, one.created_at, one.reported_at]
        for identity, one in singles.items()
    }


def _singles_from_json(report: Mapping[str, Any]) -> dict[str, _Single]:
    return {
        identity: _Single(Money.from_json(one[:2]), RefundState(one[2]), one[3], one[4])
        for identity, one in report.items()
    }


@dataclass
class Sums:
    """All that was said of one sale's money.

    `made` are payments by column and part, as makers told them; `heard` are those that only others told.
    `rates`: the same money in the currency that buyers saw and in the seller's own. `elsewhere` are parts that belong
    to a sale which other objects make, `missed` those of which it is known which object. `reporters` are the webhooks
    that told what is known of an object. `deposits` are payments that count only once the sale `is_paid`.
    """

    made: dict[str, dict[str, Money]] = field(default_factory=dict)
    heard: dict[str, dict[str, Money]] = field(default_factory=dict)
    balances: dict[str, _RefundBalance] = field(default_factory=dict)
    rates: dict[str, tuple[Money, Money]] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)
    missed: set[str] = field(default_factory=set)
    reporters: dict[str, str] = field(default_factory=dict)
    deposits: dict[str, dict[str, Money]] = field(default_factory=dict)
    is_paid: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said."""
        return not (
            self.made or self.heard or self.balances or self.rates or self.elsewhere or self.missed or self.deposits
        )

    def learn(self, report: Sum, *, makes: bool, reporter: str = "") -> None:
        """Take in what a webhook says; `reporter` names that, so that it can be taken back if it was read wrongly."""
        if not isinstance(report, Paid):
            if self.balances.setdefault(report.balance, _RefundBalance()).learn(report) and reporter:
                self.reporters[_about(report)] = reporter
            return
        own = Money(report.amount, report.currency)
        columns = self.deposits if report.deposit else self.made if makes else self.heard
        self.is_paid = self.is_paid or not report.deposit
        if _raise(columns, report.column, report.provider_object, own, report.tolerance) and reporter:
            self.reporters[_about(report)] = reporter
        if report.elsewhere:
            self.elsewhere.add(report.provider_object)
        if report.named:
            self.missed.add(report.provider_object)
        if report.presented is not None:
            self._learn_rate(Money(*report.presented), own)

    def rests_on(self, report: Sum, reporter: str) -> bool:
        """Whether what is known of the object that is told here was told by this very webhook."""
        return self.reporters.get(_about(report)) == reporter

    def take_back(self, report: Sum) -> None:
        """Forget what the object said that tells this now: it was read wrongly."""
        if isinstance(report, Paid):
            for columns in (self.made, self.deposits):
                columns.get(report.column, {}).pop(report.provider_object, None)
        elif isinstance(report, Refund):
            self.balances[report.balance].singles.pop(report.id, None)
        elif isinstance(report, Chargeback):
            self.balances[report.balance].chargebacks.pop(report.id, None)
        else:
            self.balances[report.balance].total = None

    def merge(self, other: "Sums") -> None:
        """The two sales are one."""
        pairs = ((self.made, other.made), (self.heard, other.heard), (self.deposits, other.deposits))
        for mine, theirs in pairs:
            for column, parts in theirs.items():
                for part, money in parts.items():
                    _raise(mine, column, part, money)
        for name, balance in other.balances.items():
            self.balances.setdefault(name, _RefundBalance()).merge(balance)
        for seen, own in other.rates.values():
            self._learn_rate(seen, own)
        self.elsewhere |= other.elsewhere
        self.missed |= other.missed
        self.is_paid = self.is_paid or other.is_paid
        self.reporters = {**other.reporters, **self.reporters}

    def paid(self, currency: str) -> Decimal:
        """What was paid in a currency: the column that says most, since each column tells the whole sale."""
        columns = (
            sum(
                (
                    money.amount
                    for part, money in parts.items()
                    if money.currency == currency and part not in self.elsewhere
                ),
                NOTHING,
            )
            for parts in self._counted().values()
        )
        return max(columns, default=NOTHING)

    def _counted(self) -> dict[str, dict[str, Money]]:
        """What makers told, with the deposits where the sale is paid; of two tellings of one part the larger counts."""
        if not self.is_paid or not self.deposits:
            return self.made
        counted = {column: dict(parts) for column, parts in self.made.items()}
        for column, parts in self.deposits.items():
            for part, money in parts.items():
                _raise(counted, column, part, money)
        return counted

    @property
    def standing(self) -> Standing:
        """What the sale is to refunds, by what was told of payments."""
        here = [
            money
            for parts in (*self.made.values(), *self.heard.values(), *self.deposits.values())
            for part, money in parts.items()
            if part not in self.elsewhere
        ]
        made = self._counted().values()
        if any(money.amount > 0 and part not in self.elsewhere for parts in made for part, money in parts.items()):
            return Standing.COUNTED
        return Standing.LEFT_OUT if here else Standing.UNKNOWN

    def went_back(self, balance: str) -> Money | None:
        known = self.balances.get(balance)
        return None if known is None else known.went_back()

    def leaves_alone(self, balance: str) -> bool:
        """Whether refunds of a book may leave though nobody told their sale."""
        return balance in self.balances and self.balances[balance].alone

    def columns_of(self, provider_object: str | None) -> frozenset[str]:
        """The columns in which an object was told."""
        report = (*self.made.items(), *self.heard.items(), *self.deposits.items())
        return frozenset(column for column, parts in report if provider_object in parts)

    @property
    def first_currency(self) -> str | None:
        """The currency of the telling that came first."""
        return next((money.currency for parts in self._counted().values() for money in parts.values()), None)

    @property
    def is_heard_only(self) -> bool:
        """Whether a payment was told, and by no telling that makes one."""
        heard = {
            part for parts in self.heard.values() for part, money in parts.items() if money.amount > 0
        } - self.elsewhere
        made = {part for parts in self.made.values() for part in parts} - self.elsewhere
        return bool(heard | self.missed) and not made

    def in_currency(self, money: Money, currency: str) -> Money:
        """The same money in the seller's currency where a rate is known that leads there, otherwise as it is."""
        rate = self.rates.get(money.currency)
        if money.currency == currency or rate is None or rate[1].currency != currency or not rate[0].amount:
            return money
        seen, own = rate
        exact = money.amount * own.amount / seen.amount
        return Money(exact.quantize(_unit(own.amount), ROUND_HALF_UP), currency)

    def own_currency(self, currency: str) -> str:
        """The seller's own where this is one that buyers saw, and a payment was told in that."""
        rate = self.rates.get(currency)
        return rate[1].currency if rate is not None and self.paid(rate[1].currency) else currency

    def _learn_rate(self, seen: Money, own: Money) -> None:
        known = self.rates.get(seen.currency)
        if known is None or seen.amount > known[0].amount:
            self.rates[seen.currency] = (seen, own)

    def as_json(self) -> dict[str, Any]:
        return {
            "made": {
                column: {part: one.as_json() for part, one in parts.items()} for column, parts in self.made.items()
            },
            "heard": {
                column: {part: one.as_json() for part, one in parts.items()} for column, parts in self.heard.items()
            },
            "balances": {name: balance.as_json() for name, balance in self.balances.items()},
            "rates": {currency: [one.as_json() for one in pair] for currency, pair in self.rates.items()},
            "elsewhere": sorted(self.elsewhere),
            "missed": sorted(self.missed),
            "reporters": self.reporters,
            "deposits": {
                column: {part: one.as_json() for part, one in parts.items()} for column, parts in self.deposits.items()
            },
            "is_paid": self.is_paid,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        return cls(
            dict(_columns(stored["made"])),
            dict(_columns(stored["heard"])),
            {name: _RefundBalance.from_json(balance) for name, balance in stored["balances"].items()},
            {
                currency: (Money.from_json(seen), Money.from_json(own))
                for currency, (seen, own) in stored["rates"].items()
            },
            set(stored["elsewhere"]),
            set(stored["missed"]),
            stored["reporters"],
            dict(_columns(stored["deposits"])),
            stored["is_paid"],
        )


def named(name: str) -> str:
    """The name of a column's part, a book or a refund as sums hold it: enough to tell two apart, and no id."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def priced(data: str, money: Money) -> str:
    """The data of a telling with the amount that its event is about.

    What the buyer saw stays only where the event is about the whole of what was told.
    """
    report = decode_data(data)
    if report.get("currency") == money.currency and Decimal(str(report["amount"])) == money.amount:
        return data
    for name in ("presentmentAmount", "presentmentCurrency"):
        report.pop(name, None)
    return encode_data({**report, "amount": money.amount, "currency": money.currency})


def _about(report: Sum) -> str:
    """The object that a telling is about."""
    if isinstance(report, Paid):
        return f"{report.column}:{report.provider_object}"
    return report.balance if isinstance(report, RefundTotal) else report.id


def _raise(
    columns: dict[str, dict[str, Money]], column: str, part: str, money: Money, tolerance: Decimal = NOTHING
) -> bool:
    """Of two tellings of one part in one currency the larger counts; another currency adds nothing.

    Whether this one counts now.
    """
    parts = columns.setdefault(column, {})
    known = parts.get(part)
    counts = known is None or (known.currency == money.currency and known.amount + tolerance < money.amount)
    counts = counts or (known is not None and not known.amount and money.amount > 0)
    if counts:
        parts[part] = money
    return counts


def _columns(report: Mapping[str, Mapping[str, list[str]]]) -> Iterator[tuple[str, dict[str, Money]]]:
    for column, parts in report.items():
        yield column, {part: Money.from_json(one) for part, one in parts.items()}


def _unit(amount: Decimal) -> Decimal:
    """The smallest step of an amount as it was told: 11.00 has cents."""
    exponent = amount.as_tuple().exponent
    return Decimal(1).scaleb(exponent if isinstance(exponent, int) and exponent < 0 else 0)
