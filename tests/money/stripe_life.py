"""A shop's life at Stripe as it truly was: who bought what, which money moved when, and what of it went back.

Nothing here knows how any of it is told. Amounts are in minor units, times in seconds since the life began.
"""

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random

HOUR = 3600
DAY = 24 * HOUR

DECIMALS: Mapping[str, int] = {"usd": 2, "eur": 2, "huf": 2, "isk": 2, "ugx": 2, "jpy": 0, "krw": 0, "kwd": 3, "tnd": 3}
"""Places behind the point as Stripe sends them: https://docs.stripe.com/currencies#minor-units"""

_STEP = {"isk": 100, "ugx": 100, "kwd": 10, "tnd": 10}
"""Amounts of these currencies are multiples: whole units, or two places of three."""


def major(minor: int, currency: str) -> Decimal:
    return Decimal(minor).scaleb(-DECIMALS[currency])


def minor(amount: Decimal, currency: str) -> int:
    return int(amount.scaleb(DECIMALS[currency]))


@dataclass(frozen=True)
class Customer:
    """`id` None is a guest. `emails` are addresses, each with the time since when it is his; there may be none."""

    id: str | None
    emails: tuple[tuple[int, str], ...]

    def email(self, at: int) -> str | None:
        known = [address for since, address in self.emails if since <= at]
        return known[-1] if known else None


@dataclass(frozen=True)
class Refund:
    """`life` is what became of it: status and time, the first being its creation."""

    id: str
    amount: int
    life: tuple[tuple[int, str], ...]
    credit_note: str | None = None
    """The invoice for which a credit note tells of it."""

    @property
    def created(self) -> int:
        return self.life[0][0]

    @property
    def came_through(self) -> bool:
        return self.life[-1][1] == "succeeded"

    def status(self, at: int) -> str:
        return [word for time, word in self.life if time <= at][-1]


@dataclass(frozen=True)
class Dispute:
    """A buyer's bank takes the money back at `created`; it is decided at `settled`, `ends` being lost or won."""

    id: str
    amount: int
    created: int
    settled: int
    ends: str


@dataclass(frozen=True)
class Cash:
    """Money that moved, or was only authorized: an intent with its charge, `intent` None for a charge without one.

    `captured` 0 with `released` set is an authorization that nobody took up. `pays` says which invoices it paid, in
    which parts. `reference` is the order_reference of its intent, as its birth would have it. `steps` are captures of a
    part, each with all that was captured by then; the rest follows at `captured_at`.
    """

    intent: str | None
    charge: str
    amount: int
    captured: int
    at: int
    captured_at: int
    released: int | None = None
    pays: tuple[tuple[str, int], ...] = ()
    refunds: tuple[Refund, ...] = ()
    reference: str | None = None
    charge_has_email: bool = True
    intent_has_email: bool = False
    disputes: tuple[Dispute, ...] = ()
    steps: tuple[tuple[int, int], ...] = ()

    def captured_by(self, at: int) -> int:
        if self.released is not None:
            return 0
        return (
            self.captured
            if at >= self.captured_at
            else max((sum_ for since, sum_ in self.steps if since <= at), default=0)
        )


@dataclass(frozen=True)
class Bill:
    """An invoice. `cash` is what was paid for it, `total` what stands on it; `paid` is when; None: not all yet."""

    id: str
    total: int
    cash: int
    paid: int | None
    out_of_band: bool = False
    subscription: str | None = None


@dataclass(frozen=True)
class Session:
    """A Checkout session; `intent` and `bill` are what it names. `settled` later than `completed`: a bank debit.

    `conversion` is what the buyer paid in his own currency: amount, currency and whether Stripe tells it as it did
    before 2025-03-31.
    """

    id: str
    mode: str
    amount: int
    completed: int
    settled: int
    intent: str | None = None
    bill: str | None = None
    trial: bool = False
    conversion: tuple[int, str, bool] | None = None


@dataclass(frozen=True)
class Sale:
    """One sale; `only` are the generations in which Stripe could have told it."""

    kind: str
    customer: Customer
    currency: str
    sessions: tuple[Session, ...] = ()
    bills: tuple[Bill, ...] = ()
    cashes: tuple[Cash, ...] = ()
    only: str = "ABC"
    cash_currency: str | None = None

    @property
    def moved_in(self) -> str:
        """The currency of its intents and charges."""
        return self.cash_currency or self.currency


@dataclass(frozen=True)
class Life:
    sales: tuple[Sale, ...]
    customers: tuple[Customer, ...]


