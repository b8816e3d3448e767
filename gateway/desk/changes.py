"""What somebody does about one event or one webhook, and whether it helped, told where it was pressed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gateway.desk.access import Role, allowed, signed_in
from gateway.desk.display import pretty, whole
from gateway.desk.parts import now, parts
from gateway.errors import CommandError
from gateway.events import Lane, decode_data, encode_json
from gateway.formats.wording import counted, span
from gateway.ledger import words
from gateway.ledger.facts import incidents
from gateway.ledger.jobs import jobs
from gateway.ledger.jobs.jobs import Item, Job
from gateway.ledger.status import ON_THEIR_WAY, Status
from gateway.ledger.views import search
from gateway.replay import pace
from gateway.replay.deciding import CANCELLABLE, Decision, cancel_event, decide
from gateway.replay.editing import EDITABLE, Edit, EditError, edit_event, edits_of
from gateway.replay.sending import CountedTwiceError, Outlook, preview_event, replay_event
from gateway.replay.translating import Foreseen, Verdict, preview_webhook, replay_webhook

pages = Blueprint("changes", __name__)

MOST_SHOWN = 200
"""Source events that the preview of a webhook shows one by one."""


@dataclass(frozen=True)
class Actions:
    """What can be done about an event. `watched`: somebody has just done something, and wants to know what follows."""

    outlook: Outlook
    can_edit: bool
    can_cancel: bool
    decisions: tuple[str, ...]
    candidates: tuple[str, ...]
    edits: tuple[search.Row, ...]
    replays: tuple[tuple[Job, Item], ...]
    incident: str | None
    watched: bool
    moves: bool


_DECISIONS = {
    Status.HELD: ("recorded", "send", "drop"),
    Status.DELIVERED: ("recorded", "drop"),
    Status.WAITING: ("drop",),
}
"""What a person can say about an event that is held, or whose fact Lumail heard twice."""


@pages.app_context_processor
def _for_templates() -> dict[str, Any]:
    return {"actions_of": actions_of}


def actions_of(event: search.Row, *, watched: bool | None = None) -> Actions:
    """What can be done about an event (its row)."""
    identity, status = event["id"], event["status"]
    with parts().ledger.read() as connection:
        outlook = preview_event(connection, identity)
        incident = incidents.of_group(connection, event["group"])
        kept = tuple(edits_of(connection, identity))
        touched = tuple(jobs.of_subject(connection, identity)[:3])
    open_ = status == Status.HELD or incident is not None
    decisions = _DECISIONS.get(status, ()) if open_ else ()
    return Actions(
        outlook=outlook,
        can_edit=status in EDITABLE,
        can_cancel=status in CANCELLABLE,
        decisions=tuple(word for word in decisions if word != "send" or event["subscriber"] is not None),
        candidates=tuple(event["candidates"] or ()),
        edits=kept,
        replays=touched,
        incident=incident,
        watched=request.args.get("did") is not None if watched is None else watched,
        moves=status in (Status.WAITING, *ON_THEIR_WAY),
    )


@pages.get("/events/<identity>/actions")
@allowed(Role.VIEWER)
def actions(identity: str) -> ResponseReturnValue:
    """The part of an event's page that says what can be done, and whether what was done has helped."""
    return _part(identity)


@pages.post("/events/<identity>/replay")
@allowed(Role.OPERATOR)
def replay(identity: str) -> ResponseReturnValue:
    force = request.form.get("force") is not None
    return _done(identity, lambda who: _sent(replay_event(parts().ledger, identity, who, force=force).destination))


@pages.post("/events/<identity>/cancel")
@allowed(Role.OPERATOR)
def cancel(identity: str) -> ResponseReturnValue:
    def do(who: str) -> str:
        cancel_event(parts().ledger, identity, who)
        return "It is cancelled: it is not sent, and its fact is not told again."

    return _done(identity, do)


_DECIDED = {
    "recorded": "Lumail has it: it is delivered.",
    "send": "It is sent now.",
    "drop": "It is dropped for good.",
}


@pages.post("/events/<identity>/decide")
@allowed(Role.OPERATOR)
def decide_event(identity: str) -> ResponseReturnValue:
    word = request.form.get("word", "")
    if word not in _DECIDED:
        abort(400)

    def do(who: str) -> str:
        record = request.form.get("record", "").strip() or None
        if word == "recorded" and record is None:
            raise CommandError("say which of Lumail's records it is")
        done = decide(parts().ledger, identity, Decision(word, record if word == "recorded" else None), who)
        _notify(identity)
        return _DECIDED[word] + (" The incident is closed." if done.incident else "")

    return _done(identity, do)


@pages.get("/events/<identity>/edit")
@allowed(Role.OPERATOR)
def edit(identity: str) -> ResponseReturnValue:
    event = _event(identity)
    data = _editable(_plain(event["data"]))
    return _editing(event, {"subscriber": event["subscriber"] or "", "data": data}, {})


def _editable(data: Mapping[str, Any]) -> str:
    """As people read it, unless something would be lost that way."""
    shown: str = whole(pretty(data))
    return shown if json.loads(shown) == data else encode_json(data)


