"""The command `events decide`: what a person found out about an event that the gateway can't tell."""

import click

from gateway.cli.display import show_document
from gateway.cli.event_lists import events
from gateway.cli.settings import Said, installation, installation_options, json_option, opened_ledger, who
from gateway.errors import CommandError
from gateway.replay.deciding import Decision, decide

_TOLD = {
    "recorded": "is delivered",
    "send": "is due now",
    "drop": "is dropped for good",
}


@events.command("decide")
@click.argument("identity", metavar="ID")
@click.option("--recorded", metavar="LUMAIL_ID", help="Lumail has it: this is the id of the record there.")
@click.option("--send", is_flag=True, help="Lumail has it not: send it now.")
@click.option("--drop", is_flag=True, help="It is never sent, and its fact is not told again.")
@installation_options
@json_option
def decide_event(said: Said, identity: str, recorded: str | None, send: bool, drop: bool, as_json: bool) -> None:
    """Say what is right about a held event, or one whose fact Lumail heard twice.

    One of --recorded, --send and --drop. It is written into the ledger's audit, with the user's name.

    \b
    Example:
      lumail-gateway events decide ev_064428e6d4f2c01f0a9d3b2c4e5 --recorded evt_5c1d
    """
    words = [word for word, is_said in (("recorded", recorded), ("send", send), ("drop", drop)) if is_said]
    if len(words) != 1:
        raise CommandError("say one of --recorded LUMAIL_ID, --send and --drop")
    with opened_ledger(installation(said).config) as ledger:
        done = decide(ledger, identity, Decision(words[0], recorded), who())
    if as_json:
        show_document(done)
        return
    click.echo(
        f"{done.id} was {done.was} and {_TOLD[words[0]]}" + ("; its incident is closed" if done.incident else "")
    )
