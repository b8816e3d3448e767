"""Expressions say what JMESPath says, exactly, within bounds, and a wrong one is told before any payload comes."""

import time
from decimal import Decimal
from typing import Any

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import AdapterError, PayloadError
from gateway.translation.declarative.expressions import compiled
from gateway.translation.declarative.functions import FUNCTIONS
from gateway.translation.declarative.scope import Scope
from gateway.translation.webhook import Headers

ORDER: dict[str, Any] = {
    "id": 17,
    "paid": True,
    "free": False,
    "none": None,
    "empty": "",
    "total": Decimal("49.90"),
    "customer": {"email": "Ana@Example.com", "tags": ["new", "vip"]},
    "items": [{"name": "Pro", "cents": 4990, "n": 1}, {"name": "Plus", "cents": 10, "n": 2}],
}


def told(text: str, value: Any = ORDER, **tables: dict[str, str]) -> Any:
    scope = Scope(Headers({"X-Event": "order.paid"}), tables, options={"paid_statuses": ["completed"]})
    return compiled(text).evaluate(value, scope)


@pytest.mark.parametrize(
    ("text", "gives"),
    [
        ("customer.email", "Ana@Example.com"),
        ("customer.nothing.at.all", None),
        ("total", Decimal("49.90")),
        ("`0.1`", Decimal("0.1")),
        ("total > `49`", True),
        ("total == `49.9`", True),
        ("paid == `1`", False),
        ("empty || none || id", 17),
        ("paid && !free", True),
        ("items[?cents > `100`].name", ["Pro"]),
        ("items[-1].name", "Plus"),
        ("items[*].cents | max(@)", 4990),
        ("sum(items[].cents)", 5000),
        ("sum(items[].decimal(to_string(cents)))", Decimal(5000)),
        ("{a: id, b: customer.tags[0]}", {"a": 17, "b": "new"}),
        ("join(':', ['order', id])", "order:17"),
        ("join(':', ['order', none])", None),
        ("major_units('4990', 'eur')", Decimal("49.90")),
        ("lower(trim(customer.email))", "ana@example.com"),
        ("lower(none)", None),
        ("iso_time(`1762160400`)", "2025-11-03T09:00:00+00:00"),
        ("iso_time('Tue, 3 Nov 2026 10:00:00 +0100')", "2026-11-03T09:00:00+00:00"),
        ("iso_time('2026-07-01 12:00:00', 'Europe/Paris')", "2026-07-01T10:00:00+00:00"),
        ("header('X-Event')", "order.paid"),
        ("header('X-Other')", None),
        ("split_part('a-b', '-', `5`)", None),
        ("sort_by(items, &cents)[0].name", "Plus"),
        ("max_by(items, &cents).name", "Pro"),
        ("contains(customer.tags, 'vip')", True),
        ("type(total)", "number"),
        ("default(empty, none, 'x')", "x"),
        ("bounce_type('undetermined', '552 5.2.2 mailbox full')", "soft"),
    ],
)
def test_an_expression_gives(text: str, gives: Any) -> None:
    found = told(text)
    assert (found, type(found)) == (gives, type(gives))


def test_words_are_looked_up_in_the_tables_of_the_file() -> None:
    assert told("lookup('bounces', 'Hard')", bounces={"Hard": "hard"}) == "hard"


