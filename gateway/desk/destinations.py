"""One destination: whether it takes events, and letting it, a lane or a source of it rest and go on."""

from collections.abc import Callable

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gateway.desk.access import Role, allowed, signed_in
from gateway.desk.parts import now, parts
from gateway.errors import CommandError
from gateway.events import Lane
from gateway.formats.wording import counted
from gateway.ledger.facts import currencies
from gateway.ledger.scheduling import pauses
from gateway.ledger.scheduling.pauses import Scope
from gateway.ledger.views import overview, search
from gateway.replay import resting

pages = Blueprint("destinations", __name__)


@pages.app_context_processor
def _for_templates() -> dict[str, object]:
    return {"rests": rests}


def rests(destination: str, source: str) -> bool:
    """Whether somebody has paused a source."""
    with parts().ledger.read() as connection:
        return source in pauses.paused_names(connection, destination, "source")


@pages.get("/destinations/<name>")
@allowed(Role.VIEWER)
def show(name: str) -> ResponseReturnValue:
    config = parts().config
    with parts().ledger.read() as connection:
        known = {row["name"]: row for row in search.destinations(connection)}
        if name not in known:
            abort(404)
        plans = {name: config.plans[name]} if name in config.plans else {}
        states = overview.destinations_now(connection, now(), plans)
        mixed = currencies.undecided(connection, config.mixing)
        open_ = pauses.open_pauses(connection, name, now())
        resting_names = {scope: pauses.paused_names(connection, name, scope) for scope in ("lane", "source")}
    return render_template(
        "desk/destinations/destination.html",
        name=name,
        row=known[name],
        state=next((one for one in states if one.name == name), None),
        pauses=open_,
        lanes=[(lane.word, lane.word in resting_names["lane"]) for lane in Lane],
        sources=[
            (one.name, one.name in resting_names["source"])
            for one in config.sources.values()
            if one.destination == name
        ],
        configured=config.destinations.get(name),
        mixed=next((one for one in mixed if one.destination == name), None),
    )


@pages.post("/destinations/<name>/pause")
@allowed(Role.OPERATOR)
def pause(name: str) -> ResponseReturnValue:
    why = request.form.get("why", "").strip()[:200] or None
    return _tell(name, lambda scope: resting.pause(parts().ledger, scope, signed_in().name, why), "is paused")


@pages.post("/destinations/<name>/resume")
@allowed(Role.OPERATOR)
def resume(name: str) -> ResponseReturnValue:
    def go_on(scope: Scope) -> str:
        done = resting.resume(parts().ledger, scope, signed_in().name)
        parts().wakeups.notify(name)
        first = counted(done.looked_up, "event is", "events are")
        return f" {first} looked up at Lumail first." if done.looked_up else ""

    return _tell(name, go_on, "goes on")


@pages.post("/destinations/<name>/accept")
@allowed(Role.OPERATOR)
def accept(name: str) -> ResponseReturnValue:
    destination = parts().config.destinations.get(name)
    if destination is None:
        abort(404)
    found = resting.fingerprint_of(destination)
    done = resting.accept(parts().ledger, name, found, signed_in().name)
    parts().wakeups.notify(name)
    flash(f"{name} is {found.base_url}, with the token and the organization that it has now.", "done")
    for reason in done.ended:
        flash(f"This pause ended: {reason}", "done")
    return redirect(url_for("destinations.show", name=name), 303)


@pages.post("/destinations/<name>/mix")
@allowed(Role.OPERATOR)
def mix(name: str) -> ResponseReturnValue:
    def mixed(_: Scope) -> None:
        resting.mix(parts().ledger, name, signed_in().name)

    return _tell(name, mixed, "takes money in several currencies, and Lumail adds it up in one number")


def _sources_of(name: str) -> list[str]:
    return [source.name for source in parts().config.sources.values() if source.destination == name]


def _tell(name: str, do: Callable[[Scope], str | None], words: str) -> ResponseReturnValue:
    """Do it to what the form names, and say so where it was pressed."""
    scope = _scope(name)
    try:
        more = do(scope)
        flash(f"{resting.described(scope)} {words}.{more or ''}", "done")
    except CommandError as error:
        flash(str(error), "fault")
    if request.form.get("from") == "source" and scope.kind == "source":
        return redirect(url_for("sources.show", name=scope.name), 303)
    return redirect(url_for("destinations.show", name=name), 303)


def _scope(name: str) -> Scope:
    """What the form names: a lane or a source of the destination, or all of it. 404 for what there is not."""
    config = parts().config
    lane, source = request.form.get("lane"), request.form.get("source")
    if name not in config.destinations:
        abort(404)
    if lane:
        return Scope("lane", name, lane) if lane in {one.word for one in Lane} else abort(404)
    if source:
        return Scope("source", name, source) if source in config.sources else abort(404)
    return Scope("destination", name, name)
