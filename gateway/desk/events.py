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
from gateway.ledger import doubt, finding, listing, stories, words
from gateway.ledger.stories import EventStory
from gateway.masking import masked_url, readable

pages = Blueprint("events", __name__)

MOST_NEWS = 99


@pages.get("/events")
@allowed(Role.VIEWER)
def page() -> ResponseReturnValue:
    asked = filtering.filters()
    with parts().ledger.read() as connection:
        found = listing.events_page(connection, asked, filtering.ask())
        count = listing.counted_by(found, filtering.ask()) or listing.count_events(connection, asked)
        names = finding.destinations(connection)
    return render_template(
        "desk/events/page.html",
        found=filtering.listed(found, count, "events.page", "events.news"),
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
    """How many events are newer than the first that is shown."""
    with parts().ledger.read() as connection:
        count = listing.count_events(connection, filtering.filters(), newer=filtering.ask().newer, most=MOST_NEWS)
    return render_template("desk/events/news.html", count=count, told=filtering.told(), endpoint="events.page")


@pages.get("/events/<identity>")
@allowed(Role.VIEWER)
def show(identity: str) -> ResponseReturnValue:
    return _shown(identity)


@pages.post("/events/<identity>/timeline")
@allowed(Role.OPERATOR)
def look(identity: str) -> ResponseReturnValue:
    """Ask Lumail what it has of the subscriber."""
    with parts().ledger.read() as connection:
        story = stories.event_story(connection, identity)
    if story is None or story.event["subscriber"] is None:
        abort(404)
    destination = parts().config.destinations.get(story.event["destination"])
    if destination is None:
        raise CommandError(f"{story.event['destination']} is not configured any more, so nobody can be asked")
    told: dict[str, Any] = {"timeline": None, "fault": None}
    try:
        told["timeline"] = timeline.look(parts().ledger, destination, story.event["subscriber"], identity)
    except (CommandError, LumailError) as error:
        told["fault"] = str(error)
    told["ours"] = _ours(told["timeline"], destination.name)
    if "HX-Request" in request.headers:
        return render_template("desk/events/timeline.html", event=story.event, **told)
    return _shown(identity, **told)


def _ours(found: Timeline | None, destination: str) -> Mapping[str, str]:
    """Which records are events of ours."""
    if found is None:
        return {}
    with parts().ledger.read() as connection:
        return doubt.owners(connection, destination, [record.id for record in found.records])


def _shown(identity: str, **looked: Any) -> ResponseReturnValue:
    with parts().ledger.read() as connection:
        story = stories.event_story(connection, identity)
    if story is None:
        abort(404)
    return render_template(
        "desk/events/event.html",
        story=story,
        event=story.event,
        lane=Lane(story.event["lane"]).word,
        data=decode_data(story.event["data"]),
        why=words.meaning(story.event),
        incident=story.incident,
        body=_body(story),
        url=None if story.webhook is None else masked_url(story.webhook["url"]),
        sent=[_sent(attempt) for attempt in story.attempts],
        at=now(),
        **looked,
    )


def _body(story: EventStory) -> str | None:
    if story.webhook is None or story.webhook["body"] is None:
        return None
    return readable(story.webhook["body"], story.webhook["headers"].get("content-type", ""))


def _sent(attempt: Mapping[str, Any]) -> str:
    """What an attempt asked: the body of a post, the path of a question."""
    sent = attempt["sent"] or ""
    return readable(sent.encode()) if attempt["kind"] == "event" else sent
