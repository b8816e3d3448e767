"""What providers can send and nobody expects: each stored as the gateway stores it, for those who show what is kept."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.events import EventType, decode_data, encode_data
from gateway.intake.accept import translated_items
from gateway.intake.route import Route
from gateway.ledger.database import Ledger
from gateway.ledger.facts.memory import reader
from gateway.translation.webhook import Headers, VerifiedWebhook, Webhook
from tests.making import NOON, add_attempt, fact, record, submission, told

HALF = "\ud800"
"""Half of a character, which JSON can name and no text can hold."""

DEEP = 940
"""Levels that can still be read as JSON, and hardly be walked through."""


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + ("1" if opening != "[" else "") + closing * depth


SENDGRID: Mapping[str, object] = {
    "email": "ana@example.com",
    "timestamp": 1793275200,
    "event": "open",
    "sg_event_id": "1",
    "sg_message_id": "m",
}
"""A source event that is understood, beside whatever else stands in it."""


def beside(odd: str) -> bytes:
    """A batch whose event has `odd` as a field that nobody knows."""
    return f'[{json.dumps(SENDGRID)[:-1]}, "odd": {odd}}}]'.encode("utf-8", "surrogatepass")


def instead(field: str, odd: str) -> bytes:
    """A batch whose event has `odd` in the place of a field that is read."""
    parts = [f"{json.dumps(name)}: {odd if name == field else json.dumps(value)}" for name, value in SENDGRID.items()]
    return f"[{{{', '.join(parts)}}}]".encode("utf-8", "surrogatepass")


def odd_values(depth: int) -> dict[str, str]:
    return {
        "arrays very deep": nested(depth),
        "objects very deep": nested(depth, '{"a":', "}"),
        "half a character": r'"\ud800"',
        "halves in the wrong order": r'"\udc00\ud800"',
        "half a name": r'{"\ud800": {"\udfff": "\ud800"}}',
        "half a character in bytes": '"\ud800"',
        "NUL": r'"a\u0000b"',
        "a name of NUL": r'{"\u0000": "\u0000"}',
        "NUL in bytes": '"a\0b"',
        "what steers terminals": r'"\u001b[2J\u202e\u2028\u0085"',
        "a number without an end": "1e999",
        "no number": "NaN",
        "many digits": "9" * 4000,
        "more digits than Python reads": "9" * 5000,
        "a small fraction": "1e-400",
    }


ODD_VALUES: Mapping[str, str] = odd_values(DEEP)

BODIES: Mapping[str, bytes] = {
    **{f"{name}, unknown": beside(odd) for name, odd in ODD_VALUES.items()},
    **{f"{name}, as {field}": instead(field, odd) for name, odd in ODD_VALUES.items() for field in ("email", "event")},
    "many digits, as timestamp": instead("timestamp", ODD_VALUES["many digits"]),
    "very deep": nested(DEEP).encode(),
    "deeper than can be read": nested(100_000).encode(),
    "objects deeper than can be read": nested(100_000, '{"a":', "}").encode(),
    "nothing": b"",
    "only NUL": bytes(20),
    "only half a character": rb'"\ud800"',
    "no text": bytes(range(256)),
    "a mark of UTF-16": json.dumps([SENDGRID]).encode("utf-16"),
    "a mark of UTF-8": b"\xef\xbb\xbf" + json.dumps([SENDGRID]).encode(),
}

HEADERS: Mapping[str, str] = {"content-type": "text/\xff; charset=nonsense", "x-odd": "\x1b[2J \xa0\xff\x85"}
URLS = ("https://[::1/webhooks/sendgrid?a=%00&b=%ed%a0%80&%ff=\xff", "https://hooks.example.com/%00/%ed%a0%80?a=%00")


@dataclass(frozen=True)
class Stored:
    webhooks: Mapping[str, str]
    events: Mapping[str, str]


def store(ledger: Ledger, routes: Mapping[str, Route]) -> Stored:
    """Each of them as it stands in the ledger once it was accepted; ids by names."""
    route = routes["sendgrid"]
    webhooks: dict[str, str] = {}
    events: dict[str, str] = {}
    for number, (name, body) in enumerate(BODIES.items()):
        headers = HEADERS if number % 2 else {"content-type": "application/x-www-form-urlencoded"}
        url = URLS[number % len(URLS)]
        verified = VerifiedWebhook(Webhook("sendgrid", url, Headers(headers), body, NOON), secret=None, signed_at=None)
        items = translated_items(route, verified, reader(ledger, "main"))
        given: dict[str, Any] = {
            "source": "sendgrid",
            "adapter": "sendgrid",
            "headers": headers,
            "url": url,
            "body": body,
        }
        [recorded] = record(ledger, submission(*items, **given))
        webhooks[name] = recorded.webhook
        events |= {f"{name} {place}": event for place, event in enumerate(recorded.events)}
    return Stored(webhooks, {**events, **dict(_events(ledger))})


def _events(ledger: Ledger) -> Iterator[tuple[str, str]]:
    """Events whose data is odd, with requests and answers as odd."""
    for name, odd in odd_values(300).items():
        try:
            value = decode_data(f'{{"newValue": {odd}}}')["newValue"]
            encode_data({"newValue": value})
        except ValueError:
            value = odd
        told_of = fact(EventType.FIELD_UPDATED, {"newValue": value}, f"field:{name}")
        [recorded] = record(ledger, submission(told(told_of), body=odd.encode("utf-8", "surrogatepass")))
        [event] = recorded.events
        written = odd.replace("\0", "").encode("utf-8", "replace").decode()
        add_attempt(ledger, event, NOON, sent=written, body=written, error=written[:200])
        yield f"event: {name}", event
