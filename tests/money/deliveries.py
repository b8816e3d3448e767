"""How what a provider tells arrives: some types never, some late, some again, in any order, several at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from tests.money.stripe_life import DAY
from tests.money.telling import Told

LATEST = 2 * DAY + 20 * 3600
"""How late a telling may come: providers try again for three days."""


@dataclass(frozen=True)
class Delivery:
    """A telling on its way: `identity` is the provider's name for the event, equal in its repetitions."""

    at: int
    told: Told
    identity: str
    source: str
    version: str = ""
    account: str = ""


def under_way(dice: Random, told: Sequence[tuple[Told, str, str]], late: float) -> list[Delivery]:
    """Told, source and version as deliveries, in the order of their arrival.

    `late` is how probable it is that one comes long after it happened; links do more often. Every tenth or so comes
    twice, some of these under another name.
    """
    made = []
    for number, (one, source, version) in enumerate(told):
        identity = f"evt_{number}_{dice.getrandbits(64):016x}"
        delivery = Delivery(one.at + _delay(dice, one, late), one, identity, source, version)
        made.append(delivery)
        if dice.random() < 0.12:
            again = one.at + max(delivery.at - one.at, dice.randrange(LATEST))
            same = dice.random() < 0.7
            made.append(replace(delivery, at=again, identity=identity if same else f"{identity}b"))
    return sorted(made, key=lambda one: one.at)


def _delay(dice: Random, told: Told, late: float) -> int:
    if dice.random() < (0.5 if told.type == "invoice_payment.paid" else late):
        return dice.randrange(LATEST)
    return dice.choice([0, 0, 1, 1, 2, 8, 54])


def at_once(dice: Random, deliveries: Sequence[Delivery], within: int) -> list[list[Delivery]]:
    """In groups of what comes within so many seconds, each in any order."""
    groups: list[list[Delivery]] = []
    for one in deliveries:
        if groups and one.at - groups[-1][0].at <= within:
            groups[-1].append(one)
        else:
            groups.append([one])
    for group in groups:
        dice.shuffle(group)
    return groups


Keeps = Callable[[str], bool]


def subscription(dice: Random, types: Sequence[str], recommended: frozenset[str]) -> frozenset[str]:
    """Which types somebody switched on: what is recommended, all, or whatever he liked."""
    what = dice.choices(["recommended", "all", "some"], [4, 3, 3])[0]
    if what == "recommended":
        return recommended
    return frozenset(types) if what == "all" else frozenset(one for one in types if dice.random() < 0.6)
