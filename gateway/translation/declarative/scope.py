"""What an expression may know besides its value, and the budget that all its work is paid from."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from gateway.errors import PayloadError

STEPS = 200_000
"""What the expressions of one webhook may spend together: an item of a list looked at or made costs one."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Scope:
    """One evaluation's surroundings: the webhook's headers, the file's tables, the source's options, and what is left
    of the budget.
    """

    __slots__ = ("headers", "left", "options", "tables")

    def __init__(
        self,
        headers: Mapping[str, str] = _NOTHING,
        tables: Mapping[str, Mapping[str, Any]] = _NOTHING,
        steps: int = STEPS,
        options: Mapping[str, Any] = _NOTHING,
    ) -> None:
        self.headers = headers
        self.tables = tables
        self.left = steps
        self.options = options

    def spend(self, steps: int) -> None:
        """Raises PayloadError where the budget does not cover it."""
        self.left -= steps
        if self.left < 0:
            raise PayloadError("the expressions would take too much work on this payload")


def equal(left: Any, right: Any, scope: Scope) -> bool:
    """Whether two values are equal: numbers by their worth, and true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list | dict) and isinstance(right, list | dict):
        scope.spend(_weight(left, scope.left) + _weight(right, scope.left))
    return bool(left == right)


def is_comparable(left: Any, right: Any) -> bool:
    return (is_number(left) and is_number(right)) or (isinstance(left, str) and isinstance(right, str))


def is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _weight(value: Any, most: int) -> int:
    """How many values there are in a value, counted no further than `most`."""
    count, waiting = 0, [value]
    while waiting and count <= most:
        one = waiting.pop()
        count += 1
        if isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, dict):
            waiting.extend(one.values())
    return count
