"""The ways in which the sandbox fails on purpose, and the rules that say when."""

import random
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from gateway.errors import ConfigError

CALLS = ("track_event", "subscriber_events", "subscriber", "upsert_subscriber")


@dataclass
class Fault:
    """A rule. It hits requests to `call` (or "any"), of this event type and subscriber where they are given, with
    this probability, `count` times (None: always).

    `recorded` says whether the request has its effect before it fails; the kind decides where it is None.
    `seconds` and `interval_ms` are for hang and drip, `latency_ms` for slow, `status` for other_2xx,
    `retry_after` (seconds) for 429.
    """

    kind: str
    call: str = "track_event"
    type: str | None = None
    subscriber: str | None = None
    probability: float = 1.0
    count: int | None = None
    recorded: bool | None = None
    seconds: float = 60.0
    interval_ms: float = 50.0
    latency_ms: float = 1000.0
    status: int = 202
    retry_after: float = 1.0
    id: int = 0
    hits: int = 0

    @property
    def has_effect(self) -> bool:
        return KINDS[self.kind].recorded if self.recorded is None else self.recorded


@dataclass(frozen=True)
class Reply:
    """An answer in the place of the true one; `status` None takes the rule's."""

    status: int | None
    body: str
    content_type: str = "application/json"


Wire = Callable[[socket.socket, bytes, Fault], None]
"""Does something to the connection in the place of writing the answer; the connection is closed after it."""


@dataclass(frozen=True)
class Kind:
    """`recorded`: whether the request has its effect; `free`: whether a rule may say otherwise."""

    recorded: bool
    reply: Reply | None = None
    wire: Wire | None = None
    free: bool = False


def _drop(connection: socket.socket, answer: bytes, fault: Fault) -> None:
    """Reset the connection: what a crashed server or a cut network looks like."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _cut(connection: socket.socket, answer: bytes, fault: Fault) -> None:
    """Half of the answer, then the end."""
    connection.sendall(answer[: len(answer) - 20])


def _hang(connection: socket.socket, answer: bytes, fault: Fault) -> None:
    """No answer until the time is over or the client has gone."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    poll.poll(fault.seconds * 1000)


def _drip(connection: socket.socket, answer: bytes, fault: Fault) -> None:
    """One byte of the answer at a time; what comes after its end is more of the same body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length:")]
    ends = time.monotonic() + fault.seconds
    text = b"\r\n".join([*lines, b"Content-Length: 1000000000"]) + b"\r\n\r\n" + body
    for byte in (text[place : place + 1] or b" " for place in count()):
        if time.monotonic() >= ends:
            return
        connection.sendall(byte)
        time.sleep(fault.interval_ms / 1000)


def _message(status: int, text: str) -> Reply:
    return Reply(status, f'{{"message": "{text}"}}')


KINDS: Mapping[str, Kind] = {
    "drop_before": Kind(recorded=False, wire=_drop),
    "drop_after": Kind(recorded=True, wire=_drop),
    "cut_200": Kind(recorded=True, wire=_cut),
    "hang": Kind(recorded=False, wire=_hang, free=True),
    "drip": Kind(recorded=True, wire=_drip, free=True),
    "slow": Kind(recorded=True),
    "error_500_before": Kind(recorded=False, reply=_message(500, "The event could not be created")),
    "error_500_after": Kind(recorded=True, reply=_message(500, "The event could not be created")),
    "error_502": Kind(False, Reply(502, "<html><h1>502 Bad Gateway</h1></html>", "text/html"), free=True),
    "garbage_200": Kind(True, Reply(200, "<html>Welcome</html>", "text/html"), free=True),
    "empty_200": Kind(True, Reply(200, ""), free=True),
    "other_2xx": Kind(True, Reply(None, '{"success": true}'), free=True),
    "redirect": Kind(False, Reply(302, ""), free=True),
    "400": Kind(recorded=False, reply=_message(400, "Invalid data")),
    "401": Kind(recorded=False, reply=_message(401, "Unauthorized")),
    "402": Kind(recorded=False, reply=_message(402, "Limit reached")),
    "403": Kind(recorded=False, reply=_message(403, "Forbidden")),
    "404": Kind(recorded=False, reply=_message(404, "Not found")),
    "408": Kind(False, _message(408, "Request timeout"), free=True),
    "409": Kind(recorded=False, reply=_message(409, "Conflict")),
    "410": Kind(recorded=False, reply=_message(410, "Gone")),
    "elsewhere_404": Kind(False, Reply(404, "<html><h1>404 Not Found</h1></html>", "text/html")),
    "429": Kind(
        False, Reply(429, '{"message":"Too many requests","docs":"https://lumail.io/docs/api-reference/api-limits"}')
    ),
}


class _FaultSchema(Schema):
    kind = fields.String(required=True, validate=validate.OneOf(list(KINDS)))
    call = fields.String(validate=validate.OneOf([*CALLS, "any"]))
    type = fields.String(allow_none=True)
    subscriber = fields.String(allow_none=True)
    probability = fields.Float(validate=validate.Range(min=0, max=1))
    count = fields.Integer(allow_none=True, strict=True, validate=validate.Range(min=1))
    recorded = fields.Boolean(allow_none=True)
    seconds = fields.Float(validate=validate.Range(min=0))
    interval_ms = fields.Float(validate=validate.Range(min=0))
    latency_ms = fields.Float(validate=validate.Range(min=0))
    status = fields.Integer(strict=True, validate=validate.Range(min=201, max=299))
    retry_after = fields.Float(validate=validate.Range(min=0))


_SCHEMA = _FaultSchema()


def read_fault(document: object) -> Fault:
    """A rule as it is posted; raises ConfigError that says what is allowed."""
    if not isinstance(document, dict):
        raise ConfigError("a fault is an object")
    try:
        fault = Fault(**_SCHEMA.load(document))
    except ValidationError as error:
        raise ConfigError(f"fault: {error.messages}") from error
    if fault.recorded is not None and not KINDS[fault.kind].free:
        free = ", ".join(name for name, kind in KINDS.items() if kind.free)
        raise ConfigError(f"fault: `recorded` can be chosen for {free} only")
    return fault


class Faults:
    """The rules in force, the first that fits a request hits it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Fault] = []
        self._ids = count(1)

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            fault.id = next(self._ids)
            self._rules.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def shown(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(fault) for fault in self._rules]

    def strike(self, call: str, event_type: str | None, subscriber: str | None) -> Fault | None:
        """The rule that hits this request, counted; a rule that is used up is no longer in force."""
        if not self._rules:
            return None
        with self._lock:
            for fault in self._rules:
                if fault.count == fault.hits or not _fits(fault, call, event_type, subscriber):
                    continue
                fault.hits += 1
                return fault
        return None


def _fits(fault: Fault, call: str, event_type: str | None, subscriber: str | None) -> bool:
    return (
        fault.call in (call, "any")
        and fault.type in (None, event_type)
        and (fault.subscriber is None or fault.subscriber.lower() == (subscriber or "").strip().lower())
        and (fault.probability >= 1 or random.random() < fault.probability)  # noqa: S311  # chance, not secrecy
    )
