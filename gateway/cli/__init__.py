"""The command `lumail-gateway`: its groups, and how faults become one clean message and an exit status."""

from typing import Any

import click

from gateway.cli import authoring, bulk_replays, cures, decisions, destination_changes  # noqa: F401 - each adds commands to a group
from gateway.cli.checks import check
from gateway.cli.destination_lists import destinations
from gateway.cli.dismissals import dismissed
from gateway.cli.drift import show_drift
from gateway.cli.event_lists import events
from gateway.cli.migrating import migrate_ledger
from gateway.cli.overview import status
from gateway.cli.privacy import export, forget
from gateway.cli.replays import replay
from gateway.cli.sending import send
from gateway.cli.services import sandbox, up, web, worker
from gateway.cli.sources import sources
from gateway.cli.trials import adapters, translate
from gateway.cli.users import users
from gateway.cli.webhook_lists import webhooks
from gateway.errors import CommandError, ConfigError, GatewayError, LedgerUnavailableError
from gateway.formats.masking import UNPAIRED
from gateway.runtime.private_files import hide_new_files

FAULTS_FOUND = 1
WRONG_COMMAND = 2


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which somebody new needs them."""
        return list(self.commands)

    def invoke(self, context: click.Context) -> Any:
        """Faults that the gateway knows are told in their own words, one a line, without a traceback."""
        try:
            return super().invoke(context)
        except (CommandError, ConfigError) as error:
            click.echo(str(error), err=True)
            context.exit(WRONG_COMMAND)
        except LedgerUnavailableError as error:
            click.echo(cures.of_ledger(str(error)), err=True)
            context.exit(FAULTS_FOUND)
        except GatewayError as error:
            click.echo(str(error), err=True)
            context.exit(FAULTS_FOUND)
        except BrokenPipeError:
            raise  # click's own business: who read our output has gone
        except UnicodeEncodeError as error:
            if UNPAIRED.search(str(error.object)) is None:
                raise
            click.echo("a word of the command has bytes that are no text", err=True)
            context.exit(WRONG_COMMAND)
        except OSError as error:
            click.echo(cures.of_machine(error), err=True)
            context.exit(FAULTS_FOUND)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="lumail-gateway")
def main() -> None:
    """Receives webhooks of payment, shop and e-mail providers and delivers them to Lumail, each fact once.

    Exit status: 0 done; 1 faults found, quarantined or not delivered; 2 a wrong command line or configuration.

    \b
    To try it without an account anywhere:
      lumail-gateway up --sandbox
      lumail-gateway send stripe        (in another terminal)
    """
    hide_new_files()


adapters.add_command(show_drift)

for command in (
    up,
    web,
    worker,
    sandbox,
    check,
    status,
    send,
    translate,
    events,
    webhooks,
    replay,
    destinations,
    sources,
    dismissed,
    users,
    forget,
    export,
    adapters,
    migrate_ledger,
):
    main.add_command(command)
