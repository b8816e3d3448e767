"""The commands that do something again: send an event that was given up, translate a webhook anew."""

from dataclasses import asdict

import click

from gateway.cli.display import show_document
from gateway.cli.settings import Said, installation, installation_options, json_option, opened_ledger, who
from gateway.errors import CommandError
from gateway.formats.wording import counted
from gateway.intake.route import routes
from gateway.replay.sending import CountedTwiceError, replay_event
from gateway.replay.translating import replay_webhook
from gateway.translation.registry import adapters, beside

QUARANTINED = 1
"""Exit status of a replay after which something is still not understood."""


@click.group()
def replay() -> None:
    """Do it again: send an event, translate a webhook."""


@replay.command("event")
@click.argument("identity", metavar="ID")
@click.option("--force", is_flag=True, help="Send it even if Lumail has it, or may have it, and counts it twice.")
@installation_options
@json_option
def event(said: Said, identity: str, force: bool, as_json: bool) -> None:
    """Send a failed, held or dropped event now, as the same event.

    \b
    Example:
      lumail-gateway replay event ev_064428e6d4f2c01f0a9d3b2c4e5
    """
    with opened_ledger(installation(said).config) as ledger:
        try:
            done = replay_event(ledger, identity, who(), force=force)
        except CountedTwiceError as error:
            raise CommandError(f"{error}. Add --force if that is what you want.") from error
    if as_json:
        show_document({"id": done.id, "destination": done.destination, "was": done.was, "due_at": done.due_at})
        return
    click.echo(f"{done.id} was {done.was} and is due now: lumail-gateway events show {done.id}")


@replay.command("webhook")
@click.argument("identity", metavar="ID")
@installation_options
@json_option
@click.pass_context
def webhook(context: click.Context, said: Said, identity: str, as_json: bool) -> None:
    """Translate a kept webhook with today's adapter.

    Only what was missing is added.

    \b
    Example:
      lumail-gateway replay webhook wh_064428e6d4f2c01f0a9d3b2c4e5
    """
    config = installation(said).config
    with opened_ledger(config) as ledger:
        done = replay_webhook(ledger, routes(config, adapters(beside(config.file))), identity, who())
    recorded = done.recorded
    if as_json:
        show_document({**asdict(recorded), "was": done.was, "outcome": recorded.word})
    else:
        counts = {
            "merged with what was known": recorded.merged,
            "taught": recorded.taught,
            "ignored": recorded.ignored,
            "still not understood": recorded.quarantined,
        }
        told = [f"{count:,} {word}" for word, count in counts.items() if count]
        click.echo(f"{identity}: {', '.join([counted(len(recorded.events), 'new event'), *told])}")
        for made in recorded.events:
            click.echo(f"  {made}")
        if recorded.quarantined:
            click.echo(f"Why: lumail-gateway webhooks show {identity}")
    context.exit(QUARANTINED if recorded.quarantined else 0)
