"""How a plan is used, and how soon what is urgent passes a backlog; at length: `python -m benchmarks.plan`."""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from benchmarks.stage import KINDS, Stage, stage
from gateway.ledger.database import Ledger
from gateway.lumail.sandbox.limits import RESETS, WINDOWS
from tests.crash.installation import installation
from tests.load import traffic

PLANS = {"free": 100, "premium": 700, "enterprise": 2_000}
URGENT = 20
"""Complaints, and as many payments, that come in while a plan's use is measured."""


def measure(on: Stage, plans: Sequence[str]) -> dict[str, Any]:
    """Of each plan the second minute of a backlog in bulk: requests made, and seconds until what is urgent arrived."""
    return {name: _second_minute(on, PLANS[name]) for name in plans}


def _second_minute(on: Stage, plan: int) -> dict[str, Any]:
    url = on.database("sqlite")
    with installation(Path(on.new_folder("plan")), url, traffic.setup(plan)) as running:
        ledger = Ledger(url)
        traffic.add_bulk(ledger, plan * 4)
        ledger.close()
        begins = time.time() + traffic.MINUTE
        time.sleep(traffic.MINUTE)
        delays = traffic.delays(running.url, running.sandbox, URGENT, traffic.MINUTE)
        found = traffic.use(running.sandbox.requests(), begins, begins + traffic.MINUTE)
    return {
        "plan": plan,
        "used": found.made / plan,
        "most": found.sliding,
        "refused": found.refused,
        "urgent": delays.urgent[-1],
        "payments": delays.payments[-1],
    }


def lines(told: Mapping[str, Any]) -> list[str]:
    text = [f"The second minute of a backlog, {URGENT} complaints and payments (which settle for 5 s) among it; SQLite"]
    text += [
        f"  {name:10} {one['used']:.1%} of {one['plan']:,} used, at most {one['most']} in any 60 s, {one['refused']}"
        f" answered 429; urgent after at most {one['urgent']:.2f} s, payments after {one['payments']:.2f} s"
        for name, one in told.items()
    ]
    return [*text, ""]


@click.command()
@click.option("--plan", default=700, show_default=True, help="Requests a minute.")
@click.option("--minutes", default=6.0, show_default=True, help="How long; the first is not judged.")
@click.option("--mixed", is_flag=True, help="Payments and complaints come in too, more than the plan leaves.")
@click.option("--other", is_flag=True, help="Another client of the organization uses 30 % of the plan.")
@click.option("--window", type=click.Choice(list(WINDOWS)), default="sliding", show_default=True)
@click.option("--reset", type=click.Choice(list(RESETS)), default="end", show_default=True)
@click.option("--database", type=click.Choice(KINDS), default="sqlite", show_default=True)
@click.option("--waiting", default=100_000, show_default=True, help="Bulk events that wait.")
@click.option("--urgent", default=0, help="Measure the delay of so many complaints and payments instead.")
def main(
    plan: int,
    minutes: float,
    mixed: bool,
    other: bool,
    window: str,
    reset: str,
    database: str,
    waiting: int,
    urgent: int,
) -> None:
    """Deliver a backlog within a plan and judge Lumail's log of requests."""
    with stage() as on:
        url = on.database(database)
        folder = Path(on.new_folder("plan"))
        with (
            installation(folder, url, traffic.setup(plan, window=window, reset=reset)) as running,
            ExitStack() as meanwhile,
        ):
            ledger = Ledger(url)
            meanwhile.callback(ledger.close)
            began = time.monotonic()
            traffic.add_bulk(ledger, waiting)
            click.echo(
                f"{database}, plan {plan}, {window} window, its reset the {reset}, {waiting} wait"
                f" (added in {time.monotonic() - began:.0f} s)"
            )
            if other:
                meanwhile.enter_context(traffic.other_client(running.base_url, plan * 0.3))
            if mixed:
                meanwhile.enter_context(traffic.trickle(ledger, every=60 / plan * 8))
            if urgent:
                time.sleep(5)
                delays = traffic.delays(running.url, running.sandbox, urgent, minutes * 60)
                passed = traffic.overtaken(ledger)
                click.echo(f"  {delays.told()}; passed by {len(passed)} bulk events; load {os.getloadavg()[0]:.1f}")
                return
            begins = time.time() + 60
            ends = begins + (minutes - 1) * 60
            time.sleep(max(0.0, ends - time.time()))
            found = traffic.use(running.sandbox.requests(), begins, ends)
            click.echo(f"  {found.told(plan, ends - begins)}; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
