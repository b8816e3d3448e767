"""The command `probe`: settles against the real Lumail what its documentation leaves open."""

import sys

import click

from gateway.cli.checks import wrong_with
from gateway.cli.display import printable, show_document
from gateway.cli.settings import Said, installation, installation_options, json_option, opened_ledger, who
from gateway.config import Config, Destination
from gateway.delivery import open_questions
from gateway.errors import CommandError
from gateway.formats.wording import as_plain, counted
from gateway.lumail.transport import Transport


@click.command()
@installation_options
@click.option("--subscriber", required=True, metavar="ADDRESS", help="A subscriber of yours, who gets real events.")
@click.option("--destination", metavar="NAME", help="Which Lumail, where there are several.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def probe(said: Said, subscriber: str, destination: str | None, yes: bool, as_json: bool) -> None:
    """Find out how Lumail behaves where its documentation does not say.

    It records up to two real events for the subscriber, which stay in the timeline for good, and tries one for an
    address that nobody has. That takes up to 8 requests of the plan. What is found is kept for the destination.

    \b
    Example:
      lumail-gateway probe --subscriber you@example.com
    """
    config = installation(said).config
    chosen = _chosen(config, destination)
    address = subscriber.strip().lower()
    if not yes:
        _ask(chosen, address)
    transport = Transport(chosen.base_url, chosen.api_token, outgoing=chosen.outgoing)
    try:
        with opened_ledger(config) as ledger:
            report = open_questions.settle(ledger, chosen, address, who(), transport=transport, is_lumail=wrong_with)
    finally:
        transport.close()
    if as_json:
        show_document({"destination": chosen.name, **as_plain(report)})
        return
    for one in report.findings:
        click.echo(f"{'found  ' if one.is_known else 'unknown'}  {one.question} {printable(one.words)}")
    events = counted(report.events, "event")
    click.echo(f"{counted(report.requests, 'request')}, {events} recorded; kept for {chosen.name}")


def _chosen(config: Config, name: str | None) -> Destination:
    there = ", ".join(config.destinations)
    if name is None and len(config.destinations) > 1:
        raise CommandError(f"say which with --destination: there is {there}")
    if name is not None and name not in config.destinations:
        raise CommandError(f"no destination {name}; there is {there}")
    return next(one for one in config.destinations.values() if name in (None, one.name))


def _ask(chosen: Destination, address: str) -> None:
    click.echo(
        f"Up to two real events are recorded for {printable(address)} at {chosen.base_url}, and Lumail can't take them "
        "back.",
        err=True,
    )
    if not sys.stdin.isatty():
        raise CommandError("nobody can be asked here: add --yes if that is what you want")
    click.confirm("Send them?", abort=True, err=True)
