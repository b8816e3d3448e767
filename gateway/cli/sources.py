"""The command `sources account`: whose webhooks a source takes, where the provider names its account unsigned."""

import click

from gateway.cli.display import printable, show_document
from gateway.cli.settings import Said, installation, installation_options, json_option, opened_ledger, who
from gateway.config import Config
from gateway.errors import CommandError
from gateway.ledger.accounts import audit
from gateway.ledger.accounts.audit import Deed
from gateway.ledger.database import Ledger
from gateway.ledger.facts import pinned_accounts


@click.group()
def sources() -> None:
    """Where webhooks come from."""


@sources.command("account")
@click.argument("name")
@click.option("--set", "account", help="From now on it is this one's webhooks.")
@click.option("--forget", is_flag=True, help="From now on it is the one's that is named next.")
@installation_options
@json_option
def account(said: Said, name: str, account: str | None, forget: bool, as_json: bool) -> None:
    """Show or change the account to which a source is bound.

    Some providers name the shop in a header that they do not sign. The first one that is named binds the source;
    webhooks of another are quarantined. What was told of the former account before is not known of the new one: a sale
    that is told again counts again. An `account` in the configuration goes before.

    \b
    Examples:
      lumail-gateway sources account shopify
      lumail-gateway sources account shopify --set new-name.myshopify.com
    """
    config = installation(said).config
    if name not in config.sources:
        raise CommandError(f"no source {name}; there is {', '.join(config.sources)}")
    if account is not None and (forget or not account.strip()):
        raise CommandError("say the account's name with --set, or --forget")
    with opened_ledger(config) as ledger:
        if account is not None or forget:
            _change(ledger, config, name, None if account is None else account.strip())
        with ledger.read() as connection:
            bound = pinned_accounts.pinned(connection).get(name)
    configured = config.sources[name].account
    if as_json:
        show_document({"source": name, "account": configured or bound, "configured": configured, "bound_to": bound})
    elif configured is not None:
        click.echo(f"{name} takes what comes for {printable(configured)}'s, as the configuration says")
    elif bound is not None:
        click.echo(f"{name} is bound to the account {printable(bound)}")
    else:
        click.echo(f"{name} is bound to no account")


def _change(ledger: Ledger, config: Config, name: str, account: str | None) -> None:
    destination = config.sources[name].destination
    with ledger.write([destination]) as connection:
        before = pinned_accounts.pinned(connection).get(name)
        now = ledger.now(connection)
        pinned_accounts.change(connection, destination, name, account, now)
        deed = Deed(who(), "change account", name)
        audit.record(connection, now, deed, {"account": before}, {"account": account})
