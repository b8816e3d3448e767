"""docs/configuration.md says what the schemas say."""

import re
from collections.abc import Mapping
from pathlib import Path

import yaml
from marshmallow import Schema, fields, missing

from gateway.config.schemas import LATER, PLANS, DestinationSchema, EnvironmentSchema, FileSchema, SourceSchema
from tests.config.configurations import ENVIRON, loaded

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
UNWRITTEN = "(in words)"


def _documented(heading: str) -> dict[str, str]:
    """The keys and defaults of the table under a heading; a default in words is only known to be there."""
    section = re.split(r"^#+ ", PAGE.split(f"\n{heading}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]
    rows = re.findall(r"^\| (?:<a id=\S+></a>)?`([^`]+)` \| ([^|]+) \| [^|]+ \|$", section, flags=re.MULTILINE)
    return {key: default if re.fullmatch(r"`[^`<]+`|required", default) else UNWRITTEN for key, default in rows}


def _declared(schema: Schema, before: str = "") -> dict[str, str]:
    declared = {}
    for name, member in schema.fields.items():
        key = before + (member.data_key or name)
        declared[key] = _default(member)
        if isinstance(member, fields.Nested):
            declared |= _declared(member.schema, f"{key}.")
    return declared


def _default(member: fields.Field[object]) -> str:
    if member.required:
        return "required"
    if member.load_default is missing or callable(member.load_default):
        return UNWRITTEN
    default = member.load_default
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_every_key_is_documented_with_its_default() -> None:
    declared: Mapping[str, Schema] = {
        "## The file": FileSchema(),
        "### destinations.\\<name\\>": DestinationSchema(),
        "### sources.\\<name\\>": SourceSchema(),
        "## Environment variables": EnvironmentSchema(),
    }
    assert {head: _documented(head) for head in declared} == {head: _declared(declared[head]) for head in declared}


def test_every_key_has_an_anchor_of_its_name() -> None:
    keys = re.findall(r"^\|.*?`([a-z_.]+)` \|", PAGE, flags=re.MULTILINE)
    anchored = re.findall(r'^\| <a id="([^"]+)"></a>`([^`]+)` \|', PAGE, flags=re.MULTILINE)
    assert anchored == [(key, key) for key in keys]


def test_the_keys_that_come_later_are_listed() -> None:
    section = PAGE.split("### Not yet")[1].split("\n## ")[0]
    assert sorted(re.findall(r"`(\w+)`", section)) == sorted(key.rpartition(".")[2] for key in LATER)


def test_the_plans_are_documented() -> None:
    assert ", ".join(f"`{plan}` {limit:,}" for plan, limit in PLANS.items()) in PAGE


def test_the_example_is_right(tmp_path: Path) -> None:
    example = PAGE.split("```yaml\n")[1].split("```")[0]
    assert list(loaded(tmp_path, example, ENVIRON).sources) == list(yaml.safe_load(example)["sources"])
