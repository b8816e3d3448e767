"""The page of what was set aside: by whom and why, to put more there and to take it back."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gateway.desk.access import Role, allowed, signed_in
from gateway.desk.parts import now, parts
from gateway.ledger.facts import dismissals
from gateway.ledger.facts.dismissals import Kind, Matter

MOST = 500
LONGEST_REASON = 500

pages = Blueprint("dismissals", __name__)


@pages.get("/set-aside")
@allowed(Role.VIEWER)
def page() -> ResponseReturnValue:
    """With a kind and a subject in its query it asks for the reason to set that aside."""
    with parts().ledger.read() as connection:
        found = dismissals.newest(connection, MOST)
    matter = _matter(request.args.get("kind"), request.args.get("subject"))
    return render_template("desk/dismissals/page.html", found=found, matter=matter)


@pages.post("/set-aside")
@allowed(Role.OPERATOR)
def put() -> ResponseReturnValue:
    matter = _matter(request.form.get("kind"), request.form.get("subject"))
    reason = request.form.get("reason", "").strip()[:LONGEST_REASON]
    if matter is None:
        abort(404)
    if not reason:
        flash("Say why: whoever finds it later wants to know.", "fault")
        return redirect(url_for("dismissals.page", kind=matter.kind, subject=matter.subject), 303)
    with parts().ledger.write() as connection:
        done = dismissals.put(connection, matter, reason, signed_in().name, now())
    if done is None:
        flash(f"There is no such {matter.kind} that needs a person.", "fault")
    else:
        flash(f"The {matter.kind} {matter.subject} is set aside.", "done")
    return redirect(url_for("dismissals.page"), 303)


@pages.post("/set-aside/undo")
@allowed(Role.OPERATOR)
def undo() -> ResponseReturnValue:
    matter = _matter(request.form.get("kind"), request.form.get("subject"))
    if matter is None:
        abort(404)
    with parts().ledger.write() as connection:
        done = dismissals.undo(connection, matter, signed_in().name, now())
    if done is None:
        flash("It was taken back already.", "fault")
    else:
        flash(f"The {matter.kind} {matter.subject} needs a person again.", "done")
    return redirect(url_for("dismissals.page"), 303)


def _matter(kind: str | None, subject: str | None) -> Matter | None:
    if kind not in set(Kind) or not subject:
        return None
    return Matter(Kind(kind), subject)
