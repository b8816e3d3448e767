"""What every request to the sandbox's API passes: token, rate limit and faults before it, headers and log after it."""

import hashlib
import math
import time
from dataclasses import replace
from email.utils import formatdate
from typing import NoReturn
from urllib.parse import urlsplit

from flask import Response, g, jsonify, make_response, request
from werkzeug.exceptions import HTTPException

from gateway.lumail.answer import text_or_none
from gateway.lumail.sandbox.faults import KINDS, Fault
from gateway.lumail.sandbox.limits import RESETS, Place
from gateway.lumail.sandbox.settings import SandboxSettings
from gateway.lumail.sandbox.state import this_sandbox
from gateway.lumail.sandbox.store import RequestRow

WIRE = "lumail_sandbox.wire"
"""In the WSGI environment: what the server does to the connection in the place of writing the answer."""

_TOO_MANY = {"message": "Too many requests", "docs": "https://lumail.io/docs/api-reference/api-limits"}


class _RefusedError(HTTPException):
    """An answer other than 200, with Lumail's form of a message."""

    def __init__(self, status: int, message: str) -> None:
        response = jsonify(message=message)
        response.status_code = status
        super().__init__(response=response)


def refuse(status: int, message: str) -> NoReturn:
    """Answer with this status and Lumail's form of a message."""
    raise _RefusedError(status, message)


def admit() -> Response | None:
    """Token, rate limit and faults, before a request has any effect."""
    sandbox = this_sandbox()
    g.arrived, g.organization, g.place, g.fault, g.event_id = time.time(), None, None, None, None
    g.organization = _organization(request.headers.get("Authorization", ""), sandbox.settings)
    limit = sandbox.settings.requests_per_minute
    if limit is not None:
        place = g.place = sandbox.limits.take(g.organization, g.arrived, limit, sandbox.settings.window)
        if not place.free:
            return _too_many(place.retry_at - g.arrived)
    call = (request.endpoint or "").rpartition(".")[2]
    g.fault = sandbox.faults.strike(call, *_subject(call))
    if g.fault is not None and not g.fault.has_effect:
        return _reply(g.fault)
    return None


def conclude(response: Response) -> Response:
    """The answer as a fault wants it, the headers of every answer, and the line in the log."""
    sandbox = this_sandbox()
    settings, fault = sandbox.settings, g.fault
    if fault is not None and fault.has_effect and KINDS[fault.kind].reply is not None:
        response = _reply(fault)
    response.headers["Date"] = formatdate(time.time() + settings.clock_offset, usegmt=True)
    if g.place is not None:
        _show_limit(response, g.place, settings)
    wire = KINDS[fault.kind].wire if fault is not None else None
    if wire is not None:
        request.environ[WIRE] = lambda connection, answer: wire(connection, answer, fault)
    sandbox.store.log(
        RequestRow(
            time=g.arrived,
            organization=g.organization,
            method=request.method,
            path=request.full_path.removeprefix("/api/v1").rstrip("?"),
            status=None if wire is not None else response.status_code,
            fault=fault.kind if fault is not None else None,
            event_id=g.event_id,
        )
    )
    delay = settings.latency_ms + (fault.latency_ms if fault is not None and fault.kind == "slow" else 0)
    if delay:
        time.sleep(delay / 1000)
    return response


def _organization(authorization: str, settings: SandboxSettings) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token or (settings.api_tokens and token not in settings.api_tokens):
        refuse(401, "Unauthorized")
    return f"org_{hashlib.sha256(token.encode()).hexdigest()[:12]}"


def _subject(call: str) -> tuple[str | None, str | None]:
    """Event type and subscriber of a request, as far as it names them."""
    if call in ("track_event", "upsert_subscriber"):
        document = request.get_json(silent=True)
        document = document if isinstance(document, dict) else {}
        return text_or_none(document.get("eventType")), text_or_none(document.get("subscriber", document.get("email")))
    return None, (request.view_args or {}).get("subscriber")


def _show_limit(response: Response, place: Place, settings: SandboxSettings) -> None:
    response.headers["X-RateLimit-Limit"] = str(settings.requests_per_minute)
    response.headers["X-RateLimit-Remaining"] = str(max(0, place.remaining))
    reset = RESETS[settings.reset](
        replace(place, reset=place.reset + settings.clock_offset), g.arrived + settings.clock_offset
    )
    if reset is not None:
        response.headers["X-RateLimit-Reset"] = str(math.ceil(reset))


def _too_many(seconds: float) -> Response:
    response = make_response(jsonify(_TOO_MANY), 429)
    response.headers["Retry-After"] = str(max(1, math.ceil(seconds)))
    return response


def _reply(fault: Fault) -> Response:
    """The answer that a fault's kind gives; where it has none the connection decides, or the true answer."""
    reply = KINDS[fault.kind].reply
    if reply is None:
        return make_response("", 500)
    response = make_response(reply.body, reply.status or fault.status)
    response.content_type = reply.content_type
    if response.status_code == 302:
        parts = urlsplit(request.url)
        response.headers["Location"] = f"{parts.scheme}://{parts.netloc}/elsewhere"
    if response.status_code == 429:
        response.headers["Retry-After"] = f"{fault.retry_after:g}"
    return response
