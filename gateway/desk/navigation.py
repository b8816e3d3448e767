"""The desk's areas in the order in which an operator asks for them."""

from dataclasses import dataclass

from flask import current_app, request, url_for

from gateway.desk.access import Role, somebody


@dataclass(frozen=True)
class Entry:
    title: str
    url: str
    here: bool


_ENTRIES = (
    ("overview.page", "Overview", Role.VIEWER),
    ("events.page", "Events", Role.VIEWER),
    ("webhooks.page", "Webhooks", Role.VIEWER),
    ("replays.page", "Replays", Role.VIEWER),
    ("adapters.page", "Adapters", Role.VIEWER),
    ("audit.page", "Audit", Role.OPERATOR),
    ("people.page", "People", Role.ADMIN),
)
"""Endpoint of an area's first page, its title, the least role that sees it."""


def navigation() -> list[Entry]:
    """What whoever asks may go to."""
    person = somebody()
    return [
        Entry(title, url_for(endpoint), request.blueprint == endpoint.partition(".")[0])
        for endpoint, title, role in _ENTRIES
        if person is not None and endpoint in current_app.view_functions and person.role.covers(role)
    ]
