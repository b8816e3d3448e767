"""The command `python -m benchmarks.chaos`: whether anything is lost or recorded twice where everything fails."""

import random
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager

import click

from benchmarks.stage import KINDS, Stage, stage
from tests.crash import chaos, steady
from tests.crash.chaos import World
from tests.crash.worlds import on_postgresql, on_sqlite

ROOM = "256m"
"""Of the disk that the SQLite ledger has for itself, and that is full now and then."""

RELOADS, RESTARTS = 10, 3


@click.command()
@click.option("--events", default=10_000, show_default=True, help="How many are told.")
@click.option("--database", type=click.Choice(KINDS), help="Only on this one; default: on each.")
@click.option("--echo/--no-echo", default=None, help="Whether Lumail keeps our ids; default: one after the other.")
@click.option("--faults", default=0.2, show_default=True, help="Share of the requests to Lumail that fail.")
@click.option("--seed", type=int, help="Of the random numbers: who dies when, which amounts, what comes first.")
@click.option("--seconds", default=900.0, show_default=True, help="How long things fail at the longest.")
@click.option("--only-changes", is_flag=True, help="Only the webhooks that come while it is reloaded and restarted.")
def main(
    events: int,
    database: str | None,
    echo: bool | None,
    faults: float,
    seed: int | None,
    seconds: float,
    only_changes: bool,
) -> None:
    """Is each event recorded once, whatever fails?

    Processes die, Redis dies or stands still, workers stand still past their lease, the database stops, is locked or
    has no room, settings are read again, `up` is restarted, and Lumail fails. Then webhooks come at a steady rate
    through reloads and restarts alone, and none may be refused.

    Ends with exit status 1 where one was lost, recorded twice, quarantined, or refused.
    """
    seed = random.randrange(10**6) if seed is None else seed
    faultless = True
    with stage() as on:
        for kind, keeps in () if only_changes else _worlds(database, echo):
            random.seed(seed)
            click.echo(f"{kind}, {'echo' if keeps else 'no echo'}, --seed {seed}")
            with _world(on, kind, events=events, echo=keeps, faults=faults, gives_up=seconds) as world:
                found = chaos.run(on.new_folder("chaos"), world)
            click.echo(found.told())
            faultless = faultless and not (found.lost or found.doubled or found.quarantined)
        for kind in KINDS if database is None else (database,):
            click.echo(f"{kind}, settings and processes change")
            passed = steady.through_changes(
                on.new_folder("changes"), on.database(kind), reloads=RELOADS, restarts=RESTARTS, patience=300
            )
            click.echo(passed.told())
            faultless = faultless and not (passed.refused or passed.lost or passed.doubled)
    sys.exit(0 if faultless else 1)


def _worlds(database: str | None, echo: bool | None) -> Iterator[tuple[str, bool]]:
    for kind in KINDS if database is None else (database,):
        for keeps in (True, False) if echo is None else (echo,):
            yield kind, keeps


def _world(on: Stage, kind: str, **given: object) -> AbstractContextManager[World]:
    if kind == "sqlite":
        return on_sqlite(on.new_folder("ledger"), ROOM, **given)
    return on_postgresql(on.postgres(), **given)


if __name__ == "__main__":
    main()
