"""The command `status`: how things stand, and what needs a person."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import click
from sqlalchemy import Connection

from gateway.attention import Facts, Need, Watched, attention, gathered, trouble_of
from gateway.cli.display import Column, local, printable, show_document, show_table
from gateway.cli.settings import Said, installation, installation_options, json_option, opened_ledger
from gateway.config import Config
from gateway.errors import LedgerUnavailableError
from gateway.events import Lane
from gateway.formats.wording import as_plain, distance, span
from gateway.ledger.facts import pinned_accounts
from gateway.ledger.views.overview import DestinationState, Halt, Overview, SourceState
from gateway.startup import weak_secrets


@click.command()
@click.option("--strict", is_flag=True, help="Exit status 1 if anything needs a person.")
@installation_options
@json_option
@click.pass_context
def status(context: click.Context, said: Said, strict: bool, as_json: bool) -> None:
    """How things stand, and what needs a person.

    What waits at each destination, what each source brought in the last 24 hours.

    \b
    Examples:
      lumail-gateway status
      lumail-gateway status --strict --json
    """
    config = installation(said).config
    watched = Watched(config, weak_secrets(config))
    bound: dict[str, str] = {}
    try:
        with opened_ledger(config) as ledger:
            facts = gathered(ledger, watched, trouble_of(ledger))
            with ledger.read() as connection:
                bound = _bound(config, connection)
    except LedgerUnavailableError as error:
        facts = Facts(watched, str(error))
    needs = attention(facts)
    if as_json:
        found = {} if facts.overview is None else as_plain(facts.overview)
        show_document({**found, "accounts": bound, "needs_a_person": needs})
    else:
        _show(facts, bound)
        _show_needs(needs, facts)
    if facts.trouble is not None or (strict and needs):
        context.exit(1)


def _show(facts: Facts, bound: Mapping[str, str]) -> None:
    if facts.overview is None:
        return
    _show_destinations(facts.overview)
    _show_forecast(facts.overview)
    _show_sources(facts.overview)
    for name, account in bound.items():
        click.echo(f"{name} is bound to the account {printable(account)}, the first that its webhooks named")


def _bound(config: Config, connection: Connection) -> dict[str, str]:
    """The account of each source that goes by what its webhooks named."""
    return {
        name: account
        for name, account in pinned_accounts.pinned(connection).items()
        if name in config.sources and config.sources[name].account is None
    }


def _show_destinations(found: Overview) -> None:
    show_table(
        [Column("destination", keeps=True), Column("state", keeps=True), Column("last 60 s", keeps=True, right=True)]
        + [Column(lane.word, keeps=True, right=True) for lane in Lane]
        + [Column("oldest due", keeps=True, right=True)],
        [
            (
                one.name,
                "not configured any more" if one.requests_per_minute is None else one.state,
                _of_plan(one),
                *(f"{one.backlog[lane.word]:,}" for lane in Lane),
                None if one.oldest_due_at is None else span(found.at - one.oldest_due_at),
            )
            for one in found.destinations
        ],
        empty="No destination is configured.",
    )


def _show_forecast(found: Overview) -> None:
    """Lines for each destination: why it rests, and with a backlog when each lane will be through."""
    for one in found.destinations:
        if one.halt is not None:
            click.echo(f"{one.name} is {_rests(one.halt, found.at)}")
        elif one.state == "paced":
            click.echo(f"{one.name} is paced: the plan is used up for the moment")
        for name in one.resting:
            click.echo(f"{one.name}: {printable(name)} rests until somebody resumes it")
        waiting = [lane.word for lane in Lane if one.backlog[lane.word]]
        known = [(word, at) for word in waiting if (at := one.through[word]) is not None]
        if known:
            told = ", ".join(f"{word} {_by(at, found.at)}" for word, at in known)
            click.echo(f"{one.name} will be through with {told}, if no more comes")
        elif waiting and one.halt is None:
            click.echo(f"{one.name}: nobody knows when {', '.join(waiting)} will be through: nothing leaves")


def _by(at: datetime, now: datetime) -> str:
    return "within seconds" if at - now < timedelta(seconds=5) else f"in {span(at - now)} ({local(at, now)})"


def _show_sources(found: Overview) -> None:
    click.echo()
    show_table(
        [Column("source", keeps=True), Column("last webhook", keeps=True), Column("in the last 24 hours", keeps=True)],
        [
            (
                one.name,
                "never" if one.last_webhook_at is None else distance(one.last_webhook_at, found.at),
                ", ".join(f"{count:,} {word}" for word, count in _words(one).items()) or "none",
            )
            for one in found.sources
        ],
        empty="No source is configured.",
    )


def _show_needs(needs: Sequence[Need], facts: Facts) -> None:
    """Never cut: what is copied from here has to be whole."""
    click.echo()
    if not needs:
        click.echo("Nothing needs a person.")
        return
    click.echo("This needs a person:")
    for need in needs:
        since = ""
        if need.since is not None and facts.overview is not None:
            since = f" (since {local(need.since, facts.overview.at)})"
        cause = f": {printable(need.cause)}" if need.cause else ""
        click.echo(f"  {need.severity}: {printable(need.text)}{cause}{since}")
        if need.cure:
            click.echo(f"    {printable(need.cure)}")
        if need.command:
            click.echo(f"    {printable(need.command)}")


def _rests(halt: Halt, now: datetime) -> str:
    until = "somebody resumes it" if halt.until is None else local(halt.until, now)
    return f"paused until {until}: {halt.reason}"


def _of_plan(one: DestinationState) -> str:
    plan = "" if one.requests_per_minute is None else f" of {one.requests_per_minute:,}"
    return f"{one.requests_last_minute:,}{plan}"


def _words(one: SourceState) -> Mapping[str, int]:
    return {**one.outcomes, **({"rejected": one.rejected} if one.rejected else {})}
