"""Replays of many: what one would do, how far it has come, what became of each, and its end."""

from datetime import timedelta

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gateway.desk import filtering
from gateway.desk.access import Role, allowed, signed_in
from gateway.desk.parts import now, parts
from gateway.errors import CommandError
from gateway.formats.wording import span
from gateway.ledger.jobs import jobs
from gateway.ledger.jobs.jobs import EVENTS, RUNNING, WEBHOOKS, Job
from gateway.ledger.paging import Place
from gateway.ledger.views import listing
from gateway.replay import bulk, pace, selection
from gateway.replay.selection import Selection

pages = Blueprint("replays", __name__)

KINDS = {"events": EVENTS, "webhooks": WEBHOOKS}

PAGE = 50

SHOWN = 50
"""Items of each outcome that are shown by name."""


@pages.get("/replays")
@allowed(Role.VIEWER)
def page() -> ResponseReturnValue:
    with parts().ledger.read() as connection:
        found, older = jobs.newest(connection, PAGE, Place.read(request.args.get("older")))
    url = None if older is None else url_for("replays.page", older=str(older))
    return render_template("desk/replays/page.html", found=found, older=url)


@pages.get("/replays/new")
@allowed(Role.OPERATOR)
def new() -> ResponseReturnValue:
    """What a replay of all that the filters name would do."""
    wanted = _wanted(force=request.args.get("force") is not None)
    desk = parts()
    made = selection.preview(desk.ledger, desk.config.plans, desk.routes, wanted)
    return render_template(
        "desk/replays/new.html",
        kind=request.args["kind"],
        given=filtering.given(),
        wanted=wanted,
        previews=[(one, selection.span_of(one)) for one in made],
        nothing=not any(one.total.number or one.total.more for one in made),
        can_be_forced=selection.can_be_forced,
        effect_of_force=selection.effect_of_force,
        shares=(round(100 * pace.ALONE), round(100 * pace.SHARE)),
        statuses=listing.STATUSES,
    )


@pages.post("/replays")
@allowed(Role.OPERATOR)
def begin() -> ResponseReturnValue:
    wanted = _wanted(force=request.form.get("force") is not None)
    begun = bulk.begin(parts().ledger, parts().config.plans, wanted, signed_in().name)
    for job in begun:
        parts().wakeups.call(job.id)
    if len(begun) == 1:
        return redirect(url_for("replays.show", identity=begun[0].id), 303)
    flash(f"{len(begun)} replays have begun, one for each destination.", "done")
    return redirect(url_for("replays.page"), 303)


@pages.get("/replays/<identity>")
@allowed(Role.VIEWER)
def show(identity: str) -> ResponseReturnValue:
    with parts().ledger.read() as connection:
        job = jobs.find(connection, identity)
        if job is None:
            abort(404)
        before = jobs.before(connection, job) if job.status == RUNNING else []
        plan = parts().config.plans.get(job.destination)
        left = None
        if job.status == RUNNING and plan is not None and job.total > job.done:
            left = span((job.total - job.done) * pace.slot(connection, job.destination, plan, now()))
        words = [word for word in job.counts if word != bulk.NEW_EVENTS]
        items = {word: jobs.items(connection, identity, word, SHOWN) for word in words}
        waiting = len(jobs.open_items(connection, identity))
    return render_template(
        "desk/replays/replay.html",
        job=job,
        before=before,
        left=left,
        items=items,
        waiting=waiting,
        late=_is_late(job),
        kind="events" if job.kind == EVENTS else "webhooks",
        NEW_EVENTS=bulk.NEW_EVENTS,
    )


@pages.post("/replays/<identity>/cancel")
@allowed(Role.OPERATOR)
def cancel(identity: str) -> ResponseReturnValue:
    try:
        job = bulk.cancel(parts().ledger, identity, signed_in().name)
        back = job.counts.get(bulk.TAKEN_BACK, 0)
        flash(f"It is cancelled. {back:,} that had not left yet are what they were.", "done")
    except CommandError as error:
        flash(str(error), "fault")
    return redirect(url_for("replays.show", identity=identity), 303)


def _wanted(*, force: bool) -> Selection:
    kind = KINDS.get(request.args.get("kind", ""))
    if kind is None:
        abort(404)
    return Selection(kind, filtering.filters(), force and kind == EVENTS)


def _is_late(job: Job) -> bool:
    """Whether no worker has looked at it for a while."""
    return job.status == RUNNING and now() - job.next_at > timedelta(seconds=15)
