"""The command `migrate`: the ledger's tables for this version, and beforehand what that would mean."""

import click

from gateway.cli.settings import Said, has_ledger, installation, installation_options
from gateway.errors import OutdatedError
from gateway.ledger.database import Ledger
from gateway.ledger.migration import migrate
from gateway.ledger.migration_plan import Lasting, Plan, plan
from gateway.ledger.schema import SCHEMA

NOT_NOW = 1


@click.command("migrate")
@click.option("--plan", "only_planned", is_flag=True, help="Only say what would be done.")
@installation_options
@click.pass_context
def migrate_ledger(context: click.Context, said: Said, only_planned: bool) -> None:
    """Bring the ledger to the schema of this version, as `up` does when it starts.

    With --plan nothing is changed: it says what would be done, whether other versions that run go on beside it, and
    what takes long. Exit status 0: done, nothing to do, or safe now; 1: not before others have ended.

    \b
    Examples:
      lumail-gateway migrate --plan
      lumail-gateway migrate
    """
    config = installation(said).config
    if only_planned and not has_ledger(config):
        click.echo("There is no ledger yet: the first start makes it.")
        return
    ledger = Ledger(config.database_url)
    try:
        if only_planned:
            context.exit(_tell(plan(ledger)))
        steps = migrate(ledger)
        click.echo("\n".join(f"{one.schema}  {one.why}" for one in steps) or "Nothing is missing.")
        click.echo(f"The ledger is at schema {SCHEMA}.")
    except OutdatedError as error:
        click.echo(str(error), err=True)
        context.exit(NOT_NOW)
    finally:
        ledger.close()
