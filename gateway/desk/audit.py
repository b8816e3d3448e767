"""The page that tells who changed what, when, and what it was before."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from gateway.desk.access import Role, allowed
from gateway.desk.navigation import to
from gateway.desk.parts import parts
from gateway.ledger import words
from gateway.ledger.accounts.audit import AuditFilter, Done, deeds

A_PAGE = 50

_PAGES = {"ev_": "/events/", "wh_": "/received/", "jb_": "/replays/"}
"""Where the subject of a deed is shown, by how its id begins."""

pages = Blueprint("audit", __name__)


@dataclass(frozen=True)
class Change:
    """One field that a deed changed; None where there was or is none."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Row:
    done: Done
    changes: tuple[Change, ...]
    url: str


@pages.get("/audit")
@allowed(Role.OPERATOR)
def page() -> ResponseReturnValue:
    said = {name: request.args.get(name, "").strip() for name in ("who", "action", "subject", "since", "until")}
    asked = AuditFilter(
        who=said["who"] or None,
        action=said["action"] or None,
        subject=said["subject"] or None,
        since=_instant(said["since"]),
        until=_instant(said["until"]),
    )
    with parts().ledger.read() as connection:
        found, more = deeds(connection, asked, A_PAGE, request.args.get("after"))
    older = to("/audit", **said, after=found[-1].id) if more else ""
    return render_template("desk/audit/page.html", rows=[_row(one) for one in found], said=said, older=older)


def _instant(text: str) -> datetime | None:
    """A date or time in UTC as a browser's field gives it; what is none of both asks for nothing."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC)


def _row(done: Done) -> Row:
    path = _PAGES.get(done.subject[:3])
    before, after = (words.of_deed(columns or {}) for columns in (done.before, done.after))
    return Row(done, tuple(_changes(before, after)), to(path + done.subject) if path else "")


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys([*before, *after]):
        yield Change(name, before.get(name), after.get(name))
