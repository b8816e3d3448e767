"""How faults of a YAML file are told: each with its place and the nearest right word, all of them at once."""

import math
import re
from collections.abc import Iterable
from difflib import get_close_matches

from gateway.errors import ConfigError

Path = tuple[str | int, ...]
"""Where a value stands in the file: keys of mappings and positions in lists."""


class Faults:
    """The faults of one file and its environment. No text quotes a value, since any value may be a secret."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._told: list[tuple[float, str]] = []
        self._muted: set[Path] = set()
        self._hidden: dict[Path, set[str]] = {}
        self.lines: dict[Path, int] = {}

    def at(self, path: Path, text: str, line: int | None = None) -> None:
        """Something is wrong with the value at `path`, or with what should stand there; `line` None finds its line."""
        if any(path[:length] in self._muted for length in range(1, len(path) + 1)):
            return
        for hidden in self._hidden.get(path, ()):
            text = text.replace(hidden, "…")
        line = line or next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), 1)
        self.at_line(line, f"{self._shown(path)}: {text}" if path else text)

    def at_line(self, line: int, text: str) -> None:
        self._told.append((line, f"{self._file}:{line}: {text}"))

    def in_environment(self, variable: str, text: str) -> None:
        self._told.append((math.inf, f"environment: {variable}: {text}"))

    def mute(self, path: Path) -> None:
        """Say nothing more about `path`: its cause is told already, or is none."""
        self._muted.add(path)

    def hide(self, path: Path, value: str) -> None:
        """`value` comes from the environment or a secret file, so it is struck from what is told about `path`."""
        if value:
            self._hidden.setdefault(path, set()).add(value)

    def __bool__(self) -> bool:
        return bool(self._told)

    def texts(self) -> tuple[str, ...]:
        """All faults in the order of the file, each once."""
        return tuple(dict.fromkeys(text for _, text in sorted(self._told, key=lambda told: told[0])))

    def raise_all(self) -> None:
        """Raise ConfigError with all faults, if there are any."""
        if self._told:
            raise ConfigError(*self.texts())

    def _shown(self, path: Path) -> str:
        words = ""
        for position, step in enumerate(path):
            if isinstance(step, str):
                words += f"{'.' if words else ''}{shown(step)}"
            elif step or (*path[:position], 1) in self.lines:
                words += f": item {step + 1}"
        return words


def shown(key: str) -> str:
    """A key as it may stand in a fault: short, printable, on one line."""
    return key if re.fullmatch(r"[\w-]{1,64}", key, re.ASCII) else ascii(key)[:64]


def nearest(word: str, allowed: Iterable[str]) -> str:
    """`; did you mean …?`, or nothing where no allowed word is near."""
    spelling = {candidate.lower(): candidate for candidate in sorted(allowed)}
    matches = get_close_matches(word.lower()[:64], spelling, n=1)
    return f"; did you mean {spelling[matches[0]]}?" if matches else ""


def listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words)) or "nothing"
