"""The commands `events list` and `events show`: what goes to Lumail, where it stands and why."""

from datetime import datetime
from typing import Any

import click

from gateway.cli.display import (
    Column,
    at_length,
    local,
    pretty,
    printable,
    show_block,
    show_document,
    show_fields,
    show_table,
)
from gateway.cli.filters import filter_options, hint_more
from gateway.cli.settings import Said, installation, installation_options, json_option, opened_ledger
from gateway.errors import CommandError
from gateway.events import Lane, decode_data
from gateway.formats.wording import counted
from gateway.ledger import words
from gateway.ledger.facts import incidents
from gateway.ledger.outbox import deferral
from gateway.ledger.status import Status
from gateway.ledger.views import listing, search
from gateway.ledger.views.search import Filters, Row


@click.group()
def events() -> None:
    """What goes to Lumail, where it stands and why."""


@events.command("list")
@installation_options
@filter_options(listing.STATUSES)
@json_option
def list_events(said: Said, filters: Filters, limit: int, after: str | None, as_json: bool) -> None:
    """The newest events.

    \b
    Example:
      lumail-gateway events list --status held --since 2h
    """
    with opened_ledger(installation(said).config) as ledger, ledger.read() as connection:
        now = ledger.now(connection)
        page = listing.newest_events(connection, filters, limit, after)
        whole = search.whole_events(connection, [row["id"] for row in page.rows]) if as_json else ()
    if as_json:
        show_document({"events": [as_document(row) for row in whole], "after": page.after})
        return
    show_table(
        [
            Column("event", keeps=True),
            Column("made", keeps=True),
            Column("status", keeps=True),
            Column("type"),
            Column("subscriber"),
            Column("source"),
            Column("reason"),
        ],
        [
            (
                row["id"],
                local(row["created_at"], now),
                row["status"],
                row["type"],
                row["subscriber"],
                row["source"],
                _reason(row),
            )
            for row in page.rows
        ],
        empty="No such event.",
    )
    hint_more(page.after)


@events.command("show")
@click.argument("identity", metavar="ID")
@installation_options
@json_option
def show_event(said: Said, identity: str, as_json: bool) -> None:
    """One event: its data, its keys and every request that was made for it.

    \b
    Example:
      lumail-gateway events show ev_064428e6d4f2c01f0a9d3b2c4e5
    """
    with opened_ledger(installation(said).config) as ledger, ledger.read() as connection:
        now = ledger.now(connection)
        row = search.event(connection, identity)
        if row is None:
            raise CommandError(f"no event {identity}: `lumail-gateway events list` shows those that are kept")
        attempts = search.attempts_of(connection, identity)
        keys = search.keys_of(connection, row["group"])
        incident = incidents.of_group(connection, row["group"])
    if as_json:
        show_document({**as_document(row), "keys": keys, "incident": incident, "attempts": attempts})
        return
    reason = words.of_event(row)
    settled = None if row["settled_at"] is None else at_length(row["settled_at"], now)
    show_fields(
        [
            ("event", row["id"]),
            ("type", row["type"]),
            ("subscriber", row["subscriber"] or "not known yet"),
            ("status", row["status"] + (f": {reason}" if reason else "")),
            ("Lumail's id", row["lumail_event_id"]),
            ("last error", row["last_error"]),
            ("incident", incident),
            ("lane", Lane(row["lane"]).word),
            ("waits for", row["waits_for"]),
            ("due", _due(row, now)),
            ("happened", at_length(row["occurred_at"], now)),
            ("made", at_length(row["created_at"], now)),
            ("settled", settled),
            ("source", row["source"]),
            ("destination", row["destination"]),
            ("webhook", row["webhook"]),
            ("keys", ", ".join(keys)),
        ]
    )
    show_block("data", pretty(decode_data(row["data"])))
    click.echo("\nattempts")
    show_table(
        [
            Column("at", keeps=True),
            Column("kind"),
            Column("outcome"),
            Column("status", right=True),
            Column("ms", right=True),
            Column("error"),
        ],
        [
            (
                local(one["taken_at"], now),
                one["kind"],
                one["outcome"] or "under way",
                None if one["status"] is None else str(one["status"]),
                None if one["duration_ms"] is None else str(one["duration_ms"]),
                one["error"],
            )
            for one in attempts
        ],
        empty="  none yet",
    )
    _show_decision(row, incident)


def _due(row: Row, now: datetime) -> str | None:
    if row["status"] != Status.WAITING:
        return None
    return f"once {row['source']} is resumed" if deferral.is_deferred(row["due_at"]) else at_length(row["due_at"], now)


def _reason(row: Row) -> str | None:
    told: str | None = words.of_event(row) or row["last_error"]
    if row["status"] == Status.HELD and row["candidates"]:
        return f"{told} ({counted(len(row['candidates']), 'candidate')} at Lumail)"
    return told


def _show_decision(row: Row, incident: str | None) -> None:
    """What a person can do about an event that waits for one."""
    decide = f"lumail-gateway events decide {row['id']}"
    if row["status"] == Status.HELD:
        click.echo("\nWhat you can decide, after a look at the subscriber's timeline in Lumail:")
        for candidate in row["candidates"] or ["LUMAIL_ID"]:
            click.echo(f"  it is there:  {decide} --recorded {printable(candidate)}")
        click.echo(f"  it is not:    {decide} --send")
        click.echo(f"  not wanted:   {decide} --drop")
    elif incident is not None:
        record = printable(row["lumail_event_id"] or "LUMAIL_ID")
        click.echo("\nLumail heard of this fact twice. Once that is put right there:")
        click.echo(f"  this one counts:          {decide} --recorded {record}")
        click.echo(f"  this one counts no more:  {decide} --drop")


def as_document(row: Row) -> dict[str, Any]:
    """A row of `events` with its data read, its reason in words and its lane in a word."""
    return {**words.with_reason(row), "data": decode_data(row["data"]), "lane": Lane(row["lane"]).word}
