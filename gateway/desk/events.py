"""What goes to Lumail: the list of events, and the whole story of one."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue

from gateway.delivery import timeline
from gateway.delivery.timeline import Timeline
from gateway.desk import filtering
from gateway.desk.access import Role, allowed
from gateway.desk.parts import now, parts
from gateway.errors import CommandError, LumailError
from gateway.events import Lane, decode_data
from gateway.formats.masking import masked_url, readable
from gateway.ledger import words
from gateway.ledger.outbox import uncertain
from gateway.ledger.views import detail as details
from gateway.ledger.views import listing, text_search
from gateway.ledger.views.detail import EventDetail

pages = Blueprint("events", __name__)


@pages.get("/events")
@allowed(Role.VIEWER)
def page() -> ResponseReturnValue:
    with parts().ledger.read() as connection:
        found = filtering.listed(connection, listing.EVENTS, "events")
        names = text_search.destinations(connection)
    return render_template(
        "desk/events/page.html",
        found=found,
        destinations=names,
        sources=sorted(parts().config.sources),
        statuses=listing.STATUSES,
        types=filtering.TYPES,
        lanes=filtering.LANES,
        ages=filtering.AGES,
        Lane=Lane,
    )


@pages.get("/events/news")
@allowed(Role.VIEWER)
def news() -> ResponseReturnValue:
    return filtering.news(listing.EVENTS, "events")


@pages.get("/events/<identity>")
@allowed(Role.VIEWER)
def show(identity: str) -> ResponseReturnValue:
    return _shown(identity)


@pages.post("/events/<identity>/timeline")
@allowed(Role.OPERATOR)
def look(identity: str) -> ResponseReturnValue:
    """Ask Lumail what it has of the subscriber."""
    with parts().ledger.read() as connection:
        detail = details.event_detail(connection, identity)
    if detail is None or detail.event["subscriber"] is None:
        abort(404)
    destination = parts().config.destinations.get(detail.event["destination"])
    if destination is None:
        raise CommandError(f"{detail.event['destination']} is not configured any more, so nobody can be asked")
    told: dict[str, Any] = {"timeline": None, "fault": None}
    try:
        told["timeline"] = timeline.look(parts().ledger, destination, detail.event["subscriber"], identity)
    except (CommandError, LumailError) as error:
        told["fault"] = str(error)
    told["ours"] = _ours(told["timeline"], destination.name)
    if "HX-Request" in request.headers:
        return render_template("desk/events/timeline.html", event=detail.event, **told)
    return _shown(identity, **told)


def _ours(found: Timeline | None, destination: str) -> Mapping[str, str]:
    """Which records are events of ours."""
    if found is None:
        return {}
    with parts().ledger.read() as connection:
        return uncertain.owners(connection, destination, [record.id for record in found.records])


def _shown(identity: str, **looked: Any) -> ResponseReturnValue:
    with parts().ledger.read() as connection:
        detail = details.event_detail(connection, identity)
    if detail is None:
        abort(404)
    return render_template(
        "desk/events/event.html",
        detail=detail,
        event=detail.event,
        lane=Lane(detail.event["lane"]).word,
        data=decode_data(detail.event["data"]),
        why=words.meaning(detail.event),
        incident=detail.incident,
        body=_body(detail),
        url=None if detail.webhook is None else masked_url(detail.webhook["url"]),
        sent=[_sent(attempt) for attempt in detail.attempts],
        at=now(),
        **looked,
    )


def _body(detail: EventDetail) -> str | None:
    if detail.webhook is None or detail.webhook["body"] is None:
        return None
    return readable(detail.webhook["body"], detail.webhook["headers"].get("content-type", ""))


def _sent(attempt: Mapping[str, Any]) -> str:
    """What an attempt asked: the body of a post, the path of a question."""
    sent = attempt["sent"] or ""
    return readable(sent.encode()) if attempt["kind"] == "event" else sent
