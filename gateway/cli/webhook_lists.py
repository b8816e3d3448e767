"""The commands `webhooks list` and `webhooks show`: what came in, and what became of it."""

import base64
import json
from typing import Any

import click

from gateway.cli.display import Column, at_length, local, pretty, show_block, show_document, show_fields, show_table
from gateway.cli.event_lists import as_document
from gateway.cli.filters import filter_options, hint_more
from gateway.cli.settings import Said, installation, installation_options, json_option, opened_ledger
from gateway.errors import CommandError
from gateway.formats.masking import masked
from gateway.formats.wording import as_plain, counted
from gateway.ledger.status import COUNTED, OUTCOMES
from gateway.ledger.views import listing, search
from gateway.ledger.views.search import Filters


@click.group()
def webhooks() -> None:
    """What came in: each webhook, and what became of it."""


@webhooks.command("list")
@installation_options
@filter_options([one.value for one in OUTCOMES])
@json_option
def list_webhooks(said: Said, filters: Filters, limit: int, after: str | None, as_json: bool) -> None:
    """The newest webhooks. --type, --lane and --subscriber ask for an event that one made.

    \b
    Example:
      lumail-gateway webhooks list --status quarantined
    """
    with opened_ledger(installation(said).config) as ledger, ledger.read() as connection:
        now = ledger.now(connection)
        page = listing.newest_webhooks(connection, filters, limit, after)
    if as_json:
        show_document({"webhooks": page.rows, "after": page.after})
        return
    show_table(
        [
            Column("webhook", keeps=True),
            Column("received", keeps=True),
            Column("source"),
            Column("outcome", keeps=True),
            Column("events", right=True),
            Column("why"),
        ],
        [
            (
                row["id"],
                local(row["received_at"], now),
                row["source"],
                row["outcome"],
                str(row["events_made"]),
                "; ".join(dict.fromkeys(note["reason"] for note in row["notes"])),
            )
            for row in page.rows
        ],
        empty="No such webhook.",
    )
    hint_more(page.after)


@webhooks.command("show")
@click.argument("identity", metavar="ID")
@installation_options
@json_option
def show_webhook(said: Said, identity: str, as_json: bool) -> None:
    """One webhook: its headers and body as they came, secrets masked, and what it became.

    \b
    Example:
      lumail-gateway webhooks show wh_064428e6d4f2c01f0a9d3b2c4e5
    """
    with opened_ledger(installation(said).config) as ledger, ledger.read() as connection:
        now = ledger.now(connection)
        row = search.webhook(connection, identity)
        if row is None:
            raise CommandError(f"no webhook {identity}: `lumail-gateway webhooks list` shows those that are kept")
        made = search.events_of(connection, identity)
    if as_json:
        show_document({**row, **_body(row["body"]), "events": [as_document(event) for event in made]})
        return
    counts = [(name, row[name]) for name in COUNTED if row[name]]
    show_fields(
        [
            ("webhook", row["id"]),
            ("source", row["source"]),
            ("received", at_length(row["received_at"], now)),
            ("outcome", row["outcome"]),
            ("source events", ", ".join(f"{count} {name}" for name, count in counts) or None),
            ("provider's id", row["delivery_id"]),
            ("url", row["url"]),
        ]
    )
    for note in row["notes"]:
        click.echo(f"  {note['word']}: {note['type'] or 'item ' + str(note['position'])}: {note['reason']}")
    click.echo("\nevents")
    show_table(
        [Column("event", keeps=True), Column("status", keeps=True), Column("type"), Column("subscriber")],
        [(event["id"], event["status"], event["type"], event["subscriber"]) for event in made],
        empty="  none",
    )
    show_block("headers", "\n".join(f"{name}: {value}" for name, value in row["headers"].items()))
    show_block("body", _readable(row["body"]))


def _body(body: bytes | None) -> dict[str, Any]:
    """The body as JSON can hold it: read where it is JSON, else as text, else in base64."""
    if body is None:
        return {"body": None}
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return {"body": None, "body_base64": base64.b64encode(body).decode()}
    try:
        return {"body": as_plain(masked(json.loads(text)))}
    except (ValueError, RecursionError):
        return {"body": text}


def _readable(body: bytes | None) -> str:
    if body is None:
        return "not kept any more"
    shown = _body(body)
    if shown["body"] is None:
        return f"{counted(len(body), 'byte')} that are no text"
    return shown["body"] if isinstance(shown["body"], str) else pretty(shown["body"])
