"""A shop's life at Shopify as it truly was: orders, what was owed and paid for them when, and what went back.

Nothing here knows how any of it is told. Amounts are in minor units, times in seconds since the life began.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random

from tests.money.stripe_life import DAY, HOUR, Customer, major

DECIMALS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}

SHOPPERS_MONEY = {"USD": ("EUR", 9, 10), "EUR": ("USD", 11, 10), "JPY": ("USD", 2, 3), "KWD": ("EUR", 3, 10)}
"""What a shopper from elsewhere pays with, and how many of its minor units for how many of the shop's."""


@dataclass(frozen=True)
class State:
    """An order from a time on: what is wanted costs `total`, of which `outstanding` is owed still; and Shopify's word
    for that. `left` is the price of lines that left it: taken off before the capture, or exchanged.
    """

    at: int
    status: str
    total: int
    outstanding: int = 0
    left: int = 0


@dataclass(frozen=True)
class Transaction:
    """Money on its way back; `life` is status and time, the first being its creation. `amount` is the shopper's."""

    id: int
    amount: int
    life: tuple[tuple[int, str], ...]

    @property
    def came_through(self) -> bool:
        return self.life[-1][1] == "success"


@dataclass(frozen=True)
class Return:
    """A refund as Shopify means it; without transactions goods went back to the shelf and no money moved."""

    id: int
    at: int
    transactions: tuple[Transaction, ...]


@dataclass(frozen=True)
class Dispute:
    """A buyer's bank takes money back; `ends` is how that is decided. `amount` is the shop's."""

    id: int
    amount: int
    created: int
    settled: int
    ends: str


@dataclass(frozen=True)
class Order:
    """`email_in` says where the order tells the shopper's address: email, contact_email, customer, or nowhere.

    `rate` is the shopper's currency and its price: numerator and denominator. `cards` is what of it buys gift cards.
    """

    kind: str
    id: int
    customer: Customer
    email_in: str
    currency: str
    states: tuple[State, ...]
    returns: tuple[Return, ...] = ()
    rate: tuple[str, int, int] | None = None
    test: bool = False
    tender: str = "shopify_payments"
    cards: int = 0
    dispute: Dispute | None = None

    def state(self, at: int) -> State:
        return [one for one in self.states if one.at <= at][-1]

    def shopper(self, amount: int) -> int:
        """An amount of the shop's in the shopper's money."""
        return amount if self.rate is None else amount * self.rate[1] // self.rate[2]

    def own(self, amount: int) -> int:
        """An amount of the shopper's in the shop's money, to the nearest unit."""
        if self.rate is None:
            return amount
        return (2 * amount * self.rate[2] + self.rate[1]) // (2 * self.rate[1])


@dataclass(frozen=True)
class Shop:
    orders: tuple[Order, ...]
    customers: tuple[Customer, ...]


