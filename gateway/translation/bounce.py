"""Whether a bounce is for good, and how far the message came: the provider's word, and what the mail server said.

The server knows better than the label. What it says is read where mail servers say it: the reply code at the start of
a line (RFC 5321), the enhanced code at the start of a line, behind the three digits or in a status field (RFC 2034,
RFC 3463). Codes: https://www.iana.org/assignments/smtp-enhanced-status-codes
"""

import re
from dataclasses import dataclass

HARD = "hard"
SOFT = "soft"
UNDETERMINED = "undetermined"

SENT = "sent"
BLOCKED = "blocked"
REJECTED = "rejected"

# Only what decides: a code that is not here (5.0.0, 5.1.0, a bare 550) says nothing that the label does not say.
_BY_CODE = {
    "5.1.1": HARD,  # no such mailbox
    "5.1.2": HARD,  # no such host
    "5.1.3": HARD,  # not an address
    "5.1.6": HARD,  # moved, no forwarding address
    "5.1.10": HARD,  # the domain takes no mail (null MX)
    "5.2.1": HARD,  # mailbox disabled
    "5.7.17": HARD,  # the mailbox has a new owner (RFC 7293)
    "5.7.18": HARD,  # the domain has a new owner
    "5.2.2": SOFT,  # mailbox full
    "5.2.3": SOFT,  # message too long for this mailbox
    "5.3.1": SOFT,  # mail system full
    "5.3.4": SOFT,  # message too big for the system
    "5.4.7": SOFT,  # tried until the time for it was over
}
_TEMPORARY = "4"
_STORAGE_EXCEEDED = "552"  # a bare one weighs less than words: some servers say it of whatever they refuse
_FOR_THE_SENDER = ("5.1.7", "5.1.8", "5.6.", "5.7.")  # his address or its domain, the content, policy
_FOR_GOOD = re.compile(r"5\.[^0]")  # 5.0.0 says nothing of what is wrong
_DIAGNOSTIC_TYPE = re.compile(r"\s*(?:smtp|x-[a-z0-9-]{1,30})\s*;\s*", re.IGNORECASE)
_ENHANCED = re.compile(
    r"(?:^\s{0,9}(?:status[:=]\s?)?|\b(?P<reply>[245])\d\d[ -][ (\[#]{0,3}|\(#(?=[\d.]{5,9}\)))"  # (#5.1.1) is qmail's
    r"(?P<code>[245]\.[0-7]\.\d{1,3})(?![\d.])",
    re.ASCII | re.MULTILINE | re.IGNORECASE,
)
_REPLY = re.compile(r"^\s{0,9}\(?([245][0-5]\d)(?=[ \-)]|$)", re.ASCII | re.MULTILINE)
_ADDRESS = re.compile(r"\S{1,300}@\S{1,300}")

