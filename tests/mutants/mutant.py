"""A small wrong change that would hurt somebody, as it is listed: where, what, why, and the tests that notice it."""

import ast
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LISTS = Path(__file__).parent


@dataclass(frozen=True)
class Mutant:
    """`part` is the list in which it stands; `tests` are those that can notice it, the one that does first.

    `equivalent` says why it changes nothing that anybody could see, None where it does.
    """

    part: str
    name: str
    file: str
    old: str
    new: str
    why: str
    tests: tuple[str, ...]
    equivalent: str | None = None

    @property
    def id(self) -> str:
        return f"{self.part}.{self.name}"

    def applied(self, text: str) -> str:
        """The file's text with the change. Raises ValueError where what it changes is not there exactly once."""
        found = text.count(self.old)
        if found != 1:
            raise ValueError(f"{self.id}: {self.file} has its old text {found} times")
        changed = text.replace(self.old, self.new)
        ast.parse(changed)
        return changed


def read_all() -> list[Mutant]:
    """All that are listed, part by part."""
    return [one for path in sorted(LISTS.glob("*.toml")) for one in _read(path)]


def _read(path: Path) -> list[Mutant]:
    listed = tomllib.loads(path.read_text())
    return [_mutant(path.stem, listed["file"], one) for one in listed["mutant"]]


def _mutant(part: str, file: str, told: Mapping[str, Any]) -> Mutant:
    texts = {name: told[name] for name in ("name", "old", "new", "why")}
    return Mutant(
        part, file=told.get("file", file), tests=tuple(told["tests"]), equivalent=told.get("equivalent"), **texts
    )