class Author:
    """Writes lives; the same dice write the same life."""

    def __init__(self, dice: Random, name: str) -> None:
        self.dice = dice
        self._name = name
        self._people = 0

    def id(self, kind: str) -> str:
        return f"{kind}_{''.join(self.dice.choices(string.ascii_letters + string.digits, k=24))}"

    def chance(self, of: float) -> bool:
        return self.dice.random() < of

    def customer(self) -> Customer:
        """Mostly somebody with one address; else one who changes it, tells it late or never."""
        self._people += 1
        name = f"{self._name}.{self._people}"
        kind = self.dice.choices(["usual", "changing", "late", "mute"], [6, 3, 1, 1])[0]
        emails = {
            "usual": ((0, f"{name}@example.com"),),
            "changing": (
                (0, f"{name}.old@example.com"),
                (self.dice.randrange(DAY, 20 * DAY), f"{name}.new@example.com"),
            ),
            "late": ((self.dice.randrange(5 * DAY, 20 * DAY), f"{name}@example.com"),),
            "mute": (),
        }[kind]
        return Customer(self.id("cus"), emails)

    def guest(self) -> Customer:
        self._people += 1
        return Customer(None, ((0, f"{self._name}.guest{self._people}@example.com"),))

    def currency(self) -> str:
        return self.dice.choices(list(DECIMALS), [6, 6, 1, 1, 1, 3, 1, 2, 1])[0]

    def amount(self, currency: str) -> int:
        step = _STEP.get(currency, 1)
        return self.dice.randrange(500, 20_000) * step

    def provider_object(self, whole: int, currency: str) -> int:
        """Something between nothing and `whole`, a multiple of what the currency allows."""
        step = _STEP.get(currency, 1)
        return self.dice.randrange(1, whole // step) * step

    def cash(self, amount: int, at: int, currency: str, *, often: float = 0.4, **given: object) -> Cash:
        made = Cash(
            self.id("pi"),
            self.id("py" if self.chance(0.1) else "ch"),
            amount,
            amount,
            at,
            at,
            charge_has_email=self.chance(0.7),
            intent_has_email=self.chance(0.3),
        )
        made = replace(made, **given)  # type: ignore[arg-type]  # fields of Cash
        made = replace(made, refunds=self.refunds(made, currency)) if self.chance(often) else made
        return replace(made, disputes=self.disputes(made)) if often and self.chance(0.15) else made

    def disputes(self, cash: Cash) -> tuple[Dispute, ...]:
        """Of what was not refunded; now and then of all, where one payment is the whole sale."""
        left = cash.captured - sum(one.amount for one in cash.refunds)
        amount = cash.captured if not cash.pays and self.chance(0.3) else left
        if amount <= 0:
            return ()
        begins = cash.captured_at + self.dice.randrange(HOUR, 9 * DAY)
        ends = begins + self.dice.randrange(HOUR, 6 * DAY)
        return (Dispute(self.id("dp"), amount, begins, ends, self.dice.choice(["lost", "lost", "won"])),)

    def refunds(self, cash: Cash, currency: str) -> tuple[Refund, ...]:
        """Together never more than was captured. Creations fall on even tens of seconds, later changes beside them."""
        left, made = cash.captured, []
        at = (cash.captured_at // 10 + self.dice.randrange(1, 10 * DAY // 10)) * 10
        for _ in range(self.dice.choice([1, 1, 2, 3])):
            if left <= 2 * _STEP.get(currency, 1):
                break
            amount = left if self.chance(0.3) else self.provider_object(left, currency)
            left -= amount
            note = cash.pays[0][0] if len(cash.pays) == 1 and self.chance(0.3) else None
            made.append(Refund(self.id("re"), amount, self._life_of_a_refund(at), note))
            at += self.dice.choice([0, 10, HOUR, 3 * DAY])
        return tuple(made)

    def _life_of_a_refund(self, at: int) -> tuple[tuple[int, str], ...]:
        later = at + 5 + 10 * self.dice.randrange(1, 8 * DAY // 10)
        return {
            "at once": ((at, "succeeded"),),
            "slow": ((at, "pending"), (later, "succeeded")),
            "asked": ((at, "requires_action"), (later, "succeeded")),
            "fails": ((at, "pending"), (later, "failed")),
            "cancelled": ((at, "requires_action"), (later, "canceled")),
            "returned": ((at, "succeeded"), (later, "failed")),
        }[self.dice.choices(["at once", "slow", "asked", "fails", "cancelled", "returned"], [12, 3, 1, 1, 1, 2])[0]]

    def moment(self) -> int:
        return self.dice.randrange(0, 10 * DAY)


def write_life(dice: Random, name: str) -> Life:
    """One to three customers with one to four sales."""
    author = Author(dice, name)
    customers = [author.customer() for _ in range(dice.choice([1, 1, 2]))]
    sales: list[Sale] = []
    for _ in range(dice.choice([1, 1, 2, 2, 3])):
        kind = dice.choice(list(KINDS))
        customer = author.guest() if kind in FOR_GUESTS and author.chance(0.5) else dice.choice(customers)
        sales.extend(KINDS[kind](author, customer))
    return Life(tuple(sales), tuple(customers))


def _one_off(author: Author, customer: Customer) -> list[Sale]:
    currency, at = author.currency(), author.moment()
    settled = at + (author.dice.randrange(DAY, 4 * DAY) if author.chance(0.2) else 0)
    identity = author.id("cs_live")
    cash = author.cash(author.amount(currency), settled, currency, reference=identity)
    session = Session(identity, "payment", cash.amount, at, settled, intent=cash.intent)
    return [Sale("one-off", customer, currency, (session,), (), (cash,))]


def _one_off_with_invoice(author: Author, customer: Customer) -> list[Sale]:
    """`invoice_creation`: whether the session names its invoice when it completes is not documented."""
    [sale] = _one_off(author, customer)
    cash, session = sale.cashes[0], sale.sessions[0]
    bill = Bill(author.id("in"), cash.amount, cash.amount, session.settled + author.dice.choice([0, 1, 2]))
    session = replace(session, bill=bill.id if author.chance(0.5) else "later")
    cash = replace(cash, pays=((bill.id, cash.amount),))
    return [replace(sale, kind="one-off with invoice", sessions=(session,), bills=(bill,), cashes=(cash,))]


def _subscription(author: Author, customer: Customer) -> list[Sale]:
    """Begun in Checkout, with or without a trial, then renewed once or twice, a renewal perhaps prorated."""
    currency, at, subscription = author.currency(), author.moment(), author.id("sub")
    price, trial = author.amount(currency), author.chance(0.3)
    identity = author.id("cs_live")
    first = Bill(author.id("in"), 0 if trial else price, 0 if trial else price, at, subscription=subscription)
    session = Session(identity, "subscription", first.cash, at, at, bill=first.id, trial=trial)
    cashes = () if trial else (author.cash(price, at, currency, pays=((first.id, price),), reference=identity),)
    sales = [Sale("trial" if trial else "subscription", customer, currency, (session,), (first,), cashes)]
    for number in range(author.dice.choice([0, 1, 2])):
        prorated = author.chance(0.3)
        amount = author.provider_object(price, currency) if prorated else price
        sales.append(_invoiced(author, customer, currency, amount, at + (number + 1) * 7 * DAY, subscription, price))
    return sales


def _invoiced(
    author: Author, customer: Customer, currency: str, amount: int, at: int, subscription: str | None, total: int
) -> Sale:
    """An invoice that one intent pays; credit may have lowered what was due below what stands on it."""
    bill = Bill(author.id("in"), total, amount, at, subscription=subscription)
    cash = author.cash(amount, at, currency, pays=((bill.id, amount),), reference=bill.id)
    return Sale("invoice", customer, currency, (), (bill,), (cash,))


def _single_invoice(author: Author, customer: Customer) -> list[Sale]:
    currency = author.currency()
    amount = author.amount(currency)
    return [_invoiced(author, customer, currency, amount, author.moment(), None, amount)]


def _settled_by_credit(author: Author, customer: Customer) -> list[Sale]:
    currency, at = author.currency(), author.moment()
    return [Sale("credit", customer, currency, (), (Bill(author.id("in"), author.amount(currency), 0, at),), ())]


def _paid_in_parts(author: Author, customer: Customer) -> list[Sale]:
    """Several intents for one invoice; now and then the last part is not paid yet."""
    currency, at, identity = author.currency(), author.moment(), author.id("in")
    count, complete = author.dice.choice([2, 2, 3]), author.chance(0.85)
    cashes = []
    for _ in range(count):
        amount = author.amount(currency)
        cashes.append(author.cash(amount, at, currency, pays=((identity, amount),), reference=identity))
        at += author.dice.choice([1, HOUR, 2 * DAY])
    paid = sum(cash.amount for cash in cashes)
    bill = Bill(identity, paid if complete else paid * 2, paid, cashes[-1].at if complete else None)
    return [Sale("paid in parts", customer, currency, (), (bill,), tuple(cashes))]


def _one_intent_two_invoices(author: Author, customer: Customer) -> list[Sale]:
    currency, at = author.currency(), author.moment()
    bills = tuple(
        Bill(author.id("in"), amount, amount, at + wait) for wait in (0, 1) if (amount := author.amount(currency))
    )
    pays = tuple((bill.id, bill.cash) for bill in bills)
    cash = author.cash(sum(bill.cash for bill in bills), at, currency, pays=pays, reference=bills[0].id)
    return [Sale("one intent for two invoices", customer, currency, (), bills, (cash,), only="C")]


def _elements(author: Author, customer: Customer) -> list[Sale]:
    """A payment made with Elements; some merchants name their own order on it."""
    currency = author.currency()
    reference = f"order-{author.dice.randrange(10_000)}" if author.chance(0.2) else None
    cash = author.cash(author.amount(currency), author.moment(), currency, reference=reference)
    return [Sale("elements", customer, currency, (), (), (cash,))]


def _captured_in_part(author: Author, customer: Customer) -> list[Sale]:
    currency, at = author.currency(), author.moment()
    amount = author.amount(currency)
    captured = amount if author.chance(0.3) else author.provider_object(amount, currency)
    later = at + author.dice.choice([HOUR, DAY, 6 * DAY])
    cash = author.cash(amount, at, currency, captured=captured, captured_at=later)
    return [Sale("captured in part", customer, currency, (), (), (cash,))]


def _captured_in_steps(author: Author, customer: Customer) -> list[Sale]:
    """Less than half is captured at first, of which some goes back before the rest is captured, and some after that."""
    currency, at = author.currency(), author.moment()
    amount = author.amount(currency)
    first, last = at + HOUR, at + author.dice.choice([3 * HOUR, 3 * DAY])
    part = author.provider_object(amount * 2 // 5, currency)
    cash = author.cash(amount, at, currency, often=0, captured_at=last, steps=((first, part),))
    backs = ((part, first + 600), (author.provider_object(amount - part, currency), last + 600))
    refunds = tuple(Refund(author.id("re"), back, ((at, "succeeded"),)) for back, at in backs)
    return [Sale("captured in steps", customer, currency, (), (), (replace(cash, refunds=refunds),))]


def _released(author: Author, customer: Customer) -> list[Sale]:
    currency, at = author.currency(), author.moment()
    cash = author.cash(author.amount(currency), at, currency, often=0, captured=0, released=at + 7 * DAY)
    return [Sale("released", customer, currency, (), (), (cash,))]


def _out_of_band(author: Author, customer: Customer) -> list[Sale]:
    currency = author.currency()
    amount = author.amount(currency)
    bill = Bill(author.id("in"), amount, amount, author.moment(), out_of_band=True)
    return [Sale("out of band", customer, currency, (), (bill,), ())]


def _charge_alone(author: Author, customer: Customer) -> list[Sale]:
    """The oldest way to be paid: a charge without an intent."""
    currency = author.currency()
    cash = author.cash(author.amount(currency), author.moment(), currency, intent=None)
    return [Sale("charge alone", customer, currency, (), (), (cash,))]


def _adaptive_pricing(author: Author, customer: Customer) -> list[Sale]:
    """The buyer pays in his currency. Before 2025-03-31 his was the session's and the charge's; later it is noted only.

    Refunds of the old kind are left out: in which currency Stripe told them then is not documented.
    """
    at, amount, identity, old = author.moment(), author.amount("usd"), author.id("cs_live"), author.chance(0.5)
    seen = amount * 9 // 10
    moved = seen if old else amount
    cash = author.cash(moved, at, "usd", often=0 if old else 0.4, reference=identity)
    session = Session(identity, "payment", amount, at, at, intent=cash.intent, conversion=(seen, "eur", old))
    sale = Sale("adaptive pricing", customer, "usd", (session,), (), (cash,), cash_currency="eur" if old else None)
    if author.chance(0.5):
        bill = Bill(author.id("in"), amount, amount, at)
        sale = replace(sale, bills=(bill,), sessions=(replace(session, bill=bill.id),))
        sale = replace(sale, cashes=(replace(cash, pays=((bill.id, amount),)),))
    return [replace(sale, only="AB") if old else sale]


KINDS: Mapping[str, Callable[[Author, Customer], list[Sale]]] = {
    "one-off": _one_off,
    "one-off with invoice": _one_off_with_invoice,
    "subscription": _subscription,
    "single invoice": _single_invoice,
    "settled by credit": _settled_by_credit,
    "paid in parts": _paid_in_parts,
    "one intent for two invoices": _one_intent_two_invoices,
    "elements": _elements,
    "captured in part": _captured_in_part,
    "captured in steps": _captured_in_steps,
    "released": _released,
    "out of band": _out_of_band,
    "charge alone": _charge_alone,
    "adaptive pricing": _adaptive_pricing,
}

FOR_GUESTS = frozenset({"one-off", "one-off with invoice", "elements", "captured in part", "charge alone"})
