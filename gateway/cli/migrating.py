"""The command `migrate`: the ledger's tables for this version, and beforehand what that would mean."""

import click

from gateway.cli.settings import Said, has_ledger, installation, installation_options
from gateway.ledger.database import Ledger
from gateway.ledger.migration import migrate, named
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
    finally:
        ledger.close()


def _tell(found: Plan) -> int:
    """The exit status."""
    if found.was is None:
        click.echo("The database is empty: all tables are made, at once.")
        return 0
    if not found.steps:
        click.echo(f"Nothing is missing: this version works with schema {SCHEMA}.")
        return 0
    click.echo(f"The ledger is at schema {found.was}, this version works with {SCHEMA}.")
    for one in found.steps:
        click.echo(f"  {one.schema}  {one.why}; programs of schema {one.works_beside} and newer go on beside it")
    for lasting in found.lasting:
        click.echo(f"  {_how_long(lasting)}")
    if not found.lasting:
        click.echo("It takes a moment, however large the ledger is; webhooks wait meanwhile and are taken.")
    if not found.left_behind:
        click.echo("All processes that run go on beside it.")
        return 0
    click.echo("These could not go on, so `migrate` and `up` refuse until they have ended:")
    for process in found.left_behind:
        click.echo(f"  {named(process)}")
    return NOT_NOW


def _how_long(lasting: Lasting) -> str:
    what = "what it changes" if lasting.table is None else f"all {lasting.rows} rows of {lasting.table}"
    return f"goes through {what}, and nobody writes meanwhile (503): {lasting.statement}"
