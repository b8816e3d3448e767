"""The words of the code are those of the glossary: no public name goes back to a word that was given up."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ledger.schema import metadata

ROOT = Path(__file__).parents[2]

WITHIN = {
    "told",
    "telling",
    "tellings",
    "retelling",
    "retellings",
    "retold",
    "till",
    "pen",
    "lesson",
    "lessons",
    "turn",
    "turns",
    "stranger",
    "strangers",
    "fate",
    "fates",
    "aside",
    "story",
    "stories",
    "dossier",
    "tallies",
    "tally",
    "levels",
    "figures",
    "finding",
    "habits",
    "doubt",
    "bell",
    "ring",
    "courier",
    "door",
    "visit",
    "passage",
    "copies",
    "rivals",
    "superseding",
    "richness",
    "book",
    "books",
}
"""Given up as a part of any name."""

ALONE = {
    "tell",
    "one",
    "note",
    "known",
    "mine",
    "asked",
    "its_name",
    "part",
    "people",
    "People",
    "View",
    "view",
    "near",
    "put_right",
}
"""Given up as a name by itself."""

KEPT = {
    "doubt_seconds": "a key of gateway.yaml",
    "doubt_seconds_money": "a key of gateway.yaml",
    "doubt_seconds_other": "a key of gateway.yaml",
    "DoubtSecondsSchema": "the schema of that key",
    "part": "a key of YAML adapters",
    "richness": "a key of YAML adapters",
}
ENTRY = re.compile(r"^- \*\*(.+?)\*\*: .{20,}", re.MULTILINE)


def public_names(path: Path) -> Iterator[str]:
    """The module's own name, and what others can name of it: definitions, members, parameters."""
    yield path.stem
    yield from _members(ast.parse(path.read_text()).body)


def _members(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef() if not node.name.startswith("_") or node.name == "__init__":
                yield node.name
                yield from (one.arg for one in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs])
            case ast.ClassDef() if not node.name.startswith("_"):
                yield node.name
                yield from _members(node.body)
            case ast.Assign():
                yield from (one.id for one in node.targets if isinstance(one, ast.Name) and one.id[0] != "_")
            case ast.AnnAssign(target=ast.Name(id=name)) if not name.startswith("_"):
                yield name


def is_given_up(name: str) -> bool:
    parts = {part.lower() for part in re.split(r"_|(?<=[a-z0-9])(?=[A-Z])", name)}
    return name not in KEPT and (name in ALONE or not parts.isdisjoint(WITHIN))


MODULES = sorted((ROOT / "gateway").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_public_name_is_a_word_that_was_given_up(path: Path) -> None:
    if "migrations" in path.parts:
        return
    assert [name for name in public_names(path) if is_given_up(name)] == []


@pytest.mark.parametrize("name", ["told_at", "EventStory", "bell", "one", "strangers_to_ask", "Till", "put_right"])
def test_a_word_that_was_given_up_is_found_within_a_name(name: str) -> None:
    assert is_given_up(name)


def test_no_table_or_column_is_named_by_a_word_that_was_given_up() -> None:
    names = [name for table in metadata.sorted_tables for name in (table.name, *table.c.keys())]
    assert [name for name in names if is_given_up(name)] == []


def test_the_glossary_explains_each_word_once_and_in_order() -> None:
    words = ENTRY.findall((ROOT / "docs/glossary.md").read_text())
    assert len(words) > 50
    assert words == sorted(set(words), key=str.lower)
