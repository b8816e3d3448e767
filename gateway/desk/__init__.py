"""The desk: pages on which operators see what is wrong and put it right."""

from typing import cast

from flask import Blueprint, Flask

from gateway.desk import (
    access,
    adapters,
    audit,
    changes,
    destinations,
    dismissals,
    events,
    overview,
    replays,
    setting,
    settings,
    sources,
    users,
    webhooks,
)
from gateway.desk.parts import NAME, Desk

__all__ = ["Desk", "desk"]

AREAS = (
    access.pages,
    overview.pages,
    events.pages,
    webhooks.pages,
    sources.pages,
    adapters.pages,
    audit.pages,
    users.pages,
    settings.pages,
    changes.pages,
    replays.pages,
    destinations.pages,
    dismissals.pages,
)
"""Each a blueprint of its own, with the views that `access.allowed` names a role for."""


def desk(parts: Desk) -> list[Blueprint]:
    """All blueprints of the desk. The first of them sets the application up, and guards the others."""
    root = Blueprint(NAME, __name__, template_folder="templates", static_folder="static", static_url_path="/static")
    names = {NAME, *(area.name for area in AREAS)}
    root.record_once(lambda state: setting.set_up(cast(Flask, state.app), parts, names))
    return [root, *AREAS]
