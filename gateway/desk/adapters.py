"""The pages of adapters: what each translates and leaves out, what providers say since lately, and a bench to try."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from gateway.desk.access import Role, allowed
from gateway.desk.parts import parts
from gateway.ledger.views.payload_drift import Drift, Seen, drifts, everything
from gateway.translation.adapter import Adapter, covers
from gateway.translation.registry import beside, samples
from gateway.translation.rehearsal import tried_out, usual_options
from gateway.translation.sample import Sample

MOST_PATHS = 6
"""Paths of a payload that are named of a drift."""

pages = Blueprint("adapters", __name__)


@dataclass(frozen=True)
class Bench:
    """What stands in the fields of the workbench."""

    body: str = ""
    headers: str = ""
    source: str = ""
    case: str = ""


@dataclass(frozen=True)
class SeenType:
    """How often a source event type came; `count` 0 where it never did."""

    type: str
    count: int
    newest: Seen | None


@pages.get("/adapters")
@allowed(Role.VIEWER)
def page() -> ResponseReturnValue:
    with parts().ledger.read() as connection:
        drifted = _drifted(connection)
    counts = Counter(one.seen.adapter for one in drifted)
    used = {name: _sources_of(name) for name in parts().adapters}
    known = sorted(parts().adapters.values(), key=lambda one: (not used[one.name], one.title.lower()))
    return render_template("desk/adapters/list.html", adapters=known, used=used, drifts=counts)


@pages.get("/adapters/<name>")
@allowed(Role.VIEWER)
def show(name: str) -> ResponseReturnValue:
    adapter = _adapter(name)
    case = _cases(adapter).get(request.args.get("case", ""))
    return _page(adapter, Bench() if case is None else _bench(case), None)


@pages.post("/adapters/<name>")
@allowed(Role.VIEWER)
def try_out(name: str) -> ResponseReturnValue:
    """What the adapter makes of a payload; nothing of it is kept or sent."""
    adapter = _adapter(name)
    bench = Bench(
        body=request.form.get("body", "").replace("\r\n", "\n"),
        headers=request.form.get("headers", ""),
        source=request.form.get("source", ""),
        case=request.form.get("case", ""),
    )
    tried = tried_out(adapter, _headers(bench.headers), bench.body.encode(), _options(adapter, bench.source))
    return _page(adapter, bench, tried)


def _page(adapter: Adapter, bench: Bench, tried: Sequence[Any] | None) -> str:
    with parts().ledger.read() as connection:
        seen = [one for one in everything(connection) if one.adapter == adapter.name]
        drifted = [one for one in _drifted(connection) if one.seen.adapter == adapter.name]
    return render_template(
        "desk/adapters/one.html",
        adapter=adapter,
        seen_types=[_told(event_type, seen) for event_type in adapter.handlers],
        drifts=drifted,
        most_paths=MOST_PATHS,
        sources=_sources_of(adapter.name),
        cases=_cases(adapter),
        bench=bench,
        tried=tried,
    )


def _adapter(name: str) -> Adapter:
    found = parts().adapters.get(name)
    if found is None:
        abort(404)
    return found


def _sources_of(name: str) -> list[str]:
    return [source.name for source in parts().config.sources.values() if source.adapter == name]


def _cases(adapter: Adapter) -> Mapping[str, Sample]:
    return samples(adapter.name, beside(parts().config.file))


def _bench(case: Sample) -> Bench:
    headers = "\n".join(f"{name}: {value}" for name, value in case.headers.items())
    return Bench(case.body.decode(errors="replace"), headers, case=case.case)


def _headers(text: str) -> dict[str, str]:
    """Lines of `Name: value`; others are passed over."""
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip()}


def _options(adapter: Adapter, source: str) -> Mapping[str, Any]:
    """Those of a source that uses the adapter, else what holds where a source says nothing."""
    route = parts().routes.get(source)
    if route is not None and route.adapter.name == adapter.name:
        return route.source.options
    return usual_options(adapter, _cases(adapter))


def _told(event_type: str, seen: Sequence[Seen]) -> SeenType:
    own = [one for one in seen if one.shape and covers(event_type, one.type)]
    newest = max(own, key=lambda one: one.last_at, default=None)
    return SeenType(event_type, sum(one.count for one in own), newest)


def _drifted(connection: Connection) -> list[Drift]:
    """What is said since lately, without types that today's adapters know."""
    return [one for one in drifts(everything(connection)) if not _is_known(one)]


def _is_known(one: Drift) -> bool:
    adapter = parts().adapters.get(one.seen.adapter)
    if adapter is None:
        return True
    names = (*adapter.handlers, *adapter.ignored)
    return one.kind == "type" and any(covers(name, one.seen.type) for name in names)
