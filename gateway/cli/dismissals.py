"""The commands `set-aside …`: what a person has looked at needs nobody any more, and why; found again and undone."""

import click

from gateway.cli.display import Column, local, show_document, show_table
from gateway.cli.settings import Said, installation, installation_options, json_option, opened_ledger, who
from gateway.errors import CommandError
from gateway.ledger.facts import dismissals
from gateway.ledger.facts.dismissals import Kind, Matter

MOST = 1000

_NOT_THERE = {
    Kind.WEBHOOK: (
        "no webhook {subject} is in quarantine: `lumail-gateway webhooks list --status quarantined` lists them"
    ),
    Kind.PATH: "nobody asked for the path {subject}: `lumail-gateway status` lists those that no source has",
    Kind.INCIDENT: "{subject} is no event of an incident: `lumail-gateway status` lists them",
}

_reason = click.option("--reason", required=True, help="Why it needs nobody; kept with it and in the audit.")


@click.group("set-aside")
def dismissed() -> None:
    """What needs nobody any more, though it stays: it was looked at, and is left as it is."""


@dismissed.command("webhook")
@click.argument("identity", metavar="ID")
@_reason
@installation_options
@json_option
def webhook(said: Said, identity: str, reason: str, as_json: bool) -> None:
    """Leave a webhook in quarantine for good. It can still be replayed.

    \b
    Example:
      lumail-gateway set-aside webhook wh_064428e6d4f2c01f0a9d3b2c4e5 --reason "a trial of the provider's"
    """
    _put(said, Matter(Kind.WEBHOOK, identity), reason, as_json)


@dismissed.command("path")
@click.argument("path")
@_reason
@installation_options
@json_option
def path(said: Said, path: str, reason: str, as_json: bool) -> None:
    """Tell no more of requests to a path that no source has.

    \b
    Example:
      lumail-gateway set-aside path /wp-login.php --reason "strangers who try doors"
    """
    _put(said, Matter(Kind.PATH, path), reason, as_json)


@dismissed.command("incident")
@click.argument("event", metavar="EVENT")
@_reason
@installation_options
@json_option
def incident(said: Said, event: str, reason: str, as_json: bool) -> None:
    """Leave what Lumail was told of an event's fact as it is. What is told of it later is shown again.

    \b
    Example:
      lumail-gateway set-aside incident ev_064428e6d4f2c01f0a9d3b2c4e5 --reason "put right at Lumail by hand"
    """
    _put(said, Matter(Kind.INCIDENT, event), reason, as_json)


@dismissed.command("list")
@installation_options
@json_option
def list_dismissed(said: Said, as_json: bool) -> None:
    """What is set aside, the newest first, by whom and why.

    \b
    Example:
      lumail-gateway set-aside list
    """
    with opened_ledger(installation(said).config) as ledger, ledger.read() as connection:
        now = ledger.now(connection)
        found = dismissals.newest(connection, MOST)
    if as_json:
        show_document({"dismissed": found})
        return
    show_table(
        [Column(title, keeps=title != "why") for title in ("kind", "what", "when", "who", "why")],
        [(one.kind, one.subject, local(one.at, now), one.who, one.reason) for one in found],
        empty="Nothing is set aside.",
    )


@dismissed.command("undo")
@click.argument("kind", type=click.Choice([kind.value for kind in Kind]))
@click.argument("subject")
@installation_options
@json_option
def undo(said: Said, kind: str, subject: str, as_json: bool) -> None:
    """Let it need somebody again.

    \b
    Example:
      lumail-gateway set-aside undo path /wp-login.php
    """
    with opened_ledger(installation(said).config) as ledger, ledger.write() as connection:
        done = dismissals.undo(connection, Matter(Kind(kind), subject), who(), ledger.now(connection))
    if done is None:
        raise CommandError(f"{kind} {subject} is not set aside: `lumail-gateway set-aside list` shows what is")
    if as_json:
        show_document(done)
        return
    click.echo(f"{kind} {done.subject} needs a person again")


def _put(said: Said, matter: Matter, reason: str, as_json: bool) -> None:
    if not reason.strip():
        raise CommandError("say why with --reason: whoever finds it later wants to know")
    with opened_ledger(installation(said).config) as ledger, ledger.write() as connection:
        done = dismissals.put(connection, matter, reason.strip(), who(), ledger.now(connection))
    if done is None:
        raise CommandError(_NOT_THERE[matter.kind].format(subject=matter.subject))
    if as_json:
        show_document(done)
        return
    click.echo(f"{done.kind} {done.subject} is set aside; `lumail-gateway set-aside undo` takes it back")