@pages.post("/events/<identity>/edit")
@allowed(Role.OPERATOR)
def take_edit(identity: str) -> ResponseReturnValue:
    event = _event(identity)
    written = {name: request.form.get(name, "") for name in ("subscriber", "data")}
    data = _object(written["data"])
    if isinstance(data, str):
        return _editing(event, written, {"data": data})
    try:
        force = request.form.get("force") is not None
        done = edit_event(parts().ledger, identity, Edit(written["subscriber"], data), signed_in().name, force=force)
    except EditError as error:
        return _editing(event, written, error.faults)
    except CountedTwiceError as error:
        return _editing(event, written, {}, twice=str(error))
    parts().wakeups.notify(event["destination"])
    flash(f"It is sent as it was edited; it was {done.was}. The original is kept below.", "done")
    return redirect(url_for("events.show", identity=identity, did="edit"), 303)


@pages.get("/received/<identity>/again")
@allowed(Role.OPERATOR)
def again(identity: str) -> ResponseReturnValue:
    """What translating a webhook once more would do."""
    foreseen = preview_webhook(parts().ledger, parts().routes, identity)
    with parts().ledger.read() as connection:
        webhook = search.webhook(connection, identity)
        if webhook is None:
            abort(404)
        new: dict[Lane, int] = {}
        for one in foreseen:
            if one.verdict is Verdict.NEW and one.lane is not None:
                new[Lane(one.lane)] = new.get(Lane(one.lane), 0) + 1
        plan = parts().config.plans.get(webhook["destination"], 1)
        through_at = pace.through_at(connection, webhook["destination"], plan, now(), new, paced=False)
    return render_template(
        "desk/changes/again.html",
        webhook=webhook,
        foreseen=foreseen[:MOST_SHOWN],
        left_out=max(0, len(foreseen) - MOST_SHOWN),
        counts=_counts(foreseen),
        takes=None if through_at is None else span(through_at - now()),
        new=sum(new.values()),
    )


@pages.post("/received/<identity>/replay")
@allowed(Role.OPERATOR)
def translate_again(identity: str) -> ResponseReturnValue:
    done = replay_webhook(parts().ledger, parts().routes, identity, signed_in().name)
    one = done.recorded
    told = {
        "merged with what was known": one.merged,
        "taught": one.taught,
        "ignored": one.ignored,
        "still not understood": one.quarantined,
    }
    words = [counted(len(one.events), "new event"), *(f"{number} {word}" for word, number in told.items() if number)]
    flash(f"Translated again: {', '.join(words)}.", "fault" if one.quarantined else "done")
    with parts().ledger.read() as connection:
        webhook = search.webhook(connection, identity)
    if webhook is not None and one.events:
        parts().wakeups.notify(webhook["destination"])
    return redirect(url_for("webhooks.show", identity=identity), 303)


def _sent(destination: str) -> str:
    parts().wakeups.notify(destination)
    return "It waits again, as the same event, and is due now."


def _notify(identity: str) -> None:
    parts().wakeups.notify(_event(identity)["destination"])


def _done(identity: str, do: Callable[[str], str]) -> ResponseReturnValue:
    """Do it, and tell what came of it: in the part of the page where it was pressed, or on the page."""
    _event(identity)
    try:
        text, kind = do(signed_in().name), "done"
    except CommandError as error:
        text, kind = str(error), "fault"
    if "HX-Request" in request.headers:
        return _part(identity, watched=kind == "done", outcome=text, outcome_kind=kind)
    flash(text, kind)
    did = "it" if kind == "done" else None
    return redirect(url_for("events.show", identity=identity, did=did), 303)


def _part(identity: str, watched: bool | None = None, **told: Any) -> str:
    event = _event(identity)
    made = actions_of(event, watched=watched)
    return render_template(
        "desk/changes/renewed.html", event=event, actions=made, why=words.meaning(event), incident=made.incident, **told
    )


def _event(identity: str) -> search.Row:
    with parts().ledger.read() as connection:
        event = search.event(connection, identity)
    if event is None:
        abort(404)
    return event


def _editing(
    event: search.Row, written: Mapping[str, str], faults: Mapping[str, str], twice: str | None = None
) -> ResponseReturnValue:
    told = render_template("desk/changes/edit.html", event=event, written=written, faults=faults, twice=twice)
    return told, 422 if faults or twice else 200


def _object(written: str) -> dict[str, Any] | str:
    """The JSON object that somebody wrote, or what is wrong with it."""
    try:
        data: object = decode_data(written)
    except ValueError as error:
        return f"this is no JSON: {error}"
    return data if isinstance(data, dict) else "write an object, in braces"


def _plain(data: str) -> dict[str, Any]:
    """Data with its numbers as JSON writes them."""
    return {name: float(one) if hasattr(one, "as_tuple") else one for name, one in decode_data(data).items()}


def _counts(foreseen: tuple[Foreseen, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in foreseen:
        found[one.verdict.value] = found.get(one.verdict.value, 0) + 1
    return found
