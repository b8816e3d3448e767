"""How deep a JSON value may be, so that whatever walks through one has room for it, ours and libraries."""

from typing import Any

DEEPEST = 100
"""Objects and arrays within each other; providers send some ten."""


def is_too_deep(value: Any) -> bool:
    """Whether it has more than DEEPEST levels; told level by level, without recursion."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEEPEST):
        if not level:
            return False
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
    return bool(level)
