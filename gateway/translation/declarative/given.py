"""What the expressions of a YAML adapter give, in the kinds that the contract asks for.

Each function raises PayloadError, which names the place in the file.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gateway.errors import PayloadError
from gateway.events import MemoryKey
from gateway.translation import person
from gateway.translation.declarative.expressions import Expression
from gateway.translation.declarative.functions import point_in_time
from gateway.translation.declarative.scope import Scope

LONGEST_NAME = 200


def evaluated(place: str, expression: Expression, value: Any, scope: Scope) -> Any:
    try:
        return expression.evaluate(value, scope)
    except PayloadError as error:
        raise PayloadError(f"{place}: {error}") from error


def name(place: str, expression: Expression | None, value: Any, scope: Scope) -> str | None:
    """Text that is not empty; a whole number becomes one."""
    if expression is None:
        return None
    return text(evaluated(place, expression, value, scope), place)[:LONGEST_NAME] or None


def name_if_any(place: str, expression: Expression | None, value: Any, scope: Scope) -> str | None:
    """As `name`, but what is no name is none."""
    try:
        return name(place, expression, value, scope)
    except PayloadError:
        return None


def text(found: Any, place: str) -> str:
    """Empty for null, and for false, which is what `is_told && id` gives where it is not."""
    if found is None or found is False:
        return ""
    if isinstance(found, str):
        return found.strip()
    if isinstance(found, int) and not isinstance(found, bool) and abs(found) < 10**40:
        return str(found)
    raise PayloadError(f"{place}: neither text nor a whole number")


def time(place: str, expression: Expression | None, value: Any, scope: Scope) -> datetime | None:
    if expression is None:
        return None
    found = evaluated(place, expression, value, scope)
    if found is None or found is False or found == "":
        return None
    try:
        return point_in_time(found)
    except PayloadError as error:
        raise PayloadError(f"{place}: {error}") from error


def truth(place: str, expression: Expression | None, value: Any, scope: Scope) -> bool:
    if expression is None:
        return False
    found = evaluated(place, expression, value, scope)
    if found is None or isinstance(found, bool):
        return bool(found)
    raise PayloadError(f"{place}: neither true nor false; compare it with a word (mode == 'test')")


def keys(
    place: str, named: Sequence[tuple[str, Expression]], payload: Any, scope: Scope, *, or_none: bool = False
) -> tuple[str, ...]:
    """The keys that the payload tells, less those that are null, and with `or_none` those that can't be names."""
    found = []
    for kind, expression in named:
        try:
            id_ = text(evaluated(place, expression, payload, scope), place)
        except PayloadError:
            if not or_none:
                raise
            continue
        if not id_:
            continue
        key = f"{kind}:{id_}" if kind else id_
        if or_none and key != key.strip(":"):
            continue
        if ":" not in key.strip(":"):
            raise PayloadError(f"{place}: {expression.text} must give kind:id")
        found.append(key)
    return tuple(dict.fromkeys(found))


def subscriber(
    expression: Expression | None, recall: Mapping[str, Expression], payload: Any, scope: Scope
) -> tuple[str | None, MemoryKey | None]:
    """Whose it is; where that is not payload, the memory that will tell; neither where there is no such memory."""
    found = None if expression is None else evaluated("subscriber", expression, payload, scope)
    if found is not None and found != "":
        address = person.email(found)
        if address is None:
            raise PayloadError("subscriber: not an e-mail address")
        return address, None
    for kind, recalled in recall.items():
        id_ = name(f"recall.{kind}", recalled, payload, scope)
        if id_ is not None:
            return None, MemoryKey(kind, id_)
    return None, None
