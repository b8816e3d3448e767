"""What happens at a provider whose adapter is a YAML file: sales, what goes back of them, addresses that change."""

from dataclasses import dataclass
from random import Random

HOUR, DAY = 3600, 24 * 3600


@dataclass(frozen=True)
class Back:
    """A refund; `life` is what became of it: pending at first, then succeeded or failed, or one after the other."""

    id: str
    amount: int
    life: tuple[tuple[int, str], ...]

    def state(self, at: int) -> str | None:
        known = [state for since, state in self.life if since <= at]
        return known[-1] if known else None

    def came_through(self, at: int) -> bool:
        return self.state(at) == "succeeded"


@dataclass(frozen=True)
class Claim:
    """A chargeback, which `ends` lost or won at `settled`."""

    id: str
    amount: int
    created: int
    settled: int
    ends: str


@dataclass(frozen=True)
class Sale:
    """Amounts are minor units. `credit` is what no money paid of `total`: a balance, a credited invoice, a gift card.

    `kind`: paid; grown (paid, made larger and paid again, at first `began_with`); renewed (a subscription's charge);
    unpaid (nobody ever pays); nobody (paid, and no telling says by whom). `credited`: a credit note without money.
    """

    id: str
    account: str
    kind: str
    product: str
    emails: tuple[str, str]
    changes_at: int
    currency: str
    total: int
    began_with: int
    credit: int
    credited: int
    at: int
    backs: tuple[Back, ...]
    claim: Claim | None

    def email(self, at: int) -> str:
        return self.emails[at >= self.changes_at]

    def gone(self, at: int) -> int:
        """What refunds gave back by then."""
        return sum(one.amount for one in self.backs if one.came_through(at))

    @property
    def turns(self) -> list[int]:
        """When something became of a refund."""
        return sorted({at for one in self.backs for at, _ in one.life})


@dataclass(frozen=True)
class Powers:
    """What a provider knows: whether refunds come in parts, may fail, or fail after they succeeded; who disputes; what
    pays besides money; `kinds` of sales besides those that are paid."""

    parts: bool = True
    fails: bool = True
    returns: bool = False
    claims: bool = True
    credits: bool = True
    part_credits: bool = True
    kinds: tuple[str, ...] = ("unpaid",)
    currencies: tuple[str, ...] = ("EUR", "USD", "JPY")
    accounts: tuple[str, ...] = ("",)


def write_sales(dice: Random, name: str, powers: Powers) -> list[Sale]:
    """One to three sales; in several accounts they may have the same ids."""
    count = dice.choice([1, 1, 2, 3])
    same = f"{dice.randrange(10**9)}"
    return [
        _sale(dice, f"{name}.{number}", same if dice.random() < 0.5 else None, number, powers)
        for number in range(count)
    ]


def _sale(dice: Random, name: str, same: str | None, number: int, powers: Powers) -> Sale:
    accounts = powers.accounts
    shared = same is not None and number < len(accounts) and len(accounts) > 1
    total, at = dice.randrange(100, 90_000), dice.randrange(0, 5 * DAY)
    kind = dice.choice(["paid"] * 8 + list(powers.kinds))
    credit = 0
    if powers.credits and kind == "paid":
        credit = dice.choice([0, 0, 0, total // 3 if powers.part_credits else 0, total])
    moves = dice.random() < 0.4
    settled = at + 2 * HOUR if kind == "grown" else at
    backs = _backs(dice, total - credit, settled, powers)
    return Sale(
        id=same if shared and same is not None else f"{dice.randrange(10**9)}{number}",
        account=accounts[number % len(accounts)],
        kind=kind,
        product=f"Course {name}",
        emails=(f"{name}@example.com", f"{name}.new@example.com") if moves else (f"{name}@example.com",) * 2,
        changes_at=at + dice.randrange(0, 4 * DAY),
        currency=dice.choice(powers.currencies),
        total=total,
        began_with=dice.randrange(1, total),
        credit=credit,
        credited=dice.choice([0, 0, total // 4]),
        at=at,
        backs=tuple(backs),
        claim=_claim(dice, total - credit, settled, powers),
    )


def _claim(dice: Random, paid: int, at: int, powers: Powers) -> Claim | None:
    amount = dice.choice([paid, max(1, paid // 2)]) if powers.parts else paid
    if not powers.claims or paid <= 0 or dice.random() > 0.35:
        return None
    begins = at + dice.randrange(HOUR, 3 * DAY)
    ends = begins + dice.randrange(60, 2 * DAY)
    return Claim(f"{dice.randrange(10**9)}", amount, begins, ends, dice.choice(["lost", "lost", "won"]))


def _backs(dice: Random, paid: int, at: int, powers: Powers) -> list[Back]:
    left, made = paid, []
    for _ in range(dice.choice([0, 0, 1, 1, 2, 3]) if powers.parts else dice.choice([0, 0, 1])):
        if left <= 1:
            break
        amount = left if not powers.parts or dice.random() < 0.3 else dice.randrange(1, left)
        at += dice.choice([30, HOUR, DAY])
        ends = dice.choice(["succeeded"] * 8 + ["failed"] * 3 * powers.fails + ["returned"] * 2 * powers.returns)
        settled = at + dice.choice([1, 60, DAY])
        life = [(at, "pending"), (settled, "failed" if ends == "failed" else "succeeded")]
        if ends == "returned":
            life.append((settled + dice.choice([60, DAY]), "failed"))
        made.append(Back(f"{dice.randrange(10**9)}", amount, tuple(life)))
        left -= amount if ends == "succeeded" else 0
    return made
