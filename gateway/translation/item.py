"""One item of a webhook, read leniently: what is missing, or of another kind than is asked for, is None.

Nothing that only decorates an event may cost it, so whoever reads here can't fail over a field. Only `email`, which
nothing can stand in for, raises.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from gateway.errors import PayloadError
from gateway.translation import moment, person

_FLAGS = {True: True, False: False, "true": True, "false": False, "1": True, "0": False}
_LARGEST = 10**40


@dataclass(frozen=True)
class Item:
    """A JSON object. Where it is read by `paths`, the first that tells something counts; ``bounce.feedbackId`` is a
    path into an object within the object.
    """

    payload: Mapping[str, Any]

    def value(self, path: str) -> Any:
        """What stands there, of whatever kind."""
        found: Any = self.payload
        for name in path.split("."):
            if not isinstance(found, Mapping):
                return None
            found = found.get(name)
        return found

    def text(self, *paths: str) -> str | None:
        """Trimmed text; a number becomes one."""
        return next((text for path in paths if (text := _text(self.value(path)))), None)

    def id(self, *paths: str) -> str | None:
        """As `text`, but for 0, with which providers say that there is none."""
        return next((text for path in paths if (text := _text(self.value(path))) and text.strip("0-")), None)

    def first(self, *paths: str, but: str | None = None) -> str | None:
        """The first text of an array, or a bare text; one that is `but` is passed over."""
        found = (value for path in paths for value in _listed(self.value(path)))
        return next((text for value in found if (text := _text(value)) and text != but), None)

    def flag(self, path: str) -> bool | None:
        """True or false, as such, as text or as a digit; None for whatever else."""
        return as_flag(self.value(path))

    def time(self, *paths: str, zone: tzinfo | None = None) -> datetime | None:
        """A time in any form; one without offset lies in `zone`, and is none where that is None."""
        return next((at for path in paths if (at := _time(self.value(path), zone)) is not None), None)

    def email(self, *paths: str) -> str:
        """Whose it is. Raises PayloadError where no path has an address."""
        address = person.first_email(*map(self.value, paths))
        if address is None:
            raise PayloadError(f"no e-mail address in {' or '.join(f'`{path}`' for path in paths)}")
        return address

    def parts(self, path: str) -> Iterator["Item"]:
        """The objects of an array."""
        return (Item(value) for value in _listed(self.value(path)) if isinstance(value, Mapping))


def as_flag(value: object) -> bool | None:
    """True or false, however it is written."""
    word = value.strip().lower() if isinstance(value, str) else value
    return _FLAGS.get(word) if isinstance(word, str | int) else None


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not -_LARGEST < value < _LARGEST:
        return None
    return str(int(value)) if value == int(value) else format(value, "f")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _time(value: Any, zone: tzinfo | None) -> datetime | None:
    try:
        at = moment.read(value, zone)
    except PayloadError:
        return None
    return at if moment.is_plausible(at) else None
