"""Ways between the desk's pages: its areas, and links that are shown only where there is a page."""

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import current_app, request
from werkzeug.exceptions import HTTPException

from gateway.desk.access import Role, somebody


@dataclass(frozen=True)
class Entry:
    title: str
    path: str
    here: bool


ENTRIES = (
    ("/", "Overview", Role.VIEWER),
    ("/events", "Events", Role.VIEWER),
    ("/received", "Webhooks", Role.VIEWER),
    ("/replays", "Replays", Role.VIEWER),
    ("/adapters", "Adapters", Role.VIEWER),
    ("/audit", "Audit", Role.OPERATOR),
    ("/people", "People", Role.ADMIN),
    ("/settings", "Settings", Role.ADMIN),
)
"""The path of an area's first page, its title, the least role that sees it; in the order of an operator's questions."""


def navigation() -> list[Entry]:
    """What whoever asks may go to."""
    person = somebody()
    return [
        Entry(title, path, _is_here(path))
        for path, title, role in ENTRIES
        if person is not None and to(path) and person.role.covers(role)
    ]


def to(path: str, **query: str) -> str:
    """The URL of a page of the desk; empty where there is no such page, so that no link is dead."""
    try:
        current_app.url_map.bind("").match(path, "GET")
    except HTTPException:
        return ""
    said = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(said)}" if said else path


def _is_here(path: str) -> bool:
    return request.path == path or (path != "/" and request.path.startswith(f"{path}/"))
