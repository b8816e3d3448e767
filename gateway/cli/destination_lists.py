"""The command `destinations list`: the Lumail organizations, and whether each takes events now."""

from dataclasses import asdict

import click

from gateway.cli.display import Column, show_document, show_table
from gateway.cli.settings import Said, installation, installation_options, json_option, opened_ledger
from gateway.events import Lane
from gateway.ledger.views import search
from gateway.ledger.views.overview import destinations_now


@click.group()
def destinations() -> None:
    """Where events go: Lumail organizations."""


@destinations.command("list")
@installation_options
@json_option
def list_destinations(said: Said, as_json: bool) -> None:
    """Each destination, whether it takes events now, and what waits for it.

    \b
    Example:
      lumail-gateway destinations list
    """
    config = installation(said).config
    plans = {name: one.requests_per_minute for name, one in config.destinations.items()}
    with opened_ledger(config) as ledger, ledger.read() as connection:
        now = ledger.now(connection)
        states = destinations_now(connection, now, plans)
        kept = {row["name"]: row for row in search.destinations(connection)}
    urls = {name: one.base_url for name, one in config.destinations.items()}
    if as_json:
        documents = [{**kept.get(one.name, {}), **asdict(one), "base_url": urls.get(one.name)} for one in states]
        show_document({"destinations": documents})
        return
    show_table(
        [Column("destination", keeps=True), Column("state"), Column("a minute", right=True), Column("Lumail at")]
        + [Column(lane.word, keeps=True, right=True) for lane in Lane],
        [
            (
                one.name,
                one.state if one.name in urls else "not configured",
                None if one.requests_per_minute is None else f"{one.requests_per_minute:,}",
                urls.get(one.name),
                *(f"{one.backlog[lane.word]:,}" for lane in Lane),
            )
            for one in states
        ],
        empty="No destination.",
    )
