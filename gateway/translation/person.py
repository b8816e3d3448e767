"""Whom an event is about: e-mail addresses as Lumail takes them."""

import re

_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+")
_LONGEST = 254  # RFC 5321


def email(value: object) -> str | None:
    """A trimmed lower-case address without display name; None for what is no address.

    >>> email(' "Lopez, Ana" <Ana@Example.com> ')
    'ana@example.com'
    """
    if not isinstance(value, str) or len(value) > 1000:
        return None
    text = value.strip()
    if text.endswith(">"):
        text = text[text.rfind("<") + 1 : -1].strip()
    address = text.lower()
    return address if len(address) <= _LONGEST and _ADDRESS.fullmatch(address) else None


def first_email(*values: object) -> str | None:
    """The first of several candidates that is an address; each may be None, empty or nonsense."""
    return next((address for value in values if (address := email(value))), None)
