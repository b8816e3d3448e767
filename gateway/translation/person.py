"""Whom an event is about: e-mail addresses as mail has them, in the one form in which Lumail is told of them.

The forms are those of RFC 5321 and RFC 5322, and what programs on the way make of them. docs/mail.md has a table of
examples.
"""

import re
import unicodedata

_LONGEST = 254  # RFC 5321
_LONGEST_TEXT = 1000  # with a display name, a route and comments around it

_UNSEEN = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_PREFIX = re.compile(r"(?:rfc ?822|utf-8|mailto|smtp)\s*[;:]\s*")  # RFC 3464, RFC 6533
_ROUTE = re.compile(r"@[^\s:@<>]+(?:,@[^\s:@<>]+)*:")
_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)', re.DOTALL)
_DOTS = re.compile("[\u3002\uff0e\uff61]")  # that IDNA (RFC 3490) takes for a dot

_ATOM = r"[^\s@<>,;:\"()\[\]\\\x00-\x1f\x7f\ufffd\ud800-\udfff]"
_QUOTED = re.compile(r'"((?:[^"\\\x00-\x1f\x7f\ufffd]|\\[^\x00-\x1f\x7f])+)"')
_ATOMS_AND_DOTS = re.compile(f"{_ATOM}+")
_WORD = rf"(?:{_ATOM}+|{_QUOTED.pattern})"
_LOCAL = re.compile(rf"{_WORD}(?:\.{_WORD})*")
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*|\[(?:\d{{1,3}}(?:\.\d{{1,3}}){{3}}|ipv6:[0-9a-f:.]+)\]")


def email(value: object) -> str | None:
    """The address in a text, in lower case; None for what is no address, or is several.

    Without display name, comments, route and prefix, and without quotes where nothing needs them. Domains stay as
    they are told, in letters or as ``xn--``: so stands the address in the list that was written to.

    >>> email(' "Lopez, Ana" <Ana@Example.com> ')
    'ana@example.com'
    """
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        return None
    text = unicodedata.normalize("NFC", _without_comments(_UNSEEN.sub("", value)).lower()).strip()
    if text.endswith(">"):
        text = text[text.rfind("<") + 1 : -1].strip()
    if text[:1] in ("'", '"') and text.endswith(text[:1]):
        text = text[1:-1]
    prefix = _PREFIX.match(text)
    text = text[prefix.end() :] if prefix else text
    route = _ROUTE.match(text)
    local, at, domain = text[route.end() if route else 0 :].rpartition("@")
    domain = _DOTS.sub(".", domain).removesuffix(".")
    if not at or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        return None
    address = f"{_without_quotes(local)}@{domain}"
    return address if len(address) <= _LONGEST else None


def first_email(*values: object) -> str | None:
    """The first of several candidates that is an address; each may be None, empty or nonsense."""
    return next((address for value in values if (address := email(value))), None)


def _without_comments(text: str) -> str:
    """What stands in brackets is left out, innermost first, but not within quotes."""
    while "(" in text:
        shorter = _COMMENT.sub(lambda found: found[0] if found[0].startswith('"') else "", text)
        if shorter == text:
            break
        text = shorter
    return text


def _without_quotes(local: str) -> str:
    """Each word by itself, as old programs quote them: ``"ana".lopez``."""
    return _QUOTED.sub(_plain, local)


def _plain(quoted: re.Match[str]) -> str:
    inner = re.sub(r"\\(.)", r"\1", quoted[1])
    return inner if _ATOMS_AND_DOTS.fullmatch(inner) else quoted[0]
