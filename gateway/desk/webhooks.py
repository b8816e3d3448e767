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


@pages.get("/received")
@allowed(Role.VIEWER)
def page() -> ResponseReturnValue:
    with parts().ledger.read() as connection:
        found = filtering.listed(connection, listing.WEBHOOKS, "webhooks")
        names = text_search.destinations(connection)
    return render_template(
        "desk/webhooks/page.html",
        found=found,
        destinations=names,
        sources=sorted(parts().config.sources),
        outcomes=OUTCOMES,
        ages=filtering.AGES,
        reasons=_reasons,
    )


@pages.get("/received/news")
@allowed(Role.VIEWER)
def news() -> ResponseReturnValue:
    return filtering.news(listing.WEBHOOKS, "webhooks")


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
