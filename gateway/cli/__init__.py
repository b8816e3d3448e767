"""The command `lumail-gateway`: its groups, and how faults become one clean message and an exit status."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from gateway.errors import CommandError, ConfigError, GatewayError, LedgerUnavailableError
from gateway.formats import cures
from gateway.formats.masking import UNPAIRED
from gateway.runtime.private_files import hide_new_files

FAULTS_FOUND = 1
WRONG_COMMAND = 2


COMMANDS: Mapping[str, Sequence[str]] = {
    "up": ["services"],
    "web": ["services"],
    "worker": ["services"],
    "sandbox": ["services"],
    "check": ["checks"],
    "probe": ["probing"],
    "status": ["overview"],
    "send": ["sending"],
    "translate": ["trials"],
    "events": ["event_lists", "decisions"],
    "webhooks": ["webhook_lists"],
    "replay": ["replays", "bulk_replays"],
    "destinations": ["destination_lists", "destination_changes"],
    "sources": ["sources"],
    "set-aside": ["dismissals"],
    "users": ["users"],
    "forget": ["privacy"],
    "export": ["privacy"],
    "adapters": ["trials", "authoring", "drift"],
    "migrate": ["migrating"],
}
"""Each command, in the order in which somebody new needs them, and where it is: the first module has what is named
so (or as _NAMES says), the others add to it. A module is imported by whoever calls for its command.
"""


_NAMES = {"set-aside": "dismissed", "migrate": "migrate_ledger"}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        first, *_ = [import_module(f"gateway.cli.{module}") for module in COMMANDS[cmd_name]]
        command: click.Command = getattr(first, _NAMES.get(cmd_name, cmd_name))
        return command

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
