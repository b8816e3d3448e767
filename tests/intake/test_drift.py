"""What the door notices of a provider that begins to say something else."""

from gateway.intake import drift
from gateway.ledger.schema import shapes
from tests.intake.conftest import Shop
from tests.making import rows

COMPLAINT = {"type": "complaint", "id": "c1", "email": "ana@example.com"}


def counted(shop: Shop) -> list[tuple[str, str, int]]:
    shop.door.drift.flush()
    found = rows(shop.ledger, shapes, "type", "shape", "count")
    return [(name, "known" if shape else "", count) for name, shape, count in found]


def test_types_and_shapes_are_counted_with_a_sample(shop: Shop) -> None:
    shop.receipt(COMPLAINT, {**COMPLAINT, "id": "c2"}, {"type": "inventory.low"}, {"type": "teleported", "to": "x"})
    last = shop.receipt({**COMPLAINT, "id": "c3"})
    assert counted(shop) == [("complaint", "known", 3), ("teleported", "", 1)]
    assert rows(shop.ledger, shapes, "adapter", "paths", "webhook")[0] == (
        "shop",
        ["email:text", "id:text", "type:text"],
        last["webhook"],
    )


def test_a_webhook_that_was_there_before_is_not_counted_again(shop: Shop) -> None:
    shop.receipt(COMPLAINT, X_Shop_Delivery="d1")
    shop.receipt(COMPLAINT, X_Shop_Delivery="d1")
    assert counted(shop) == [("complaint", "known", 1)]


def test_a_flood_of_the_usual_is_left_out_and_what_is_not_understood_is_not(shop: Shop) -> None:
    shop.receipt({"type": "teleported"})
    for number in range(drift.MOST_USUAL + 5):
        shop.receipt({**COMPLAINT, "id": f"c{number}"})
    assert counted(shop) == [("complaint", "known", drift.MOST_USUAL), ("teleported", "", 1)]


def test_a_body_that_can_not_be_split_is_in_quarantine_only(shop: Shop) -> None:
    shop.post_body(b"not JSON")
    assert counted(shop) == []


def test_what_was_counted_is_not_counted_twice(shop: Shop) -> None:
    shop.receipt(COMPLAINT)
    assert counted(shop) == counted(shop) == [("complaint", "known", 1)]