class Author:
    """Writes lives; the same dice write the same life."""

    def __init__(self, dice: Random, name: str) -> None:
        self.dice = dice
        self._name = name
        self._people = 0

    def chance(self, of: float) -> bool:
        return self.dice.random() < of

    def id(self) -> int:
        return self.dice.randrange(2**53 + 1, 2**62)

    def customer(self) -> Customer:
        self._people += 1
        name = f"{self._name}.{self._people}"
        changes = self.dice.randrange(DAY, 20 * DAY)
        emails = {
            "usual": ((0, f"{name}@example.com"),),
            "changing": ((0, f"{name}.old@example.com"), (changes, f"{name}.new@example.com")),
            "late": ((changes, f"{name}@example.com"),),
            "mute": (),
        }[self.dice.choices(["usual", "changing", "late", "mute"], [6, 3, 1, 1])[0]]
        return Customer(str(self.id()), emails)

    def order(self, kind: str, customer: Customer, states: tuple[State, ...], currency: str, **given: object) -> Order:
        where = self.dice.choices(["email", "contact_email", "customer", "nowhere"], [6, 1, 1, 1])[0]
        rate = SHOPPERS_MONEY[currency] if self.chance(0.25) else None
        made = Order(kind, self.id(), customer, where, currency, states, rate=rate)
        return replace(made, **given)  # type: ignore[arg-type]  # fields of Order

    def currency(self) -> str:
        return self.dice.choices(list(DECIMALS), [4, 4, 2, 1])[0]

    def total(self) -> int:
        return self.dice.randrange(50, 2000) * 10

    def moment(self) -> int:
        return self.dice.randrange(0, 10 * DAY)

    def returned(self, order: Order, often: float = 0.5) -> Order:
        """With refunds of what was paid in the end, in one or several transactions each, or goods only."""
        paid = order.shopper(order.states[-1].total)
        at, left, made = order.states[-1].at, paid, []
        if self.chance(1 - often):
            return self.disputed(order)
        for _ in range(self.dice.choice([1, 1, 2, 3])):
            at += self.dice.choice([10, HOUR, 3 * DAY])
            transactions = []
            for _ in range(self.dice.choices([0, 1, 2], [1, 4, 1])[0]):
                if left > 1:
                    amount = left if self.chance(0.3) else self.dice.randrange(1, left)
                    left -= amount
                    transactions.append(Transaction(self.id(), amount, self._life_of_a_transaction(at)))
            made.append(Return(self.id(), at, tuple(transactions)))
        return self.disputed(replace(order, returns=tuple(made)))

    def disputed(self, order: Order) -> Order:
        if self.chance(0.8):
            return order
        total, begins = order.states[-1].total, order.states[-1].at + self.dice.randrange(HOUR, 9 * DAY)
        ends = begins + self.dice.randrange(HOUR, 5 * DAY)
        word = self.dice.choice(["lost", "lost", "accepted", "won"])
        made = Dispute(self.id(), self.dice.choice([total, max(1, total // 3)]), begins, ends, word)
        return replace(order, dispute=made)

    def _life_of_a_transaction(self, at: int) -> tuple[tuple[int, str], ...]:
        later = at + self.dice.randrange(5, 5 * DAY)
        return {
            "at once": ((at, "success"),),
            "slow": ((at, "pending"), (later, "success")),
            "fails": ((at, "pending"), (later, "failure")),
            "never": ((at, "failure"),),
        }[self.dice.choices(["at once", "slow", "fails", "never"], [8, 3, 1, 1])[0]]


def write_shop(dice: Random, name: str) -> Shop:
    """One or two customers with one to four orders."""
    author = Author(dice, name)
    customers = [author.customer() for _ in range(dice.choice([1, 1, 2]))]
    orders = []
    for _ in range(dice.choice([1, 1, 2, 2, 3, 4])):
        kind = dice.choice(list(KINDS))
        orders.append(KINDS[kind](author, dice.choice(customers)))
    return Shop(tuple(orders), tuple(customers))


def _paid(author: Author, customer: Customer) -> Order:
    total, at = author.total(), author.moment()
    tender = author.dice.choice(["shopify_payments", "shopify_payments", "gift_card"])
    order = author.order("paid", customer, (State(at, "paid", total),), author.currency(), tender=tender)
    return author.returned(order)


def _paid_later(author: Author, customer: Customer) -> Order:
    total, at = author.total(), author.moment()
    later = at + author.dice.choice([1, HOUR, 4 * DAY])
    begins = author.dice.choice(["pending", "authorized"])
    states = (State(at, begins, total, total), State(later, "paid", total))
    return author.returned(author.order("paid later", customer, states, author.currency()))


def _never_paid(author: Author, customer: Customer) -> Order:
    total, at = author.total(), author.moment()
    ends = author.dice.choice(["voided", "expired", "pending"])
    states = (State(at, "authorized", total, total), State(at + DAY, ends, total, total))
    return author.order("never paid", customer, states, author.currency())


def _deposit(author: Author, customer: Customer) -> Order:
    """A part is paid at first; the rest mostly follows."""
    total, at = author.total(), author.moment()
    first = (State(at, "pending", total, total), State(at + HOUR, "partially_paid", total, total - total // 3))
    if not author.chance(0.7):
        return author.order("deposit only", customer, first, author.currency())
    last = State(at + author.dice.choice([2 * HOUR, 5 * DAY]), "paid", total)
    return author.returned(author.order("deposit", customer, (*first, last), author.currency()))


def _edited_upward(author: Author, customer: Customer) -> Order:
    """Paid, then something is added, which is owed until it is paid, too."""
    total, at = author.total(), author.moment()
    states = [State(at, "paid", total)]
    for _ in range(author.dice.choice([1, 1, 2])):
        more = author.total()
        at += author.dice.choice([60, DAY])
        states.append(State(at, "partially_paid", total + more, more))
        total += more
        at += author.dice.choice([60, DAY])
        states.append(State(at, "paid", total))
    return author.returned(author.order("edited upward", customer, tuple(states), author.currency()))


def _exchanged(author: Author, customer: Customer) -> Order:
    """One line for another: at the same price, a dearer one, or (by what goes back) a cheaper one."""
    total, at = author.total(), author.moment()
    later = at + author.dice.choice([HOUR, 3 * DAY])
    states = [State(at, "paid", total), State(later, "paid", total, left=total)]
    if author.chance(0.4):
        more = author.total()
        states[1] = State(later, "partially_paid", total + more, more, left=total)
        states.append(State(later + 60, "paid", total + more, left=total))
    return author.returned(author.order("exchanged", customer, tuple(states), author.currency()))


def _taken_off(author: Author, customer: Customer) -> Order:
    """A line is taken off between the authorization and the capture."""
    total, off, at = author.total(), author.total(), author.moment()
    states = (
        State(at, "authorized", total + off, total + off),
        State(at + HOUR, "authorized", total, total, left=off),
        State(at + 2 * HOUR, "paid", total, left=off),
    )
    return author.returned(author.order("taken off", customer, states, author.currency()))


def _with_cards(author: Author, customer: Customer) -> Order:
    total, at = author.total(), author.moment()
    cards = author.dice.choice([total, total // 2])
    order = author.order("gift cards", customer, (State(at, "paid", total),), author.currency(), cards=cards)
    return author.returned(order)


def _for_nothing(author: Author, customer: Customer) -> Order:
    return author.order("for nothing", customer, (State(author.moment(), "paid", 0),), author.currency())


def _test(author: Author, customer: Customer) -> Order:
    return author.returned(replace(_paid(author, customer), kind="test", test=True, returns=(), dispute=None))


KINDS: Mapping[str, Callable[[Author, Customer], Order]] = {
    "paid": _paid,
    "paid later": _paid_later,
    "never paid": _never_paid,
    "deposit": _deposit,
    "edited upward": _edited_upward,
    "exchanged": _exchanged,
    "taken off": _taken_off,
    "gift cards": _with_cards,
    "for nothing": _for_nothing,
    "test": _test,
}


def text(amount: int, currency: str) -> str:
    """As Shopify writes it, in major units; yen too."""
    return str(major(amount, currency.lower()))
