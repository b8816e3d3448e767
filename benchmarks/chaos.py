"""The command `python -m benchmarks.chaos`: whether anything is lost or recorded twice where everything fails."""

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from benchmarks.stage import KINDS, Stage, stage
from tests.crash import chaos


@click.command()
@click.option("--events", default=10_000, show_default=True, help="How many are told.")
@click.option("--database", type=click.Choice(KINDS), help="Only on this one; default: on each.")
@click.option("--echo/--no-echo", default=None, help="Whether Lumail keeps our ids; default: one after the other.")
@click.option("--faults", default=0.2, show_default=True, help="Share of the requests to Lumail that fail.")
@click.option("--seed", type=int, help="Of the random numbers: who dies when, which amounts, what comes first.")
@click.option("--seconds", default=900.0, show_default=True, help="How long things fail at the longest.")
def main(events: int, database: str | None, echo: bool | None, faults: float, seed: int | None, seconds: float) -> None:
    """Processes die, Redis dies, workers stand still past their lease, Lumail fails: is each event recorded once?

    Ends with exit status 1 where one was lost or recorded twice.
    """
    seed = random.randrange(10**6) if seed is None else seed
    faultless = True
    with stage() as on:
        for kind, keeps in _worlds(database, echo):
            random.seed(seed)
            click.echo(f"{kind}, {'echo' if keeps else 'no echo'}, --seed {seed}")
            world = chaos.World(on.database(kind), events, keeps, faults, gives_up=seconds)
            found = chaos.run(_folder(on), world)
            click.echo(found.told())
            faultless = faultless and not (found.lost or found.doubled)
    sys.exit(0 if faultless else 1)


def _worlds(database: str | None, echo: bool | None) -> Iterator[tuple[str, bool]]:
    for kind in KINDS if database is None else (database,):
        for keeps in (True, False) if echo is None else (echo,):
            yield kind, keeps


def _folder(on: Stage) -> Path:
    return on.new_folder("chaos")


if __name__ == "__main__":
    main()
