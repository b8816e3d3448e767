"""The command `python -m benchmarks.destinations`: order within lines where much fails, and fairness among many."""

import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from benchmarks.stage import KINDS, stage
from tests.load import fairness, order

SERVED_EVERY = 10.0
"""Seconds within which each destination should be served again, however many there are."""


@click.group()
def main() -> None:
    """Several destinations at once; ends with exit status 1 where an aim is missed."""


_database = click.option("--database", type=click.Choice(KINDS), default="sqlite", show_default=True)


@main.command("order")
@_database
@click.option("--events", default=5_000, show_default=True, help="How many wait, at three destinations together.")
@click.option("--subscribers", default=200, show_default=True)
@click.option("--workers", default=4, show_default=True)
@click.option("--seconds", default=120.0, show_default=True, help="How long it fails at the longest.")
@click.option("--faults", default=0.1, show_default=True, help="Share of the requests to Lumail that fail.")
@click.option("--seed", type=int)
def in_order(
    database: str, events: int, subscribers: int, workers: int, seconds: float, faults: float, seed: int | None
) -> None:
    """Lines of many subscribers while Lumail fails and workers stand still past their lease: is any inverted?"""
    seed = random.randrange(10**6) if seed is None else seed
    random.seed(seed)
    events -= events % len(order.DESTINATIONS)  # as many at each
    size = order.Size(subscribers, events, workers, fails_for=seconds, within=900)
    with _world(database) as (folder, url):
        began = time.monotonic()
        found = order.run(folder, url, size, faults)
        click.echo(
            f"{database}, {workers} workers, --seed {seed}: {found.recorded} recorded of {events}, {found.doubled}"
            f" twice; {len(found.inverted)} inversions in {found.lines} lines ({time.monotonic() - began:.0f} s)"
        )
    sys.exit(bool(found.inverted or found.doubled or found.recorded != events))


@main.command("fairness")
@_database
@click.option("--number", default=50, show_default=True, help="Of destinations; one hangs, one refuses connections.")
@click.option("--workers", default=2, show_default=True)
@click.option("--seconds", default=60.0, show_default=True)
def fairly(database: str, number: int, workers: int, seconds: float) -> None:
    """Something waits at every destination all the time: how long does one go without a request?"""
    names = fairness.answering(number)
    with _world(database) as (folder, url):
        with fairness.crowd(folder, url, number, each=int(seconds * 2), workers=workers) as running:
            begins = time.time()
            time.sleep(seconds)
            found = fairness.longest_waits(fairness.records(running.sandbox), names, begins, begins + seconds)
        longest = max(found.values())
        click.echo(
            f"{database}, {number} destinations, {workers} workers: the longest wait of any is {longest:.1f} s"
            f" (aim {SERVED_EVERY:.0f}), of the median one {sorted(found.values())[len(found) // 2]:.1f} s"
        )
    sys.exit(longest > SERVED_EVERY)


@contextmanager
def _world(database: str) -> Iterator[tuple[Path, str]]:
    with stage() as on:
        yield on.new_folder("destinations"), on.database(database)


if __name__ == "__main__":
    main()
