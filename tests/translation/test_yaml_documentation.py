"""docs/extend/yaml.md says what the language is: every key, every scheme, every function with what it gives."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from marshmallow import Schema

from gateway.translation.declarative.editor_schema import json_schema
from gateway.translation.declarative.expressions import compiled
from gateway.translation.declarative.functions import FUNCTIONS
from gateway.translation.declarative.schema import (
    ANNOTATIONS,
    SCHEMES,
    SHARED_SECRET,
    AdapterSchema,
    BackSchema,
    RuleSchema,
    SourceEventSchema,
    read,
    scheme_schema,
)
from gateway.translation.declarative.scope import Scope
from gateway.translation.webhook import Headers

PAGE = (Path(__file__).parents[2] / "docs" / "extend" / "yaml.md").read_text()


def section(heading: str) -> str:
    return re.split(r"^## ", PAGE.split(f"## {heading}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


def first_cells(heading: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)`", section(heading), flags=re.MULTILINE)


def keys(schema: Schema) -> list[str]:
    return sorted(schema.fields)


def test_every_key_has_its_row() -> None:
    assert sorted(first_cells("The file")) == keys(AdapterSchema())
    assert sorted(first_cells("A rule")) == keys(RuleSchema())
    assert all(f"`{name}`" in section("The file") for name in SourceEventSchema().fields)
    assert all(name in section("A rule") for name in BackSchema().fields)


def test_every_scheme_has_its_row_with_its_keys() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|((?:[^|\\]|\\\|)*)\|", section("verify"), flags=re.MULTILINE))
    rows.pop("scheme")
    assert set(rows) == {*SCHEMES, SHARED_SECRET}
    told = {word: sorted(re.findall(r"`([a-z_]+)`", cell)) for word, cell in rows.items()}
    assert told == {word: sorted(set(scheme_schema(word).fields) - {"scheme"}) for word in rows}


def test_every_annotation_is_named() -> None:
    (row,) = re.findall(r"^\| `data` \| (.*) \|$", section("A rule"), flags=re.MULTILINE)
    assert [name for name in ANNOTATIONS if f"`{name}`" not in row] == []


def test_every_function_gives_what_its_example_says() -> None:
    rows = re.findall(r"^\| `(\w+)`( \*)? \| `+(.+?)`+ \| `(.+)` \|$", section("Expressions"), flags=re.MULTILINE)
    tables, options = {"bounces": {"HardBounce": "hard"}}, {"paid_statuses": "paid"}
    scope = Scope(Headers({"X-Event": "order.paid"}), tables, options=options)
    assert {name: shown(compiled(example).evaluate({}, scope)) for name, _, example, _ in rows} == {
        name: gives for name, _, _, gives in rows
    }
    assert {name: bool(star) for name, star, _, _ in rows} == {name: FUNCTIONS[name].takes_null for name, *_ in rows}
    standard = section("Expressions").split("JMESPath's own:")[1].split(". ")[0]
    assert {name for name, *_ in rows} | set(re.findall(r"`(\w+)`", standard)) == set(FUNCTIONS)


def shown(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def test_the_example_of_money_is_right() -> None:
    rules = section("Money").split("```yaml\n")[1].split("```")[0]
    head = PAGE.split("```yaml\n")[1].split("events:")[0]
    assert read(f"{head}tables: {{disputes: {{lost: succeeded}}}}\nevents:\n{rules}", "docs").rules[0].sale


def test_the_example_is_right() -> None:
    example = PAGE.split("```yaml\n")[1].split("```")[0]
    assert read(example, "docs").name == "acme"


def test_editors_are_told_the_same_keys() -> None:
    schema = json_schema()
    rule = schema["properties"]["events"]["items"]
    assert sorted(schema["properties"]) == keys(AdapterSchema())
    assert sorted(rule["properties"]) == keys(RuleSchema())
    example = yaml.safe_load(PAGE.split("```yaml\n")[1].split("```")[0])
    assert set(example) <= set(schema["properties"])
    assert {kind["properties"]["scheme"]["const"] for kind in schema["properties"]["verify"]["oneOf"]} == {
        *SCHEMES,
        SHARED_SECRET,
    }
