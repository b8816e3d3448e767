"""Names of happenings without an id."""

from gateway.translation import key


def test_the_same_happening_has_the_same_name() -> None:
    assert key.composed("open", "ana@example.com", 17, None) == key.composed("open", "ana@example.com", 17, None)


def test_nothing_that_differs_is_merged() -> None:
    told = [("a", "b"), ("ab",), ("a", "b", None), ("a", "c"), ("1",), (1,)]
    assert len({key.composed(*parts) for parts in told}) == len(told)
