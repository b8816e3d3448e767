"""The command `python -m benchmarks.strangers`: what a shop costs whose customers Lumail does not know."""

import sys
import time
from collections import Counter
from datetime import datetime, timedelta

import click

from benchmarks.stage import KINDS, stage
from gateway.config import Destination
from gateway.ledger.database import Ledger
from gateway.ledger.migration import migrate
from gateway.ledger.schema import events
from gateway.lumail.sandbox import SandboxServer, SandboxSettings, create_sandbox, sandbox_of
from gateway.lumail.transport import Transport
from tests.making import NOON, add_destinations, opened, payment, rows
from tests.town import Town

TOKEN = "lum_of_the_benchmark"
ROUNDS = (0, 2, 25, 47)
"""Hours after the first at which each stranger buys something and opens two mails."""

MOST_CALLS = 4
SOON = timedelta(seconds=1)
GROUP = 500


@click.command()
@click.option("--number", default=10_000, show_default=True, help="Of strangers.")
@click.option("--database", type=click.Choice(KINDS), default="sqlite", show_default=True)
def main(number: int, database: str) -> None:
    """Two simulated days of strangers under the policy `wait`, over real HTTP: calls for each, and who waits for them.

    Ends with exit status 1 where one cost more than four calls, or an event of a known subscriber waited for a second.
    """
    lumail = create_sandbox(SandboxSettings(api_tokens=(TOKEN,)))
    with stage() as on, SandboxServer(lumail) as server:
        ledger = Ledger(on.database(database))
        migrate(ledger)
        add_destinations(ledger, "main")
        transport = Transport(server.base_url, TOKEN)
        plan = Destination("main", server.base_url, TOKEN, requests_per_minute=10_000_000)
        began = time.monotonic()
        town = Town(ledger, sandbox_of(lumail), transport, plan)
        delays = [_round(town, number, hours) for hours in ROUNDS]
        town.until(NOON + timedelta(hours=48) - timedelta(seconds=1))
        calls = town.calls()
        calls.pop("ana@example.com")
        told = Counter(f"{status}: {reason}" if reason else status for status, reason in town.statuses())
        ledger.close()
        transport.close()
    click.echo(
        f"{database}, {len(calls)} strangers with {sum(told.values())} events in 48 h: {calls.total()} calls, at most"
        f" {max(calls.values())} for one; {dict(told)}; an event of a known subscriber waited for"
        f" {max(delays) / timedelta(milliseconds=1):.0f} ms at the longest ({time.monotonic() - began:.0f} s)"
    )
    sys.exit(max(calls.values()) > MOST_CALLS or max(delays) >= SOON)


def _round(town: Town, number: int, hours: int) -> timedelta:
    """Everybody comes again; how long the event of somebody whom Lumail knows waited among them."""
    town.until(NOON + timedelta(hours=hours))
    for start in range(0, number, GROUP):
        facts = []
        for one in range(start, min(start + GROUP, number)):
            who = f"s{one}@unknown.example.com"
            facts += [payment(f"p:{hours}:{one}", subscriber=who)]
            facts += [opened(f"o:{hours}:{one}", who), opened(f"r:{hours}:{one}", who)]
        town.tell(*facts)
    [known] = town.tell(payment(f"k:{hours}"))
    reported_at = town.now
    town.until(reported_at + timedelta(minutes=5))
    return _settled_at(town, known) - reported_at


def _settled_at(town: Town, event: str) -> datetime:
    [at] = [settled for identity, settled in rows(town.ledger, events, "id", "settled_at") if identity == event]
    assert isinstance(at, datetime), "the event of a known subscriber did not arrive in five minutes"
    return at


if __name__ == "__main__":
    main()
