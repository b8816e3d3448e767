"""What a subscriber's revenue may be: exactly known, or between two bounds where nobody could know it exactly."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

Account = tuple[str, str, str]
"""Whose (an address, or a customer where several of his would be right), in which currency, payment or refund."""

Found = tuple[str, str, str, Decimal]
"""One event at Lumail: address, currency, payment or refund, amount."""


@dataclass(frozen=True)
class Span:
    """How much, in how many events."""

    least: Decimal = Decimal(0)
    most: Decimal = Decimal(0)
    fewest: int = 0
    at_most: int = 0

    def __add__(self, other: "Span") -> "Span":
        return Span(
            self.least + other.least,
            self.most + other.most,
            self.fewest + other.fewest,
            self.at_most + other.at_most,
        )

    def perhaps(self) -> "Span":
        """The same, or nothing."""
        return Span(Decimal(0), self.most, 0, self.at_most)

    def holds(self, amounts: list[Decimal]) -> bool:
        return self.least <= sum(amounts) <= self.most and self.fewest <= len(amounts) <= self.at_most

    def __str__(self) -> str:
        much = str(self.least) if self.least == self.most else f"{self.least} to {self.most}"
        return f"{much} in {self.fewest} to {self.at_most} events"


def exactly(amount: Decimal, at_most: int) -> Span:
    return Span(amount, amount, 1 if amount else 0, at_most if amount else 0)


@dataclass(frozen=True)
class Expected:
    """What has to come out. `one_person` says which addresses stand for one customer."""

    accounts: Mapping[Account, Span]
    one_person: Mapping[str, str]


def beside(here: Expected, there: Expected) -> Expected:
    """Of two accounts at a provider, whose customers may have the same ids and are other people."""
    people = {email: f"other {one}" for email, one in there.one_person.items()}
    named = {one: f"other {one}" for one in there.one_person.values()}
    accounts = {(named.get(who, who), currency, kind): span for (who, currency, kind), span in there.accounts.items()}
    return Expected({**here.accounts, **accounts}, {**here.one_person, **people})


def faults(expected: Expected, found: Iterable[Found]) -> list[str]:
    """In words, what is not as it should be."""
    came: dict[Account, list[Decimal]] = {}
    for address, currency, kind, amount in found:
        came.setdefault((expected.one_person.get(address, address), currency, kind), []).append(amount)
    told = []
    for account in sorted({*expected.accounts, *came}):
        span, amounts = expected.accounts.get(account, Span()), came.get(account, [])
        if not span.holds(amounts):
            told.append(f"{' '.join(account)}: {[str(one) for one in amounts]} came, {span} is right")
    return told
