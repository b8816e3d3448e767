"""Texts that stand where a secret belongs, in documents and examples: everybody knows them."""

import re

_PREFIX = re.compile(r"^(?:[a-z]{1,8}[_-]){1,3}(?=.)", re.IGNORECASE)
_BARE_PREFIX = re.compile(r"(?:[a-z0-9]{1,12}[_-]){1,3}", re.IGNORECASE)
_FILLED_IN = re.compile(
    r"(?:(?:change|replace|fill|insert|put|enter|paste|add|set|update|edit)(?:this|me|it|in|here|your)?.{0,24})"
    r"|(?:(?:your|my|the|some|a|an)(?:own|real|actual|super)?"
    r"(?:webhook|signing|api|shared|stripe|client|app|access|lumail|provider)*"
    r"(?:secret|token|key|password|user|value|here)+(?:here|goeshere)?)"
    r"|(?:(?:webhook|signing|api|shared|client|app|access)*(?:secret|token|key|password|passwd)+(?:here|value)?[0-9]{0,3})"
    r"|(?:dummy|placeholder|example|sample|todo|tbd|fixme|none|null|undefined|empty|unset|test(?:ing)?|default|admin"
    r"|letmein|qwerty|foo|bar|foobar|abc|abcdef|1234|12345|123456|1234567|12345678|123456789|1234567890)[0-9]{0,3}"
)


def is_placeholder(text: str) -> bool:
    """Whether a text is one that nobody made up as a secret: `whsec_…`, `<secret>`, `changeme`, a bare `whsec_`."""
    stripped = text.strip()
    if "…" in stripped or "..." in stripped or re.fullmatch(r"[<\[{(].*[>\]})]", stripped):
        return True
    if _BARE_PREFIX.fullmatch(stripped):
        return True
    user, colon, password = stripped.partition(":")
    if colon and "/" not in user:
        return is_placeholder(password) if password else True
    return any(_is_filled_in(one) for one in (stripped, _PREFIX.sub("", stripped)))


def _is_filled_in(text: str) -> bool:
    plain = re.sub(r"[\W_]", "", text).lower()
    return not plain or (len(set(plain)) == 1 and len(plain) > 1) or _FILLED_IN.fullmatch(plain) is not None
