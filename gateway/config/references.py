"""What `${VAR}` and `${file:/run/secrets/x}` stand for; `$${` is a plain `${`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as File

from gateway.config.faults import Faults, Path

_REFERENCE = re.compile(r"(?P<escaped>\$\$\{)|\$\{(?P<inner>[^{}]*)\}|\$\{")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_SECRET = 64 * 1024


@dataclass(frozen=True)
class Unset:
    """A reference to nothing. `why` says what is missing, by name."""

    reference: str
    why: str


def has_reference(text: str) -> bool:
    return any(not match["escaped"] for match in _REFERENCE.finditer(text))


def stored_name(reference: str) -> str:
    """The name under which the sandbox keeps a value: a variable's own, or one made of the file's path."""
    return re.sub(r"\W+", "_", reference, flags=re.ASCII).upper() if reference.startswith("file:") else reference


@dataclass
class References:
    """Where references are looked up: the environment, files (relative to `folder`), what the sandbox has generated.

    `unset` collects the references to nothing, by the place of the text that holds them.
    """

    environ: Mapping[str, str]
    folder: File
    generated: Mapping[str, str]
    unset: dict[Path, list[Unset]] = field(default_factory=dict)

    def expand(self, value: object, path: Path, faults: Faults) -> object:
        """The value with all references of its texts replaced; those to nothing are left out and noted."""
        if isinstance(value, dict):
            return {key: self.expand(inner, (*path, key), faults) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.expand(inner, (*path, position), faults) for position, inner in enumerate(value)]
        return self._text(value, path, faults) if isinstance(value, str) else value

    def _text(self, text: str, path: Path, faults: Faults) -> str:
        def replace(match: re.Match[str]) -> str:
            if match["escaped"]:
                return "${"
            reference = match["inner"] or ""
            if not reference.startswith("file:") and not _VARIABLE.fullmatch(reference):
                faults.at(path, "a reference is ${NAME} or ${file:/path}; a plain ${ is written $${")
                faults.mute(path)
                return ""
            found = self._look_up(reference)
            if isinstance(found, Unset):
                self.unset.setdefault(path, []).append(found)
                return ""
            faults.hide(path, found)
            return found

        return _REFERENCE.sub(replace, text)

    def _look_up(self, reference: str) -> str | Unset:
        found = self._file(reference) if reference.startswith("file:") else self._variable(reference)
        if isinstance(found, Unset):
            return self.generated.get(stored_name(reference), found)
        return found

    def _variable(self, name: str) -> str | Unset:
        value = self.environ.get(name)
        if value is None:
            return Unset(name, f"environment variable {name} is not set")
        if not value:
            return Unset(name, f"environment variable {name} is empty")
        try:
            value.encode()
        except UnicodeEncodeError:
            return Unset(name, f"environment variable {name} is not UTF-8 text")
        return value

    def _file(self, reference: str) -> str | Unset:
        name = reference.removeprefix("file:")
        try:
            with (self.folder / name).open("rb") as file:
                content = file.read(_LONGEST_SECRET + 1)
            text = content.decode().rstrip("\r\n")
        except OSError as error:
            return Unset(reference, f"file {ascii(name)[1:-1]} can't be read: {error.strerror}")
        except ValueError:
            return Unset(reference, f"file {ascii(name)[1:-1]} is not UTF-8 text, or this is no path")
        if not text or len(content) > _LONGEST_SECRET:
            return Unset(reference, f"file {ascii(name)[1:-1]} is empty, or longer than any secret")
        return text
