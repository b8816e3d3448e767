"""The desk's first page: is anything wrong, what needs a person first, how much comes and goes."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from flask import Blueprint, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from gateway.attention import Code, Need, Severity, Watched, attention, gathered
from gateway.desk.access import Role, allowed
from gateway.desk.parts import now, parts
from gateway.ledger.facts.dismissals import Kind
from gateway.ledger.status import Outcome, Status
from gateway.ledger.views import counters
from gateway.ledger.views.counters import Measure, Series, Span
from gateway.ledger.views.overview import SourceState, overview

_CHARTED = (Measure.RECEIVED, Measure.REJECTED, Measure.SETTLED)

RATE_OVER = 5
"""Minutes over which a source's rate is told."""

TONES: Mapping[Severity, str] = {Severity.URGENT: "bad", Severity.WARNING: "warn", Severity.NOTICE: "mute"}
"""The badge of each severity."""

REPLAYED: Mapping[Code, str] = {Code.FAILED: "events", Code.QUARANTINED: "webhooks"}
"""What the page of replays calls what can be replayed."""

DISMISSED: Mapping[Code, Kind] = {Code.UNKNOWN_PATH: Kind.PATH, Code.INCIDENT: Kind.INCIDENT}
"""What can be set aside from the overview; a webhook is on its own page."""

RESUMED = frozenset({Code.DESTINATION_PAUSED, Code.DESTINATION_REFUSES, Code.LEDGER_COPIED, Code.PART_PAUSED})
"""Kinds whose page has a button that resumes it."""

pages = Blueprint("overview", __name__)


@dataclass(frozen=True)
class Line:
    """What needs a person as a page shows it: `path` and `query` lead to where it is seen, `replayed` is empty where
    nothing can be, and `resumed` says whether its page has a button for that.
    """

    need: Need
    tone: str
    path: str
    query: Mapping[str, str]
    replayed: str
    resumed: bool
    dismissed: str
    """The kind under which it can be set aside, empty where it can't be."""


@dataclass(frozen=True)
class SourceRow:
    """A source as the overview shows it; `per_minute` over the last minutes, `shares` in percent, the largest first."""

    state: SourceState
    total: int
    per_minute: float
    shares: tuple[tuple[str, float], ...]


@pages.get("/")
@allowed(Role.VIEWER)
def page() -> ResponseReturnValue:
    config = parts().config
    facts = gathered(parts().ledger, Watched(config, parts().weak_secrets), parts().trouble())
    with parts().ledger.read() as connection:
        found = facts.overview or overview(connection, now(), config.plans, config.sources)
        received = counters.series(connection, Measure.RECEIVED, Span.HOUR, now())
    return render_template(
        "desk/overview/page.html",
        found=found,
        needs=[_line(one) for one in attention(facts)],
        sources=[_row(one, received) for one in found.sources],
        enabled=config.sources,
        spans=list(Span),
        span=_span(),
    )


@pages.get("/charts")
@allowed(Role.VIEWER)
def charts() -> ResponseReturnValue:
    """The numbers of the overview's charts: by chart, the lines with their names."""
    span = _span()
    with parts().ledger.read() as connection:
        received, rejected, settled = (counters.series(connection, measure, span, now()) for measure in _CHARTED)
    delivered = [(name, settled.of(name, Status.DELIVERED)) for name in settled.counts]
    lines = {
        "in": [("webhooks", received.total()), ("rejected", rejected.total())],
        "out": delivered or [(Status.DELIVERED, settled.total(Status.DELIVERED))],
        "failures": [
            (Status.FAILED, settled.total(Status.FAILED)),
            (Status.HELD, settled.total(Status.HELD)),
            (Outcome.QUARANTINED.value, received.total(Outcome.QUARANTINED.value)),
        ],
    }
    starts, step = int(received.starts.timestamp()), int(received.step.total_seconds())
    return jsonify(starts=starts, step=step, steps=received.steps, charts=lines)


def _span() -> Span:
    asked = request.args.get("span")
    return next((span for span in Span if span.word == asked), Span.HOUR)


def _row(state: SourceState, received: Series) -> SourceRow:
    outcomes = {**state.outcomes, **({"rejected": state.rejected} if state.rejected else {})}
    total = sum(outcomes.values())
    shares = sorted(((word, 100 * count / total) for word, count in outcomes.items()), key=lambda share: -share[1])
    newest = received.of(state.name)[-RATE_OVER - 1 : -1]
    return SourceRow(state, total, sum(newest) / RATE_OVER, tuple(shares))


def _line(need: Need) -> Line:
    path, _, query = need.page.partition("?")
    config = parts().config
    known = {"events": config.destinations, "webhooks": config.sources}
    replayed = REPLAYED.get(need.code, "")
    resumed = need.code in RESUMED and path.removeprefix("/destinations/") in config.destinations
    offered = replayed if replayed and need.subject in known[replayed] else ""
    return Line(
        need, TONES[need.severity], path, dict(parse_qsl(query)), offered, resumed, DISMISSED.get(need.code, "")
    )
