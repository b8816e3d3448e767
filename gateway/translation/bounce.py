"""Whether a bounce is for good: the provider's label, and the mail server's code, which knows better.

Codes: https://www.iana.org/assignments/smtp-enhanced-status-codes
"""

import re

HARD = "hard"
SOFT = "soft"
UNDETERMINED = "undetermined"

# Only what decides: a code that is not here (5.0.0, 5.1.0, a bare 550) says nothing that the label does not say.
_BY_CODE = {
    "5.1.1": HARD,  # no such mailbox
    "5.1.2": HARD,  # no such host
    "5.1.3": HARD,  # not an address
    "5.1.6": HARD,  # moved, no forwarding address
    "5.1.10": HARD,  # the domain takes no mail (null MX)
    "5.2.1": HARD,  # mailbox disabled
    "5.2.2": SOFT,  # mailbox full
    "5.2.3": SOFT,  # message too long for this mailbox
    "5.3.1": SOFT,  # mail system full
    "5.3.4": SOFT,  # message too big for the system
    "552": SOFT,  # storage exceeded
}
_TEMPORARY = "4"
_DIAGNOSTIC_TYPE = re.compile(r"\s*(?:smtp|x-[a-z0-9-]{1,30})\s*;\s*", re.IGNORECASE)
_ENHANCED = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)", re.ASCII)
_BASIC = re.compile(r"\s*\(?(4\d\d|552)\b", re.ASCII)


def judge(label: str, *texts: str | None) -> str:
    """HARD, SOFT or UNDETERMINED: a code that decides, found in one of `texts` (status field, the server's words),
    else `label`. Enhanced codes count before basic ones; a basic one only where it begins the text.
    """
    told = [text[:2000] for text in texts if text]
    codes = [code for text in told for code in _ENHANCED.findall(text)]
    codes += [found[1] for text in told if (found := _BASIC.match(text))]
    for code in codes:
        if code.startswith(_TEMPORARY):
            return SOFT
        if code in _BY_CODE:
            return _BY_CODE[code]
    return label


def diagnostic(field: str | None) -> str | None:
    """The server's words in a Diagnostic-Code field (RFC 3464, section 2.3.6): ``smtp; 550 5.1.1 user unknown``."""
    return _DIAGNOSTIC_TYPE.sub("", field, count=1) if field and _DIAGNOSTIC_TYPE.match(field) else field


def reason(words: str | None, status: str | None = None) -> str:
    """The mail server's own words, with the status code in front where they do not hold it."""
    parts = [part for part in (status, words) if part]
    return parts[1] if len(parts) == 2 and parts[0] in parts[1] else " ".join(parts)
