"""What people and tests see and steer: the sandbox's page, its faults, settings, log and all recorded events."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Blueprint, Response, jsonify, render_template, request

from gateway.errors import ConfigError
from gateway.lumail.sandbox.faults import read_fault
from gateway.lumail.sandbox.state import this_sandbox
from gateway.lumail.sandbox.store import Record

control = Blueprint("control", __name__)

_EVENTS_SHOWN = 30
_PEOPLE_SHOWN = 20
_CONTENT_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@dataclass(frozen=True)
class _Row:
    """An event as the page shows it."""

    time: str
    type: str
    subscriber: str
    data: tuple[tuple[str, str], ...]
    id: str


@control.errorhandler(ConfigError)
def refuse(error: ConfigError) -> tuple[Response, int]:
    return jsonify(message=str(error)), 400


@control.get("/")
def page() -> Response:
    """What arrived, renewed by the browser every few seconds."""
    sandbox = this_sandbox()
    events, people = sandbox.store.counts()
    response = Response(
        render_template(
            "sandbox.html",
            events=[_row(record) for record in sandbox.store.newest_events(_EVENTS_SHOWN)],
            subscribers=sandbox.store.subscribers(_PEOPLE_SHOWN),
            event_count=events,
            people_count=people,
            requests=sorted(sandbox.store.request_counts().items(), key=str),
            faults=sandbox.faults.shown(),
            settings=sandbox.settings.shown(),
        )
    )
    response.headers["Content-Security-Policy"] = _CONTENT_POLICY
    response.headers["Cache-Control"] = "no-store"
    return response


@control.get("/events")
def events() -> Response:
    return jsonify(this_sandbox().events(*_range()))


@control.get("/requests")
def requests() -> Response:
    return jsonify(this_sandbox().requests(*_range()))


@control.get("/faults")
def faults() -> Response:
    return jsonify(this_sandbox().faults.shown())


@control.post("/faults")
def add_faults() -> Response:
    """One rule or a list of them; none is put in force if one is wrong."""
    document = request.get_json()
    sandbox = this_sandbox()
    for fault in [read_fault(each) for each in (document if isinstance(document, list) else [document])]:
        sandbox.faults.add(fault)
    return jsonify(sandbox.faults.shown())


@control.delete("/faults")
def clear_faults() -> Response:
    this_sandbox().faults.clear()
    return jsonify([])


@control.get("/settings")
def settings() -> Response:
    return jsonify(this_sandbox().settings.shown())


@control.post("/settings")
def change_settings() -> Response:
    this_sandbox().change(**request.get_json())
    return jsonify(this_sandbox().settings.shown())


@control.post("/reset")
def reset() -> Response:
    this_sandbox().reset()
    return jsonify(success=True)


def _range() -> tuple[int, int]:
    """`after` (a `seq`) and `limit` (-1: all)."""
    return request.args.get("after", 0, type=int), request.args.get("limit", -1, type=int)


def _row(record: Record) -> _Row:
    moment = datetime.fromtimestamp(record.recorded_at, UTC)
    return _Row(
        time=moment.strftime("%Y-%m-%d %H:%M:%S"),
        type=record.type,
        subscriber=record.person.email,
        data=tuple(
            (name, value if isinstance(value, str) else json.dumps(value)) for name, value in record.received.items()
        ),
        id=record.id,
    )