def test_a_word_that_is_in_no_table_is_not_understood() -> None:
    with pytest.raises(PayloadError, match="lookup: 'Odd' is not in the table bounces"):
        told("lookup('bounces', 'Odd')", bounces={"Hard": "hard"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("decimal('many')", "decimal: not an amount"),
        ("major_units(total, 'EUR')", "major_units: not an amount in minor units"),
        ("major_units(id, 'euro')", "major_units: not a currency code"),
        ("iso_time('2026-07-01 12:00:00')", "iso_time: a time without a time zone"),
        ("iso_time('2026-07-01 12:00:00', 'Nowhere')", "iso_time: not a time zone"),
        ("iso_time('2026-07-01 12:00:00', items)", "iso_time: not a time zone"),
        ("lower(items)", "lower: neither text nor a whole number"),
        ("sum(['1'])", "sum: not a number"),
        ("sort([`1`, 'a'])", "sort: a list of numbers, or of texts, only"),
        ("keys(items)", "keys: not an object"),
        ("length(id)", "length: neither text nor list nor object"),
        ("bounce_type('HardBounce')", "bounce_type: the provider's label must be hard"),
        ("hash(items)", "hash: texts, numbers and null only"),
        ("split_part('a', '', `0`)", "split_part: takes a text, a separator"),
    ],
)
def test_what_a_function_can_not_do_is_not_understood(text: str, says: str) -> None:
    with pytest.raises(PayloadError, match=says):
        told(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not an expression"),
        ("a b", "not an expression, from character 3 on"),
        ("a[", "not an expression: it ends too early"),
        ("'open", "not an expression, from character 1 on"),
        ("`plain`", "text stands in single quotes; between ` ` stands JSON"),
        ("`1e999`", "a number out of all proportion"),
        ("majr_units(a, b)", "no function majr_units; there is .*; did you mean major_units?"),
        ("lower()", r"lower takes 1 argument, not 0; for example lower\('Ana'\)"),
        ("iso_time(a, b, c)", "iso_time takes 1 to 2 arguments, not 3"),
        ("default(a)", "default takes 2 or more arguments, not 1"),
        ("sort_by(a, b)", "sort_by takes an expression after &"),
        ("lower(&a)", "lower takes a value, without &"),
        ("&a", "& stands only before"),
        ("a[::0]", "the step of a slice can't be 0"),
        ("a" * 1001, "longer than 1000 characters"),
        ("!" * 30 + "a", "nested more than 25 deep"),
        ("[" + ",".join("a" * 200) + "]", "more than 150 parts"),
    ],
)
def test_a_wrong_expression_is_told(text: str, says: str) -> None:
    with pytest.raises(AdapterError, match=says):
        compiled(text)


@given(st.text(alphabet="ab01.[]*?{}:,|&!@'`\"()<>= \n\\-", max_size=60) | st.text(max_size=30))
@settings(max_examples=400, deadline=None)
def test_any_text_is_an_expression_or_an_adapter_error(text: str) -> None:
    try:
        expression = compiled(text)
    except AdapterError:
        return
    try:
        expression.evaluate(ORDER, Scope())
    except PayloadError:
        return


PARTS = st.sampled_from(
    ["a", "b", "c", "@", "a.b", "a[0]", "a[*]", "a[]", "a[].b", "*", "*.a", "a[1:]", "[a, b]", "{a: b}", "`1`", "'x'"]
)
EXPRESSIONS = st.recursive(
    PARTS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) || ({two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) && ({two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) | {two[1]}"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) == ({two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) < ({two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"a[?{two[0]}].{two[1]}" if two[1][0].isalpha() else f"a[?{two[0]}]"),
        inner.map(lambda one: f"!({one})"),
        inner.map(lambda one: f"not_null({one}, a)"),
        inner.map(lambda one: f"to_array({one})"),
    ),
    max_leaves=5,
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(EXPRESSIONS, VALUES)
@settings(max_examples=500, deadline=None)
def test_where_no_function_of_ours_is_in_it_an_expression_says_what_the_library_says(text: str, value: Any) -> None:
    try:
        expected = jmespath.search(text, value)
    except (TypeError, AttributeError):  # the library compares texts with numbers
        return
    assert compiled(text).evaluate(value, Scope()) == expected


MANY = [{"a": number, "b": [{"c": number}] * 5} for number in range(20_000)]
ALIKE = [[["x" * 50] * 20] * 20] * 20


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (" | ".join(["[@, @]"] * 20) + " | @ == [@]", {}),
        (" | ".join(["[@, @][]"] * 20), [1]),
        ("[*].[@, @, @, @, @, @, @, @][] | [*].[@, @, @, @, @, @, @, @][] | [*].[@, @, @, @, @][]", MANY),
        ("[?contains(`" + str(list(range(100))) + "`, a)]", MANY),
        ("[*].b[].c | [*].to_array(@)[] | sort(@) | reverse(@) | sort(@) | reverse(@)", MANY * 4),
        (" | ".join(["join(@, [@, @, @, @])"] * 12), "x" * 20),
        ("[][][][]", [ALIKE] * 200),
        ("[?@ == `[1]`]", [ALIKE] * 200),
        ("lower(" * 20 + "@" + ")" * 20, "X" * 10_000_000),
        ("split_part(@, 'x', `0`)", "x" * 10_000_000),
    ],
    ids=range(10),
)
def test_no_expression_and_no_payload_takes_long(text: str, value: Any) -> None:
    expression = compiled(text)
    began = time.thread_time()
    with pytest.raises(PayloadError, match=r"too much work|more than \d+ characters"):
        expression.evaluate(value, Scope())
    assert time.thread_time() - began < 1


def test_every_function_has_an_example_that_works() -> None:
    for name, function in FUNCTIONS.items():
        assert name in function.example
        assert told(function.example, {}, bounces={"HardBounce": "hard"}) is not None
