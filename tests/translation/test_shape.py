from decimal import Decimal

import pytest

from gateway.translation.shape import MOST_PATHS, fingerprint, paths

ORDER = {
    "id": 17,
    "paid": True,
    "customer": {"email": "ana@example.com", "name": None},
    "items": [{"price": Decimal("1.5")}, {"price": "1.50", "gift": []}],
}


def test_a_shape_is_keys_and_kinds_and_no_values() -> None:
    assert paths(ORDER) == (
        "customer.email:text",
        "customer.name",
        "id:number",
        "items[].gift",
        "items[].price:number",
        "items[].price:text",
        "paid:flag",
    )


def test_values_and_the_order_of_keys_make_no_other_shape() -> None:
    other = {**dict(reversed(ORDER.items())), "id": 18, "customer": {"name": None, "email": "bo@example.com"}}
    assert fingerprint(paths(other)) == fingerprint(paths(ORDER))


@pytest.mark.parametrize("name", ["ana@example.com", "cus_9Fx2b71", "2026-11-20", "ü", "x" * 61, ""])
def test_a_key_that_is_data_is_no_part_of_a_shape(name: str) -> None:
    assert paths({"metadata": {name: "x"}}) == ("metadata.*:text",)


@pytest.mark.parametrize("name", ["amount_off", "line1", "ref2_url", "$set", "content-type"])
def test_a_key_that_is_a_name_is_told(name: str) -> None:
    assert paths({name: 1}) == (f"{name}:number",)


def test_a_large_or_deep_payload_costs_bounded_work() -> None:
    deep: dict[str, object] = {}
    for _ in range(400):
        deep = {"a": deep, "b": 1}
    wide = {f"{first}{second}": 1 for first in "abcdefghijklmnopqrstuvwxyz" for second in "abcdefghijklmnopqrstuvwxyz"}
    assert len(paths(deep)) == 9
    assert len(paths(wide)) == MOST_PATHS
