"""What of sales at six providers can be known from the webhooks that arrived, and so must be at Lumail in the end.

A judge, not a second gateway: it looks at all that arrived at once, after the end, and never at the gateway's code.
Lumail can't take anything back, so of what went back it may hold as much as could ever be believed on the way, and must
hold what is true in the end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.money.declared_life import Sale
from tests.money.declared_words import Claimed, Costs, Gone, Moved, Provider, Says, Teaches, Telling, Whose


@dataclass(frozen=True)
class Known:
    """What was paid, and what went back at least and at most, as far as it is told."""

    paid: int
    least: int
    most: int


def known(told: Sequence[tuple[Says, bool]]) -> Known:
    """Of things said, each with whether it was surely understood."""
    said = [one for one, _ in told]
    paid = max((one.amount for one in said if isinstance(one, Costs)), default=0)
    singles = _last([one for one in said if isinstance(one, Moved)])
    through = sum(one.amount for one in singles if one.state == "succeeded")
    open_ = sum(one.amount for one in singles if one.state != "succeeded")
    sure = max((one.total for one, is_sure in told if isinstance(one, Gone) and is_sure), default=0)
    total = max((one.total for one in said if isinstance(one, Gone)), default=0)
    claims = _last([one for one in said if isinstance(one, Claimed)])
    lost = max(0, sum(one.amount for one in claims if one.state == "succeeded"))
    least = max(through, sure - open_)
    return Known(paid, min(paid, least + lost), min(paid, max(through, total) + lost))


def _last(told: Sequence[Any]) -> list[Any]:
    """The last word of each; that it failed is final."""
    last: dict[str, Any] = {}
    for one in told:
        former = last.get(one.id)
        if former is None or (former.state != "failed" and (one.state == "failed" or one.at >= former.at)):
            last[one.id] = one
    return list(last.values())


def faults(
    sale: Sale, provider: Provider, groups: Sequence[Sequence[Telling]], events: Sequence[Mapping[str, Any]]
) -> list[str]:
    """In words, what is not as it should be; `groups` is what arrived of the sale, `events` what Lumail has of it."""
    arrived = [one for group in groups for one in group]
    people = {say.email for one in arrived for say in one.says if isinstance(say, Whose)}
    said = _understood(groups)
    steps = [known(said[:length]) for length in range(1, len(said) + 1)]
    end = steps[-1] if steps and people else Known(0, 0, 0)
    believed = max((one.most for one in steps), default=0) if end.paid else 0
    unit = Decimal(1) if sale.currency == "JPY" else Decimal("0.01")
    amounts: dict[str, Decimal] = {"SUBSCRIBER_PAYMENT": Decimal(0), "SUBSCRIBER_REFUND": Decimal(0)}
    for one in events:
        amounts[one["eventType"]] += Decimal(str(one["data"]["amount"]))
    paid, back = amounts.values()
    told = []
    if paid != end.paid * unit:
        told.append(f"{paid} paid, {end.paid * unit} is right")
    if not min(end.least, end.paid) * unit <= back <= min(believed, end.paid) * unit:
        told.append(f"{back} went back, {end.least * unit} to {min(believed, end.paid) * unit} is right")
    concerned = {one["subscriber"] for one in events}
    if len(concerned) > 1 or not concerned <= people:
        told.append(f"concerns {concerned}, {people} were told")
    names = {sale.product} | ({provider.fallback} if not _is_named(groups) else set())
    if not {one["data"]["product"] for one in events} <= names:
        told.append(f"calls it {[one['data']['product'] for one in events]}, {names} is right")
    if {one["data"]["currency"] for one in events} - {sale.currency}:
        told.append(f"in another currency than {sale.currency}")
    if events and events[0]["eventType"] != "SUBSCRIBER_PAYMENT":
        told.append("went back before it was paid")
    return [f"{sale.product}: {one}" for one in told]


def _understood(groups: Sequence[Sequence[Telling]]) -> list[tuple[Says, bool]]:
    """What was said, in order of its arrival, each with whether what it is understood by came before it."""
    learnt: set[str] = set()
    told: list[tuple[Says, bool]] = []
    for group in groups:
        here = [say for one in group for say in one.says]
        perhaps = learnt | {say.what for say in here if isinstance(say, Teaches)}
        for say in here:
            needs = say.through if isinstance(say, Gone) else ""
            if not needs or needs in perhaps:
                told.append((say, not needs or needs in learnt))
        learnt = perhaps
    return told


def _is_named(groups: Sequence[Sequence[Telling]]) -> bool:
    """Whether what teaches the product's name came before what tells the payment, if anything has to teach it."""
    for group in groups:
        if any(isinstance(say, Teaches) for one in group for say in one.says):
            return not any(isinstance(say, Costs) for one in group for say in one.says)
        if any(isinstance(say, Costs) for one in group for say in one.says):
            return False
    return True