_ABOUT_THE_SENDER = re.compile(
    r"sender(?:'s)? (?:address|domain|verif\w+|not|is not|denied|rejected|refused|blocked|unknown|does|ip)"
    r"|(?:verify|unknown|invalid|bad|forged|banned) sender"
    r"|(?:mail from|from address|return.?path|reverse.?path|envelope.?from)\b"
    r".{0,40}\b(?:unknown|invalid|rejected|refused|denied|not|n[o']t|no such|verif\w+|bad)"
    r"|(?:callback|callout)\b.{0,40}\b(?:verif\w+|fail\w+)"
)
_NOBODY = re.compile(
    r"(?:user|recipient|mailbox|address|account|addressee)(?: \w+)? (?:is |was |could )?"
    r"(?:unknown|not (?:be )?(?:found|exist))"
    r"|unknown (?:user|recipient|mailbox|address|account|addressee|local)"
    r"|no such (?:user|recipient|mailbox|address|account|addressee|person|local|mail drop)"
    r"|(?:user|recipient|mailbox|address|account)\b.{0,60}\b(?:does ?n[o']t|no longer) exists?"
    r"|(?:user|recipient) does ?n[o']t have an? .{0,40}account"
    r"|invalid (?:user|recipient|mailbox)|not a (?:valid|known) (?:user|recipient|mailbox)"
    r"|no (?:user|recipient|mailbox|account)s? (?:here |found )?(?:by|with|under) (?:that|this) (?:name|address)"
    r"|no (?:user|recipient|mailbox|account) (?:was )?found|bad destination mailbox"
    r"|(?:user|recipient) (?:no longer|not) (?:here|on server|known)"
)
_POLICY = re.compile(
    r"block(?:ed)? ?(?:using|by|for|due|because|at|list)|black ?list|denylist|deny ?list|dnsbl|\brbl\b|spamhaus|spamcop"
    r"|(?:ip|client|host|network|connection|mail|message|email|e-mail|domain|sender|content)\b.{0,60}\bblocked"
    r"|dmarc|\bspf\b|\bdkim\b|unauthenticated|not authenticated|\bspam|unsolicited|\bjunk|bulk mail|reputation"
    r"|\bpolicy|policies|phish|virus|malware|content (?:reject|filter|den)|banned"
    r"|relay(?:ing)? (?:access |is )?(?:not )?(?:denied|permitted|allowed|prohibited)"
    r"|(?:unable|not permitted|not allowed) to relay|administrative(?:ly)? prohibit"
    r"|reverse dns|\brdns\b|\bptr\b|\bhelo\b|\behlo\b|rate.?limit|too many (?:message|connection|recip)"
)
_FULL = re.compile(
    r"mailbox (?:is )?full|over ?quota|quota exceeded|exceeded .{0,20}quota|out of storage|inbox is full"
)


@dataclass(frozen=True)
class Verdict:
    """`kind` is HARD, SOFT or UNDETERMINED; `stage` is SENT, BLOCKED or REJECTED."""

    kind: str
    stage: str = SENT


def judge(label: Verdict, *texts: str | None) -> Verdict:
    """What a bounce is, given the provider's word for it and what the server said: status fields and its own words.

    What the provider did not even try is judged by its word and by codes alone: the words then are the provider's.
    """
    told = [diagnostic(text[:2000]) or "" for text in texts if text]
    codes = [found["code"] for text in told for found in _ENHANCED.finditer(text) if _agree(found)]
    replies = [found[1] for text in told for found in _REPLY.finditer(text)]
    full = _STORAGE_EXCEEDED in replies
    by_code = next((kind for code in (*codes, *replies) if (kind := _kind_of(code))), None)
    if label.stage == REJECTED:
        return Verdict(by_code or (SOFT if full else label.kind), REJECTED)
    words = " ".join(_ADDRESS.sub(" ", text) for text in told).lower()
    for_the_sender = any(code.startswith(_FOR_THE_SENDER) for code in codes) or bool(_POLICY.search(words))
    if by_code is None and _ABOUT_THE_SENDER.search(words):
        for_the_sender = True
    elif by_code is None and _NOBODY.search(words):
        by_code = HARD
    if by_code == HARD:
        return Verdict(HARD, SENT)
    if for_the_sender:
        return Verdict(SOFT, BLOCKED)
    if by_code is None and (full or _FULL.search(words)):
        by_code = SOFT
    if by_code is None and (label.kind, label.stage) == (SOFT, SENT) and any(map(_FOR_GOOD.match, codes)):
        return Verdict(UNDETERMINED)  # label and server contradict each other
    return Verdict(by_code or label.kind, label.stage)


def _agree(found: re.Match[str]) -> bool:
    """Whether reply and enhanced code are of one class; where they are not, one of them is no code."""
    return found["reply"] is None or found["reply"] == found["code"][0]


def _kind_of(code: str) -> str | None:
    return SOFT if code.startswith(_TEMPORARY) else _BY_CODE.get(code)


def diagnostic(field: str | None) -> str | None:
    """The server's words in a Diagnostic-Code field (RFC 3464, section 2.3.6): ``smtp; 550 5.1.1 user unknown``."""
    return _DIAGNOSTIC_TYPE.sub("", field, count=1) if field and _DIAGNOSTIC_TYPE.match(field) else field


def reason(words: str | None, status: str | None = None) -> str:
    """The mail server's own words, with the status code in front where they do not hold it."""
    parts = [part for part in (status, words) if part]
    return parts[1] if len(parts) == 2 and parts[0] in parts[1] else " ".join(parts)
