"""The expressions of YAML adapters: JMESPath, compiled once, exact in its numbers and bounded in its work.

The grammar is that of the library jmespath (https://jmespath.org/specification.html). Evaluating is our own: fractions
are Decimal and never a float, all work is paid from a budget (`Scope.spend`), and what is compiled once runs several
times as fast as the library's walk over the parsed tree.
"""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from jmespath.exceptions import JMESPathError, LexerError, ParseError
from jmespath.parser import Parser

from gateway.config.faults import listed, nearest
from gateway.errors import AdapterError, PayloadError
from gateway.translation.declarative.functions import FUNCTIONS, Function
from gateway.translation.declarative.scope import Scope, equal, is_comparable

LONGEST = 1000
"""Characters of an expression."""

DEEPEST = 25
"""Parts within parts of an expression."""

MOST_PARTS = 150

Evaluate = Callable[[Any, Scope], Any]
"""What a part of an expression is for a value. Raises PayloadError."""

_Node = Mapping[str, Any]


@dataclass(frozen=True)
class Expression:
    """A compiled expression. `calls` are the functions in it, each with its first argument where that is fixed text."""

    text: str
    evaluate: Evaluate = field(compare=False, repr=False)
    calls: tuple[tuple[str, str | None], ...] = ()


def compiled(text: str) -> Expression:
    """Raises AdapterError, which says what is wrong with the text and where."""
    if len(text) > LONGEST:
        raise AdapterError(f"longer than {LONGEST} characters")
    calls: list[tuple[str, str | None]] = []
    try:
        parsed = _parsed(text)
        _measure(parsed)
        return Expression(text, _compile(parsed, calls), tuple(calls))
    except RecursionError as error:
        raise AdapterError("nested too deeply") from error


def _parsed(text: str) -> _Node:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PendingDeprecationWarning)
            parsed: _Node = Parser().parse(text).parsed
            return parsed
    except PendingDeprecationWarning as error:
        raise AdapterError("text stands in single quotes; between ` ` stands JSON") from error
    except LexerError as error:
        raise AdapterError(f"not an expression, from character {error.lexer_position + 1} on") from error
    except ParseError as error:
        if not text.strip() or error.lex_position >= len(text):
            raise AdapterError("not an expression: it ends too early") from error
        raise AdapterError(f"not an expression, from character {error.lex_position + 1} on") from error
    except (JMESPathError, ValueError, AttributeError, TypeError) as error:
        # the library answers some half-written expressions with errors that are not its own
        raise AdapterError("not an expression") from error


def _measure(parsed: _Node) -> None:
    count, level = 0, [parsed]
    for _ in range(DEEPEST):
        count += len(level)
        level = [child for node in level for child in node["children"] if isinstance(child, dict)]
        if count > MOST_PARTS:
            raise AdapterError(f"more than {MOST_PARTS} parts; split it up")
        if not level:
            return
    raise AdapterError(f"nested more than {DEEPEST} deep; split it up")


_Calls = list[tuple[str, str | None]]


def _compile(node: _Node, calls: _Calls) -> Evaluate:
    return _COMPILERS[node["type"]](node, calls)


def _children(node: _Node, calls: _Calls) -> list[Evaluate]:
    return [_compile(child, calls) for child in node["children"]]


def _field(node: _Node, calls: _Calls) -> Evaluate:
    name = node["value"]

    def member(value: Any, scope: Scope) -> Any:
        return value.get(name) if isinstance(value, dict) else None

    return member


def _chain(node: _Node, calls: _Calls) -> Evaluate:
    """Parts one after the other; names in a row, the usual case, without a call for each."""
    if all(child["type"] == "field" for child in node["children"]):
        names = tuple(child["value"] for child in node["children"])

        def path(value: Any, scope: Scope) -> Any:
            for name in names:
                if not isinstance(value, dict):
                    return None
                value = value.get(name)
            return value

        return path
    steps = _children(node, calls)

    def chain(value: Any, scope: Scope) -> Any:
        for step in steps:
            value = step(value, scope)
        return value

    return chain


def _current(node: _Node, calls: _Calls) -> Evaluate:
    return lambda value, scope: value


def _literal(node: _Node, calls: _Calls) -> Evaluate:
    fixed = _exact(node["value"])
    return lambda value, scope: fixed


def _exact(value: Any) -> Any:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise AdapterError("a number out of all proportion")
        return Decimal(repr(value))
    if isinstance(value, list):
        return [_exact(item) for item in value]
    if isinstance(value, dict):
        return {name: _exact(item) for name, item in value.items()}
    return value


def _index(node: _Node, calls: _Calls) -> Evaluate:
    place = node["value"]

    def item(value: Any, scope: Scope) -> Any:
        if not isinstance(value, list) or not -len(value) <= place < len(value):
            return None
        return value[place]

    return item


def _slice(node: _Node, calls: _Calls) -> Evaluate:
    places = slice(*node["children"])
    if places.step == 0:
        raise AdapterError("the step of a slice can't be 0")

    def cut(value: Any, scope: Scope) -> Any:
        if not isinstance(value, list):
            return None
        found = value[places]
        scope.spend(len(found))
        return found

    return cut


def _projection(node: _Node, calls: _Calls) -> Evaluate:
    base, inner = _children(node, calls)

    def projected(value: Any, scope: Scope) -> Any:
        items = base(value, scope)
        if not isinstance(items, list):
            return None
        scope.spend(len(items))
        return [told for item in items if (told := inner(item, scope)) is not None]

    return projected


def _value_projection(node: _Node, calls: _Calls) -> Evaluate:
    base, inner = _children(node, calls)

    def projected(value: Any, scope: Scope) -> Any:
        items = base(value, scope)
        if not isinstance(items, dict):
            return None
        scope.spend(len(items))
        return [told for item in items.values() if (told := inner(item, scope)) is not None]

    return projected


