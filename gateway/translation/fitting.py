"""The last step of every translation: texts that Lumail takes and people can read, and what is known of the time."""

import re
from collections.abc import Mapping
from dataclasses import replace
from email.errors import MessageError
from email.header import decode_header, make_header
from typing import Any

from gateway.events import MONEY_TYPES, LumailEvent

LONGEST: Mapping[str, int] = {
    "reason": 1000,
    "subject": 1000,
    "targetUrl": 4000,
    "emailId": 500,
    "campaignId": 500,
    "campaignName": 500,
    "linkId": 500,
}
"""Characters of each text of an e-mail's event; what is longer is cut."""

CUT = " […]"
"""Ends a text that was cut."""

_UNPRINTED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_LANGUAGE = re.compile(r"(=\?[^?*\s]{1,40})\*[^?\s]{0,40}(?=\?)")  # RFC 2231, section 5


def fitted(event: LumailEvent, *, undated: bool) -> LumailEvent:
    """`event` as it may enter the ledger; `undated` says that its time is that of arrival."""
    if event.type in MONEY_TYPES:
        return event
    data = {name: _fitted(name, value) for name, value in event.data.items()}
    if undated:
        data["timeIsArrival"] = True
    return replace(event, data=data, undated=undated) if undated or data != event.data else event


def _fitted(name: str, value: Any) -> Any:
    longest = LONGEST.get(name)
    if longest is None or not isinstance(value, str):
        return value
    text = decoded(value) if name == "subject" else value
    return text if len(text) <= longest else text[: longest - len(CUT)] + CUT


def decoded(subject: str) -> str:
    """A subject with its encoded words (RFC 2047) in plain text; as it is, where they can't be decoded."""
    if "=?" not in subject:
        return subject
    try:
        text = str(make_header(decode_header(_LANGUAGE.sub(r"\1", subject[:10_000]))))
        return _UNPRINTED.sub("\ufffd", text) or subject
    except (MessageError, LookupError, ValueError):
        return subject
