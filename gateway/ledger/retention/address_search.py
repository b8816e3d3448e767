"""Whether bytes or texts speak of a person: the address itself, in any of the ways in which webhooks write it."""

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

ERASED_TEXT = "(erased)"
"""What stands in the place of an address within a text."""

_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_SHORTEST_ID = 6
"""Shorter ids, and words, stand in too many bodies by chance."""


class Mentions:
    """Finds `addresses` (addresses) and `ids` (whole words) in what was kept as it came.

    An address counts where it stands alone: `ana@example.com` is not in `joana@example.com`. It is also found in forms
    (`ana%40example.com`), behind JSON's escapes, and as bounces are addressed (`ana=example.com@`).
    """

    def __init__(self, addresses: Iterable[str], ids: Iterable[str] = ()) -> None:
        wanted = sorted({person for person in addresses if person})
        escaped = [re.escape(person).replace("@", "[@=]") for person in wanted]
        pattern = rf"(?:(?<![\w.+\-])|(?<=\\[nrtbf]))(?:{'|'.join(escaped)})(?!\.?[\w\-])"
        self._addresses = re.compile(pattern, re.IGNORECASE) if wanted else None
        self._ids = frozenset(one for one in ids if len(one) >= _SHORTEST_ID and any(map(str.isdigit, one)))

    def are_in(self, body: bytes) -> bool:
        return any(self.are_in_text(text) for text in _readings(body))

    def are_in_text(self, text: str) -> bool:
        if self._addresses is not None and self._addresses.search(text):
            return True
        return bool(self._ids) and not self._ids.isdisjoint(re.findall(r"[\w\-]+", text))

    def are_in_value(self, value: object) -> bool:
        """Whether a value of JSON's kinds is or holds one of the addresses."""
        if isinstance(value, dict):
            return any(self.are_in_value(one) for one in value.values())
        if isinstance(value, list):
            return any(self.are_in_value(one) for one in value)
        return isinstance(value, str) and self._addresses is not None and bool(self._addresses.fullmatch(value.strip()))

    def without(self, text: str) -> str:
        """The text with the addresses blotted out; JSON stays JSON."""
        return text if self._addresses is None else self._addresses.sub(ERASED_TEXT, text)


def _readings(body: bytes) -> Iterable[str]:
    """The body as it is, and as a form and as JSON mean it where that may be another text."""
    plain = body.decode("utf-8", "replace")
    yield plain
    if "%" in plain:
        yield unquote_to_bytes(body.replace(b"+", b" ")).decode("utf-8", "replace")
        yield unquote_to_bytes(body).decode("utf-8", "replace")
    if "\\u" in plain:
        yield _ESCAPED.sub(lambda found: chr(int(found[1], 16)), plain)
