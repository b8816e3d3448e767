"""What happens at a provider whose adapter is a YAML file: sales, what goes back of them, addresses that change."""

from dataclasses import dataclass
from random import Random

HOUR, DAY = 3600, 24 * 3600


@dataclass(frozen=True)
class Back:
    """A refund: `ends` as succeeded or failed at `settled`; until then it is pending."""

    id: str
    amount: int
    created: int
    settled: int
    ends: str


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

    `kind`: paid; unpaid (nobody ever pays); nobody (paid, and no telling says by whom).
    """

    id: str
    account: str
    kind: str
    product: str
    emails: tuple[str, str]
    changes_at: int
    currency: str
    total: int
    credit: int
    at: int
    backs: tuple[Back, ...]
    claim: Claim | None

    @property
    def paid(self) -> int:
        return self.total - self.credit if self.kind == "paid" else 0

    def email(self, at: int) -> str:
        return self.emails[at >= self.changes_at]


@dataclass(frozen=True)
class Powers:
    """What a provider knows: whether refunds come in parts and may fail, who disputes, what pays besides money."""

    parts: bool = True
    fails: bool = True
    claims: bool = True
    credits: bool = True
    part_credits: bool = True
    unpaid: bool = True
    nobody: bool = False
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
    account = accounts[number % len(accounts)]
    shared = same is not None and number < len(accounts) and len(accounts) > 1
    total, at = dice.randrange(100, 90_000), dice.randrange(0, 5 * DAY)
    kinds = ["paid"] * 8 + ["unpaid"] * powers.unpaid + ["nobody"] * powers.nobody
    kind = dice.choice(kinds)
    credit = (
        dice.choice([0, 0, 0, total // 3 if powers.part_credits else 0, total])
        if powers.credits and kind == "paid"
        else 0
    )
    moves = dice.random() < 0.4
    emails = (f"{name}@example.com", f"{name}.new@example.com") if moves else (f"{name}@example.com",) * 2
    backs, claim = _backs(dice, total - credit, at, powers), None
    if powers.claims and dice.random() < 0.3:
        begins = at + dice.randrange(HOUR, 3 * DAY)
        amount = dice.choice([total - credit, max(1, (total - credit) // 2)]) if powers.parts else total
        claim = Claim(
            f"{dice.randrange(10**9)}",
            amount,
            begins,
            begins + dice.randrange(60, DAY),
            dice.choice(["lost", "lost", "won"]),
        )
    return Sale(
        id=same if shared and same is not None else f"{dice.randrange(10**9)}{number}",
        account=account,
        kind=kind,
        product=f"Course {name}",
        emails=emails,
        changes_at=at + dice.randrange(0, 4 * DAY),
        currency=dice.choice(powers.currencies),
        total=total,
        credit=credit,
        at=at,
        backs=tuple(backs),
        claim=claim if claim is not None and claim.amount > 0 else None,
    )


def _backs(dice: Random, paid: int, at: int, powers: Powers) -> list[Back]:
    left, made = paid, []
    for _ in range(dice.choice([0, 0, 1, 1, 2, 3]) if powers.parts else dice.choice([0, 0, 1])):
        if left <= 1:
            break
        amount = left if not powers.parts or dice.random() < 0.3 else dice.randrange(1, left)
        at += dice.choice([30, HOUR, DAY])
        fails = powers.fails and dice.random() < 0.25
        made.append(
            Back(
                f"{dice.randrange(10**9)}",
                amount,
                at,
                at + dice.choice([1, 60, DAY]),
                "failed" if fails else "succeeded",
            )
        )
        left -= 0 if fails else amount
    return made
