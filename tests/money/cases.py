"""Single histories written out as a provider posts them, and what has to be at Lumail after each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from random import Random
from typing import Any

from tests.money.office import Office, Post

ORDERS = ("told", "reversed", "shuffled", "each thrice")

_TOPIC_HEADERS = {"shopify": "X-Shopify-Topic", "woocommerce": "X-WC-Webhook-Topic"}
_USUAL_HEADERS = {
    "shopify": {"X-Shopify-Shop-Domain": "cases.myshopify.com"},
    "woocommerce": {"X-WC-Webhook-Source": "https://shop.example.com/"},
}


@dataclass(frozen=True)
class Case:
    """`expected` are sums by address; of several any one is right. `orders` empty: whatever the order."""

    name: str
    provider: str
    webhooks: Sequence[Mapping[str, Any]]
    expected: Sequence[Mapping[str, Mapping[str, Decimal]]]
    options: Mapping[str, Any]
    orders: Sequence[str]
    quarantined: int
    pause: float


def read(name: str, text: str) -> Case:
    told = json.loads(text, parse_float=Decimal)
    return Case(
        name=name,
        provider=told["provider"],
        webhooks=told["webhooks"],
        expected=[told["expected"], *told.get("alternatives", [])],
        options=told.get("options", {}),
        orders=told.get("orders", ()),
        quarantined=told.get("quarantined", 0),
        pause=float(told.get("pause", 0.0)),
    )


def in_order(case: Case, order: str) -> list[Mapping[str, Any]]:
    told = list(case.webhooks)
    if order == "reversed":
        return told[::-1]
    if order == "shuffled":
        Random(case.name).shuffle(told)
    if order == "each thrice":
        return list(chain.from_iterable([one] * 3 for one in told))
    return told


def post_of(case: Case, number: int, told: Mapping[str, Any]) -> Post:
    """A request in the provider's form; the same webhook has the same name in its repetitions."""
    headers = {**_USUAL_HEADERS.get(case.provider, {}), **told.get("headers", {})}
    if case.provider in _TOPIC_HEADERS:
        headers[_TOPIC_HEADERS[case.provider]] = told["topic"]
    if case.provider == "shopify":
        headers |= {"X-Shopify-Webhook-Id": f"{case.name}-{number}", "X-Shopify-Event-Id": f"{case.name}-{number}"}
    if case.provider == "polar":
        headers["webhook-id"] = f"{case.name}-{number}"
    return Post("case", told["body"], headers, form=case.provider == "gumroad")


def play(office: Office, case: Case, order: str) -> None:
    numbers = {id(one): number for number, one in enumerate(case.webhooks)}
    for one in in_order(case, order):
        office.later(seconds=max(float(one.get("after_seconds", 0)), case.pause, 0.1))
        office.post(post_of(case, numbers[id(one)], one))
    office.later(minutes=5)


def came_of(office: Office) -> dict[str, dict[str, Decimal]]:
    found: dict[str, dict[str, Decimal]] = {}
    for address, _, kind, amount in office.found():
        sums = found.setdefault(address, {"paid": Decimal(0), "refunded": Decimal(0)})
        sums["paid" if kind == "payment" else "refunded"] += amount
    return found


def is_right(case: Case, found: Mapping[str, Mapping[str, Decimal]]) -> bool:
    nothing = {"paid": Decimal(0), "refunded": Decimal(0)}
    told = {address: dict(sums) for address, sums in found.items() if sums != nothing}
    return any(
        told == {address: dict(sums) for address, sums in one.items() if sums != nothing} for one in case.expected
    )
