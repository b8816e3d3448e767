"""Reads YAML so that each value's line is known and a key can't stand twice in silence."""

import re

import yaml

from gateway.config.faults import Faults, Path

MOST_VALUES = 20_000
"""More values than any configuration has; aliases of aliases reach it before they fill the memory."""

_TAG = "tag:yaml.org,2002:"
_MAPPING, _SEQUENCE = f"{_TAG}map", f"{_TAG}seq"
_READ = {f"{_TAG}{name}" for name in ("null", "bool", "int", "float")}
_TEXT = {f"{_TAG}{name}" for name in ("str", "timestamp")}


def parse(text: str, faults: Faults, needs: str = "destinations and sources") -> object:
    """The text's one document as plain values; the line of each is left in `faults.lines`.

    `needs` is what is said to be missing from an empty file. None stands for what could not be read, and its fault is
    told.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            faults.at_line(1, f"the file is empty; it needs {needs}")
            return None
        return _Reading(faults).value(root, ())
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        faults.at_line(line, f"not YAML: {_unquoted(error.problem or 'unreadable')}")
    except yaml.reader.ReaderError as error:
        faults.at_line(text[: error.position].count("\n") + 1, "a character that YAML does not allow")
    except (ValueError, OverflowError):  # PyYAML lets through what chr() and int() say of absurd escapes and numbers
        faults.at_line(1, "not YAML: a number or an escaped character is out of range")
    except RecursionError:
        faults.at_line(1, "nested too deeply")
    return None


def _unquoted(problem: str) -> str:
    """PyYAML's complaint without the words of the file that it quotes: they may be part of a secret."""
    return re.sub(r"'([^']*)'", lambda quoted: quoted[0] if re.fullmatch(r"\W?|<.*>", quoted[1]) else "'…'", problem)


class _Reading:
    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._scalars = yaml.constructor.SafeConstructor()
        self._above: list[int] = []
        self._count = 0

    def value(self, node: yaml.Node, path: Path) -> object:
        self._count += 1
        if self._count > MOST_VALUES or id(node) in self._above:
            if self._count <= MOST_VALUES + 1:
                self._refuse(path, "an alias that holds itself, or too many values")
            return None
        self._above.append(id(node))
        try:
            return self._read(node, path)
        finally:
            self._above.pop()

    def _read(self, node: yaml.Node, path: Path) -> object:
        if isinstance(node, yaml.MappingNode) and node.tag == _MAPPING:
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _SEQUENCE:
            return [self._item(item, (*path, position)) for position, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.tag in _READ:
            value: object = self._scalars.construct_object(node)
            return value
        if isinstance(node, yaml.ScalarNode) and node.tag in _TEXT:
            return self._text(node, path)
        self._refuse(path, "YAML tags are not read here; write the plain value")
        return None

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        values: dict[str, object] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._faults.at(path, "a key must be a plain word", key.start_mark.line + 1)
                continue
            place = (*path, key.value)
            if key.value in values:
                first = f"this key stands twice; the first is in line {self._faults.lines[place]}"
                self._faults.at(place, first, key.start_mark.line + 1)
                continue
            self._faults.lines[place] = key.start_mark.line + 1
            values[key.value] = self.value(value, place)
        return values

    def _item(self, node: yaml.Node, path: Path) -> object:
        self._faults.lines[path] = node.start_mark.line + 1
        return self.value(node, path)

    def _text(self, node: yaml.ScalarNode, path: Path) -> str | None:
        text: str = node.value
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            self._refuse(path, "half of a surrogate pair is no text")
            return None
        return text

    def _refuse(self, path: Path, text: str) -> None:
        """Nothing more is to be said of a value that is not there."""
        self._faults.at(path, text)
        self._faults.mute(path)
