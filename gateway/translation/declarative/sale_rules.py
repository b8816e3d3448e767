"""What is wrong with a rule of a YAML adapter about money, and how rules were written that say money as an event."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.events import EventType
from gateway.translation.declarative.sales import SAYS

WITH_MONEY = ("sale", "of", "part", "currency", "product", "presented", "makes")
"""Keys that belong to a rule about money, and only there."""

_EVENTS = {EventType.SUBSCRIBER_PAYMENT.value: "paid", EventType.SUBSCRIBER_REFUND.value: "refund"}


def faults(rule: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each with the key that it stands at; the empty name is the rule itself."""
    if rule.get("emit") in _EVENTS:
        yield "emit", _as_money(rule)
        return
    says = [name for name in SAYS if name in rule]
    if not says:
        return
    for name in ("emit", "keys", "data"):
        if name in rule:
            yield name, f"a rule says either what is true of money ({', '.join(says)}) or what to emit: make it two"
    if "currency" not in rule:
        yield "", f"needs currency beside {says[0]}"
    if "paid" in rule:
        yield from _faults_of_payment(rule)
        return
    for name in ("part", "presented", "makes"):
        if name in rule:
            yield name, "goes with paid only"
    if ("sale" in rule) == ("of" in rule):
        text = "names no sale" if "of" not in rule else "names its sale twice"
        yield "", f"{text}: `of` has the keys by which the rule about the payment names it as `sale`"


def _faults_of_payment(rule: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "of" in rule:
        yield "of", "is for what went back; what was paid names its sale by `sale`"
    if "sale" not in rule:
        yield "paid", "needs sale beside it: what names the sale, in whatever words it is told ({order: data.id})"
    if "subscriber" not in rule:
        yield "paid", "needs subscriber beside it"


def _as_money(rule: Mapping[str, Any]) -> str:
    """The lines to write in the place of `emit: SUBSCRIBER_PAYMENT` and the like."""
    data = rule["data"] if isinstance(rule.get("data"), dict) else {}
    amount, keys = data.get("amount", "data.total"), _flow(rule.get("keys"))
    lines = [f"sale: {keys}", f"paid: {amount}"]
    if _EVENTS[rule["emit"]] == "refund":
        first = next(iter(rule["keys"].values()), "data.id") if isinstance(rule.get("keys"), dict) else "data.id"
        lines = [
            "of: {order: data.order_id}  # as the rule about the payment names its sale",
            f"refund: {{id: {first}, amount: {amount}}}  # or refunded_total: a running total",
        ]
    lines.append(f"currency: {data.get('currency', 'data.currency')}")
    lines += [f"product: {data['product']}"] if "product" in data else []
    kept = [f"subscriber: {rule['subscriber']}"] if "subscriber" in rule else []
    told = "\n".join(f"    {line}" for line in [*kept, *lines])
    return f"money is told as what is true of a sale; instead of emit, keys and data write\n{told}"


def _flow(keys: Any) -> str:
    if isinstance(keys, dict):
        return "{" + ", ".join(f"{kind}: {text}" for kind, text in keys.items()) + "}"
    return "{order: data.id}"