def _filter(node: _Node, calls: _Calls) -> Evaluate:
    base, inner, condition = _children(node, calls)

    def filtered(value: Any, scope: Scope) -> Any:
        items = base(value, scope)
        if not isinstance(items, list):
            return None
        scope.spend(len(items))
        kept = [item for item in items if is_true(condition(item, scope))]
        return [told for item in kept if (told := inner(item, scope)) is not None]

    return filtered


def _flatten(node: _Node, calls: _Calls) -> Evaluate:
    (base,) = _children(node, calls)

    def flat(value: Any, scope: Scope) -> Any:
        items = base(value, scope)
        if not isinstance(items, list):
            return None
        found: list[Any] = []
        for item in items:
            scope.spend(len(item) if isinstance(item, list) else 1)
            if isinstance(item, list):
                found.extend(item)
            else:
                found.append(item)
        return found

    return flat


def _several(node: _Node, calls: _Calls) -> Evaluate:
    parts = _children(node, calls)

    def several(value: Any, scope: Scope) -> Any:
        if value is None:
            return None
        scope.spend(len(parts))
        return [part(value, scope) for part in parts]

    return several


def _named(node: _Node, calls: _Calls) -> Evaluate:
    parts = [(child["value"], _compile(child["children"][0], calls)) for child in node["children"]]

    def named(value: Any, scope: Scope) -> Any:
        if value is None:
            return None
        scope.spend(len(parts))
        return {name: part(value, scope) for name, part in parts}

    return named


def is_true(value: Any) -> bool:
    """As JMESPath has it: null, false, empty text, empty lists and objects are not true; 0 is."""
    return not (value is None or value is False or value == "" or value == [] or value == {})


def _or(node: _Node, calls: _Calls) -> Evaluate:
    first, second = _children(node, calls)

    def either(value: Any, scope: Scope) -> Any:
        told = first(value, scope)
        return told if is_true(told) else second(value, scope)

    return either


def _and(node: _Node, calls: _Calls) -> Evaluate:
    first, second = _children(node, calls)

    def both(value: Any, scope: Scope) -> Any:
        told = first(value, scope)
        return second(value, scope) if is_true(told) else told

    return both


def _not(node: _Node, calls: _Calls) -> Evaluate:
    (inner,) = _children(node, calls)
    return lambda value, scope: not is_true(inner(value, scope))


_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "lt": lambda one, other: one < other,
    "lte": lambda one, other: one <= other,
    "gt": lambda one, other: one > other,
    "gte": lambda one, other: one >= other,
}


def _comparison(node: _Node, calls: _Calls) -> Evaluate:
    first, second = _children(node, calls)
    kind = node["value"]
    if kind in ("eq", "ne"):
        wanted = kind == "eq"
        return lambda value, scope: equal(first(value, scope), second(value, scope), scope) is wanted
    order = _ORDERS[kind]

    def ordered(value: Any, scope: Scope) -> Any:
        one, other = first(value, scope), second(value, scope)
        return order(one, other) if is_comparable(one, other) else None

    return ordered


def _call(node: _Node, calls: _Calls) -> Evaluate:
    name, arguments = node["value"], node["children"]
    function = FUNCTIONS.get(name)
    if function is None:
        raise AdapterError(f"no function {name[:64]}; there is {listed(FUNCTIONS)}{nearest(name, FUNCTIONS)}")
    if not function.takes(len(arguments)):
        raise AdapterError(f"{name} takes {function.arity}, not {len(arguments)}; for example {function.example}")
    _check_references(name, function, arguments)
    first = arguments[0] if arguments else {"type": ""}
    calls.append((name, first["value"] if first["type"] == "literal" and isinstance(first["value"], str) else None))
    parts = [
        _reference(argument, calls) if argument["type"] == "expref" else _compile(argument, calls)
        for argument in arguments
    ]
    return _called(name, function, parts)


def _called(name: str, function: Function, parts: Sequence[Evaluate]) -> Evaluate:
    run, takes_null = function.run, function.takes_null

    def call(value: Any, scope: Scope) -> Any:
        told = [part(value, scope) for part in parts]
        if told and told[0] is None and not takes_null:
            return None
        try:
            return run(scope, *told)
        except PayloadError as error:
            raise PayloadError(f"{name}: {error}") from error

    return call


def _check_references(name: str, function: Function, arguments: Sequence[_Node]) -> None:
    for place, argument in enumerate(arguments):
        if (argument["type"] == "expref") != (place in function.references):
            wants = "an expression after &" if place in function.references else "a value, without &"
            raise AdapterError(f"{name} takes {wants}; for example {function.example}")


def _reference(node: _Node, calls: _Calls) -> Evaluate:
    (inner,) = _children(node, calls)
    return lambda value, scope: inner


def _stray(node: _Node, calls: _Calls) -> Evaluate:
    raise AdapterError("& stands only before the second argument of sort_by, max_by and min_by")


_COMPILERS: Mapping[str, Callable[[_Node, _Calls], Evaluate]] = {
    "field": _field,
    "subexpression": _chain,
    "index_expression": _chain,
    "pipe": _chain,
    "current": _current,
    "identity": _current,
    "literal": _literal,
    "index": _index,
    "slice": _slice,
    "projection": _projection,
    "value_projection": _value_projection,
    "filter_projection": _filter,
    "flatten": _flatten,
    "multi_select_list": _several,
    "multi_select_dict": _named,
    "or_expression": _or,
    "and_expression": _and,
    "not_expression": _not,
    "comparator": _comparison,
    "function_expression": _call,
    "expref": _stray,
}
