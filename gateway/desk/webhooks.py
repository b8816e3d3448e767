"""What came in: the list of webhooks, and what became of one."""

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue

from gateway.desk import filtering
from gateway.desk.access import Role, allowed
from gateway.desk.explaining import explain as explained
from gateway.desk.parts import parts
from gateway.formats.masking import masked_url, readable
from gateway.ledger.status import COUNTED, OUTCOMES
from gateway.ledger.views import detail as details
from gateway.ledger.views import listing, search, text_search

pages = Blueprint("webhooks", __name__)

MOST_NEWS = 99


@pages.get("/received")
@allowed(Role.VIEWER)
def page() -> ResponseReturnValue:
    asked = filtering.filters()
    with parts().ledger.read() as connection:
        found = listing.webhooks_page(connection, asked, filtering.ask())
        count = listing.counted_by(found, filtering.ask()) or listing.count_webhooks(connection, asked)
        names = text_search.destinations(connection)
    return render_template(
        "desk/webhooks/page.html",
        found=filtering.listed(found, count, "webhooks.page", "webhooks.news"),
        destinations=names,
        sources=sorted(parts().config.sources),
        outcomes=OUTCOMES,
        ages=filtering.AGES,
        reasons=_reasons,
    )


@pages.get("/received/news")
@allowed(Role.VIEWER)
def news() -> ResponseReturnValue:
    """How many webhooks are newer than the first that is shown."""
    with parts().ledger.read() as connection:
        count = listing.count_webhooks(connection, filtering.filters(), newer=filtering.ask().newer, most=MOST_NEWS)
    return render_template("desk/events/news.html", count=count, given=filtering.given(), endpoint="webhooks.page")


@pages.get("/received/<identity>")
@allowed(Role.VIEWER)
def show(identity: str) -> ResponseReturnValue:
    with parts().ledger.read() as connection:
        detail = details.webhook_detail(connection, identity)
    if detail is None:
        abort(404)
    webhook = detail.webhook
    body = webhook["body"]
    return render_template(
        "desk/webhooks/webhook.html",
        detail=detail,
        webhook=webhook,
        url=masked_url(webhook["url"]),
        body=None if body is None else readable(body, webhook["headers"].get("content-type", "")),
        counts=[(name, webhook[name]) for name in COUNTED if webhook[name]],
    )


@pages.get("/received/<identity>/explain")
@allowed(Role.VIEWER)
def explain(identity: str) -> ResponseReturnValue:
    """What today's adapter makes of it; of the source events that tell a fact, where its `group` is named."""
    group = request.args.get("group")
    with parts().ledger.read() as connection:
        row = search.webhook(connection, identity)
        keys = frozenset() if group is None else frozenset(search.keys_of(connection, group))
    if row is None:
        abort(404)
    return render_template("desk/webhooks/explanation.html", found=explained(parts(), row, keys))


def _reasons(row: search.Row) -> str:
    """Why source events of a webhook became nothing, each reason once."""
    return "; ".join(dict.fromkeys(note["reason"] for note in row["notes"]))[:300]
