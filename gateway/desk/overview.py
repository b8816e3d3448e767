"""The desk's first page: is anything wrong, what needs a person first, how much comes and goes."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from flask import Blueprint, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from gateway.desk.access import Role, allowed
from gateway.desk.parts import now, parts
from gateway.formats.wording import counted, distance
from gateway.ledger import words
from gateway.ledger.status import Outcome, Reason, Status
from gateway.ledger.views import counters
from gateway.ledger.views.counters import Measure, Series, Span
from gateway.ledger.views.overview import DestinationState, Overview, SourceState, overview

URGENCY = (
    "incident",
    "paused",
    "copy",
    "erasure",
    "undecided",
    "currencies",
    Status.FAILED,
    Outcome.QUARANTINED.value,
    "rejected",
    Status.HELD,
    "not made",
    "resting",
    "unknown path",
)
"""The words of what needs a person, the worst first."""

RATE_OVER = 5
"""Minutes over which a source's rate is told."""

MOST_REQUESTS = 5
"""Demands for copies that are shown one by one."""

pages = Blueprint("overview", __name__)


@dataclass(frozen=True)
class Need:
    """What a person has to look at: where it is seen, and what else is to be said. `tone` is a badge's."""

    tone: str
    word: str
    text: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    command: str = ""
    """What is typed at a terminal, where nothing on a page puts it right."""
    resumed: bool = False
    """Whether its page has a button that resumes it."""
    replayed: str = ""
    """What the page of replays calls what can be replayed here; empty where nothing can."""


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
    plans = {name: one.requests_per_minute for name, one in config.destinations.items()}
    with parts().ledger.read() as connection:
        found = overview(connection, now(), plans, config.sources, config.mixing)
        received = counters.series(connection, Measure.RECEIVED, Span.HOUR, now())
    return render_template(
        "desk/overview/page.html",
        found=found,
        needs=sorted(_needs(found, tuple(config.sources)), key=lambda need: URGENCY.index(need.word)),
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
        received, rejected, settled = (counters.series(connection, measure, span, now()) for measure in Measure)
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


def _needs(found: Overview, sources: Sequence[str]) -> Iterator[Need]:
    """What needs a person."""
    for incident in found.incidents:
        yield Need("bad", "incident", incident.text, f"/events/{incident.events[0]}", why=incident.destination)
    if found.incident_count > len(found.incidents):
        more = found.incident_count - len(found.incidents)
        text = counted(
            more, "more fact that Lumail was told as it is not", "more facts that Lumail was told as they are not"
        )
        yield Need("bad", "incident", text, "/events", {"incident": "yes"}, "All events of all such facts.")
    yield from _of_law(found)
    for destination in found.destinations:
        yield from _of_destination(destination)
    if found.undecided:
        text = counted(found.undecided, "held event may have reached Lumail", "held events may have reached Lumail")
        query = {"status": Status.HELD, "error": words.REASONS[Reason.ANSWER_LOST]}
        yield Need("bad", "undecided", text, "/events", query, "A person has to look at Lumail and decide.")
    for one in found.mixed:
        why = "Lumail adds them up in one number. Its page has a button for that, the configuration other_currencies."
        yield Need("bad", "currencies", one.text, f"/destinations/{one.destination}", why=why)
    if found.heard_only:
        text = counted(found.heard_only, "payment told only by objects that make none")
        why = "See payments_from on the provider's page: another object may have to be ticked there."
        yield Need("warn", "not made", text, "/adapters", why=why)
    for source in found.sources:
        yield from _of_source(source, sources)
    for unknown in found.unknown_paths:
        text = f"{counted(unknown.count, 'request')} to {unknown.path}, which is no source"
        nearest = _nearest(unknown.path, sources)
        why = f"Was {nearest} meant? Compare the URL that the provider has." if nearest else ""
        yield Need("warn", "unknown path", text, f"/sources/{nearest}", why=why)


def _of_law(found: Overview) -> Iterator[Need]:
    """What people may demand."""
    for one in found.requests[:MOST_REQUESTS]:
        text = f"{one.reference or one.id}: somebody wants a copy of what is held on them"
        why = f"Asked by {one.source}, {distance(one.made_at, found.at)}." if one.source else ""
        yield Need("bad", "copy", text, "", why=why, command=f"lumail-gateway export {one.id} --out copy.json")
    if len(found.requests) > MOST_REQUESTS:
        text = counted(len(found.requests) - MOST_REQUESTS, "more person wants a copy", "more people want a copy")
        yield Need("bad", "copy", text, "", why="They are listed by:", command="lumail-gateway status")
    if found.late_erasures:
        text = counted(found.late_erasures, "erasure has not ended for an hour", "erasures have not ended for an hour")
        why = "Workers go on with it, once what is on its way to Lumail has ended. See whether they run:"
        yield Need("bad", "erasure", text, "", why=why, command="lumail-gateway check")


def _of_destination(one: DestinationState) -> Iterator[Need]:
    here = {"destination": one.name}
    page = f"/destinations/{one.name}"
    configured = one.requests_per_minute is not None
    if one.halt is not None:
        until = "until somebody resumes it" if one.halt.until is None else "for now"
        yield Need("bad", "paused", f"{one.name} sends nothing {until}", page, why=one.halt.reason, resumed=configured)
    for name in one.resting:
        yield Need("warn", "resting", f"{one.name}: {name} rests until somebody resumes it", page, resumed=configured)
    if one.failed:
        text = f"{counted(one.failed, 'event')} to {one.name} failed"
        query = {"status": Status.FAILED, **here}
        yield Need(
            "bad",
            Status.FAILED,
            text,
            "/events",
            query,
            "Given up; each says why.",
            replayed="events" if configured else "",
        )
    if one.held:
        text = f"{counted(one.held, 'event')} to {one.name} held"
        yield Need(
            "warn", Status.HELD, text, "/events", {"status": Status.HELD, **here}, "Each says what it waits for."
        )


def _of_source(one: SourceState, sources: Sequence[str]) -> Iterator[Need]:
    if one.quarantined:
        text = f"{counted(one.quarantined, 'webhook')} of {one.name} not understood"
        query = {"status": Outcome.QUARANTINED.value, "source": one.name}
        why = "Kept; translated again once the adapter knows it."
        yield Need(
            "bad",
            Outcome.QUARANTINED.value,
            text,
            "/received",
            query,
            why,
            replayed="webhooks" if one.name in sources else "",
        )
    if one.rejected:
        text = f"{counted(one.rejected, 'request')} to {one.name} rejected in the last 24 hours"
        yield Need("bad", "rejected", text, f"/sources/{one.name}", why="Mostly a wrong or replaced secret.")


def _nearest(path: str, sources: Sequence[str]) -> str:
    """The source that may have been meant; empty where none is like it."""
    name = path.rstrip("/").rpartition("/")[2]
    found = difflib.get_close_matches(name, sources, n=1)
    return found[0] if found else ""
