"""The functions that expressions may call: pure, and each paid from the budget by the size of what it looks at.

docs/extend/yaml.md shows each with an example, and a test runs those examples.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.errors import PayloadError
from gateway.translation import bounce, key, moment, money
from gateway.translation.declarative.scope import Scope, equal, is_comparable, is_number

_WHOLE = re.compile(r"\s*-?\d{1,15}\s*", re.ASCII)

LONGEST_TEXT = 100_000
"""Characters of a text that a function makes."""


@dataclass(frozen=True)
class Function:
    """One function. `takes_null`: it is called although its first argument is null; else null gives null.

    `references` are the places of arguments that are expressions of their own (`&price`).
    `most` None: as many as one likes.
    """

    run: Callable[..., Any]
    example: str
    least: int
    most: int | None
    takes_null: bool = False
    references: frozenset[int] = frozenset()

    def takes(self, count: int) -> bool:
        return self.least <= count and (self.most is None or count <= self.most)

    @property
    def arity(self) -> str:
        if self.least == self.most:
            return f"{self.least} argument{'' if self.least == 1 else 's'}"
        return f"{self.least} or more arguments" if self.most is None else f"{self.least} to {self.most} arguments"


def _text(value: Any, scope: Scope) -> str:
    """A text, or a whole number as one. Raises PayloadError."""
    if isinstance(value, str):
        scope.spend(len(value) >> 8)
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**40:
        return str(value)
    raise PayloadError("neither text nor a whole number")


def _list(value: Any, scope: Scope) -> list[Any]:
    if not isinstance(value, list):
        raise PayloadError("not a list")
    scope.spend(len(value))
    return value


def _object(value: Any, scope: Scope) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PayloadError("not an object")
    scope.spend(len(value))
    return value


def _number(value: Any) -> int | Decimal:
    if not is_number(value):
        raise PayloadError("not a number; decimal() reads one that is told as text")
    number: int | Decimal = value
    return number


def major_units(scope: Scope, minor: Any, currency: Any) -> Decimal:
    told_as_text = isinstance(minor, str) and _WHOLE.fullmatch(minor)
    if told_as_text or (isinstance(minor, Decimal) and minor == minor.to_integral_value()):
        minor = int(minor)
    return money.major_units(minor, currency)


def decimal(scope: Scope, value: Any) -> Decimal:
    return money.amount(value)


def point_in_time(value: Any, zone: Any = None) -> datetime:
    """The time that a value tells in any form that providers use. Raises PayloadError."""
    return moment.read(value, None if zone is None else _zone(str(zone)))


def iso_time(scope: Scope, value: Any, zone: Any = None) -> str:
    return moment.to_iso(point_in_time(value, zone))


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    if name[:1] in ("+", "-") and len(name) == 6 and name[3] == ":":
        hours, minutes = name[1:3], name[4:]
        if hours.isdecimal() and minutes.isdecimal() and int(hours) < 24:
            ahead = timedelta(hours=int(hours), minutes=int(minutes))
            return timezone(ahead if name[0] == "+" else -ahead)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise PayloadError("not a time zone; write 'UTC', '+02:00' or 'Europe/Paris'") from error


def default(scope: Scope, *values: Any) -> Any:
    return next((value for value in values if value is not None and value != ""), None)


def hashed(scope: Scope, *values: Any) -> str:
    for value in values:
        if isinstance(value, list | dict):
            raise PayloadError("texts, numbers and null only")
        scope.spend(len(value) >> 8 if isinstance(value, str) else 1)
    return key.composed(*values).removeprefix("event:")


def header(scope: Scope, name: Any) -> str | None:
    return scope.headers.get(_text(name, scope), "").strip() or None


def lookup(scope: Scope, table: Any, word: Any) -> Any:
    if word is None:
        raise PayloadError(f"no word to look up in the table {table}")
    known = scope.tables[table]
    spelled = _text(word, scope)
    if spelled not in known:
        raise PayloadError(f"{spelled[:80]!r} is not in the table {table}")
    return known[spelled]


def option(scope: Scope, name: Any) -> Any:
    """What the source says of an option that the file declares; null where no source is there."""
    return scope.options.get(name)


def required(scope: Scope, value: Any) -> Any:
    if value is None or value == "":
        raise PayloadError("it is not there")
    return value


def lower(scope: Scope, text: Any) -> str:
    return _text(text, scope).lower()


def upper(scope: Scope, text: Any) -> str:
    return _text(text, scope).upper()


def minus(scope: Scope, number: Any, less: Any) -> int | Decimal:
    """What a running total came to since the time before."""
    return _number(number) - _number(less)


def trim(scope: Scope, text: Any) -> str | None:
    return _text(text, scope).strip() or None


def split_part(scope: Scope, text: Any, separator: Any, place: Any) -> str | None:
    whole, between = _text(text, scope), _text(separator, scope)
    if not between or not isinstance(place, int) or isinstance(place, bool):
        raise PayloadError("takes a text, a separator and the place of the part: 0 is the first, -1 the last")
    scope.spend(whole.count(between))
    parts = whole.split(between)
    return parts[place].strip() or None if -len(parts) <= place < len(parts) else None


def bounce_type(scope: Scope, label: Any, *texts: Any) -> str:
    if label not in (bounce.HARD, bounce.SOFT, bounce.UNDETERMINED):
        raise PayloadError("the provider's label must be hard, soft or undetermined; lookup() translates its words")
    return bounce.judge(bounce.Verdict(label), *(None if text is None else _text(text, scope) for text in texts)).kind


def join(scope: Scope, separator: Any, parts: Any) -> str | None:
    between, texts = _text(separator, scope), []
    for part in _list(parts, scope):
        if part is None:
            return None
        texts.append(_text(part, scope))
    if sum(len(text) + len(between) for text in texts) > LONGEST_TEXT:
        raise PayloadError(f"more than {LONGEST_TEXT} characters")
    return between.join(texts)


def length(scope: Scope, value: Any) -> int:
    if not isinstance(value, str | list | dict):
        raise PayloadError("neither text nor list nor object")
    return len(value)


def contains(scope: Scope, where: Any, what: Any) -> bool:
    if isinstance(where, str):
        scope.spend(len(where) >> 8)
        return isinstance(what, str) and what in where
    return any(equal(item, what, scope) for item in _list(where, scope))


def starts_with(scope: Scope, text: Any, beginning: Any) -> bool:
    return _text(text, scope).startswith(_text(beginning, scope))


def ends_with(scope: Scope, text: Any, end: Any) -> bool:
    return _text(text, scope).endswith(_text(end, scope))


def absolute(scope: Scope, number: Any) -> int | Decimal:
    found = _number(number)
    return found if found >= 0 else -found


def total(scope: Scope, numbers: Any) -> int | Decimal:
    added: int | Decimal = 0
    for number in _list(numbers, scope):
        added = added + _number(number)
    return added


def _sortable(values: list[Any]) -> None:
    if not all(is_comparable(values[0], value) for value in values):
        raise PayloadError("a list of numbers, or of texts, only")


def largest(scope: Scope, values: Any) -> Any:
    found = _list(values, scope)
    if not found:
        return None
    _sortable(found)
    return max(found)


def smallest(scope: Scope, values: Any) -> Any:
    found = _list(values, scope)
    if not found:
        return None
    _sortable(found)
    return min(found)


def in_order(scope: Scope, values: Any) -> list[Any]:
    found = _list(values, scope)
    if found:
        _sortable(found)
    return sorted(found)


def _by(scope: Scope, values: Any, expression: Any) -> list[tuple[Any, int]]:
    """What sorts each value, with its place."""
    marks = [(expression(value, scope), place) for place, value in enumerate(_list(values, scope))]
    if marks:
        _sortable([mark for mark, _ in marks])
    return marks


def sort_by(scope: Scope, values: Any, expression: Any) -> list[Any]:
    return [values[place] for _, place in sorted(_by(scope, values, expression))]


def max_by(scope: Scope, values: Any, expression: Any) -> Any:
    marks = _by(scope, values, expression)
    return values[max(marks, key=lambda mark: mark[0])[1]] if marks else None


def min_by(scope: Scope, values: Any, expression: Any) -> Any:
    marks = _by(scope, values, expression)
    return values[min(marks, key=lambda mark: mark[0])[1]] if marks else None


def backwards(scope: Scope, value: Any) -> Any:
    return _text(value, scope)[::-1] if isinstance(value, str) else _list(value, scope)[::-1]


def keys(scope: Scope, value: Any) -> list[str]:
    return list(_object(value, scope))


def values(scope: Scope, value: Any) -> list[Any]:
    return list(_object(value, scope).values())


def not_null(scope: Scope, *told: Any) -> Any:
    return next((value for value in told if value is not None), None)


def to_array(scope: Scope, value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def to_string(scope: Scope, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else _text(value, scope)


_KINDS = {str: "string", bool: "boolean", list: "array", int: "number", Decimal: "number", type(None): "null"}


def kind(scope: Scope, value: Any) -> str:
    return _KINDS.get(type(value), "object")


_SECOND = frozenset({1})

FUNCTIONS: Mapping[str, Function] = {
    # ours
    "bounce_type": Function(bounce_type, "bounce_type('soft', '550 5.1.1 no such user')", 1, None, takes_null=True),
    "decimal": Function(decimal, "decimal('49.90')", 1, 1),
    "default": Function(default, "default('', 'none')", 2, None, takes_null=True),
    "hash": Function(hashed, "hash('open', 'ana@example.com')", 1, None, takes_null=True),
    "header": Function(header, "header('X-Event')", 1, 1),
    "iso_time": Function(iso_time, "iso_time('2026-11-03 10:00:00', '+01:00')", 1, 2),
    "lookup": Function(lookup, "lookup('bounces', 'HardBounce')", 2, 2),
    "lower": Function(lower, "lower('Ana')", 1, 1),
    "major_units": Function(major_units, "major_units(`4999`, 'EUR')", 2, 2),
    "minus": Function(minus, "minus(`500`, `200`)", 2, 2),
    "option": Function(option, "option('paid_statuses')", 1, 1),
    "required": Function(required, "required('a')", 1, 1, takes_null=True),
    "split_part": Function(split_part, "split_part('order-17', '-', `1`)", 3, 3),
    "trim": Function(trim, "trim(' Pro ')", 1, 1),
    "upper": Function(upper, "upper('eur')", 1, 1),
    # JMESPath's own
    "abs": Function(absolute, "abs(`-5`)", 1, 1),
    "contains": Function(contains, "contains(`[1, 2]`, `2`)", 2, 2),
    "ends_with": Function(ends_with, "ends_with('order.paid', '.paid')", 2, 2),
    "join": Function(join, "join(':', ['order', `17`])", 2, 2),
    "keys": Function(keys, 'keys(`{"a": 1}`)', 1, 1),
    "length": Function(length, "length('abc')", 1, 1),
    "max": Function(largest, "max(`[1, 2]`)", 1, 1),
    "max_by": Function(max_by, 'max_by(`[{"at": 1}, {"at": 2}]`, &at)', 2, 2, references=_SECOND),
    "min": Function(smallest, "min(`[1, 2]`)", 1, 1),
    "min_by": Function(min_by, 'min_by(`[{"at": 1}, {"at": 2}]`, &at)', 2, 2, references=_SECOND),
    "not_null": Function(not_null, "not_null(`null`, 'b')", 1, None, takes_null=True),
    "reverse": Function(backwards, "reverse(`[1, 2]`)", 1, 1),
    "sort": Function(in_order, "sort(`[2, 1]`)", 1, 1),
    "sort_by": Function(sort_by, 'sort_by(`[{"at": 2}, {"at": 1}]`, &at)', 2, 2, references=_SECOND),
    "starts_with": Function(starts_with, "starts_with('order.paid', 'order.')", 2, 2),
    "sum": Function(total, "sum(`[1.5, 2]`)", 1, 1),
    "to_array": Function(to_array, "to_array('a')", 1, 1, takes_null=True),
    "to_string": Function(to_string, "to_string(`1.50`)", 1, 1),
    "type": Function(kind, "type('a')", 1, 1, takes_null=True),
    "values": Function(values, 'values(`{"a": 1}`)', 1, 1),
}
