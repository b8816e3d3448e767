"""The command `status`: how things stand, and what needs a person."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import click
from sqlalchemy import Connection

from gateway.cli.display import Column, local, printable, show_document, show_table
from gateway.cli.settings import Said, installation, installation_options, json_option, opened_ledger
from gateway.config import Config
from gateway.events import Lane
from gateway.formats.wording import as_plain, counted, distance, span
from gateway.ledger.facts import pinned_accounts
from gateway.ledger.status import Status
from gateway.ledger.views.overview import DestinationState, Halt, Overview, SourceState, overview
from gateway.startup import weak_secrets


@click.command()
@installation_options
@json_option
def status(said: Said, as_json: bool) -> None:
    """How things stand, and what needs a person.

    What waits at each destination, what each source brought in the last 24 hours.

    \b
    Example:
      lumail-gateway status
    """
    config = installation(said).config
    plans = {name: one.requests_per_minute for name, one in config.destinations.items()}
    with opened_ledger(config) as ledger, ledger.read() as connection:
        found = overview(connection, ledger.now(connection), plans, config.sources, config.mixing)
        bound = _bound(config, connection)
    weak = weak_secrets(config)
    if as_json:
        show_document({**as_plain(found), "accounts": bound, "weak_secrets": weak, "needs_a_person": _counts(found)})
        return
    _show_destinations(found)
    _show_forecast(found)
    _show_sources(found)
    for name, account in bound.items():
        click.echo(f"{name} is bound to the account {printable(account)}, the first that its webhooks named")
    _show_needs(found)
    for name, told in weak.items():
        click.echo(f"This needs a person, too: source {name}: {'; '.join(told)}")


def _bound(config: Config, connection: Connection) -> dict[str, str]:
    """The account of each source that goes by what its webhooks named."""
    return {
        name: account
        for name, account in pinned_accounts.pinned(connection).items()
        if name in config.sources and config.sources[name].account is None
    }


def _show_destinations(found: Overview) -> None:
    show_table(
        [Column("destination", keeps=True), Column("state"), Column("last 60 s", keeps=True, right=True)]
        + [Column(lane.word, keeps=True, right=True) for lane in Lane]
        + [Column("oldest due", keeps=True, right=True)],
        [
            (
                one.name,
                _state(one, found.at),
                _of_plan(one),
                *(f"{one.backlog[lane.word]:,}" for lane in Lane),
                None if one.oldest_due_at is None else span(found.at - one.oldest_due_at),
            )
            for one in found.destinations
        ],
        empty="No destination is configured.",
    )


def _show_forecast(found: Overview) -> None:
    """A line for each destination with a backlog: when each lane will be through."""
    for one in found.destinations:
        for name in one.resting:
            click.echo(f"{one.name}: {printable(name)} rests until somebody resumes it")
        waiting = [lane.word for lane in Lane if one.backlog[lane.word]]
        known = [(word, at) for word in waiting if (at := one.through[word]) is not None]
        if known:
            told = ", ".join(f"{word} {_by(at, found.at)}" for word, at in known)
            click.echo(f"{one.name} will be through with {told}, if no more comes")


def _by(at: datetime, now: datetime) -> str:
    return "at once" if at - now < timedelta(seconds=1) else f"in {span(at - now)} ({local(at, now)})"


def _show_sources(found: Overview) -> None:
    click.echo()
    show_table(
        [Column("source", keeps=True), Column("last webhook", keeps=True), Column("in the last 24 hours")],
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
    for unknown in found.unknown_paths:
        click.echo(
            f"{counted(unknown.count, 'request')} to {unknown.path!a}, which is no source "
            f"({distance(unknown.at, found.at)}): compare the provider's URL with the sources above"
        )


def _show_needs(found: Overview) -> None:
    counts = _counts(found)
    told = [
        (counts[Status.HELD], "event held", "events held", "lumail-gateway events list --status held"),
        (counts[Status.FAILED], "event failed", "events failed", "lumail-gateway events list --status failed"),
        (
            counts["quarantined"],
            "webhook in quarantine",
            "webhooks in quarantine",
            "lumail-gateway webhooks list --status quarantined",
        ),
    ]
    click.echo()
    if not any(counts.values()):
        click.echo("Nothing needs a person.")
        return
    click.echo("This needs a person:")
    for count, one, many, command in told:
        if count:
            click.echo(f"  {counted(count, one, many)}: {command}")
    if found.undecided:
        many = counted(found.undecided, "of the held events is", "of the held events are")
        click.echo(f"  {many} to be decided: Lumail may have it (`events show ID` tells what can be done)")
    if found.heard_only:
        payments = counted(found.heard_only, "payment is", "payments are")
        click.echo(f"  {payments} told only by objects that make none: see payments_from on the provider's page")
    for pair in found.mixed:
        click.echo(f"  {pair.text}: lumail-gateway destinations mix {pair.destination}, or other_currencies")
    if counts["incidents"]:
        click.echo(f"  {counted(counts['incidents'], 'fact')} told to Lumail as it is not:")
    for incident in found.incidents:
        click.echo(f"    {incident.text}: lumail-gateway events show {incident.events[0]}")
    if found.requests:
        click.echo(f"  {counted(len(found.requests), 'person asks', 'people ask')} for a copy of what is held of them:")
    for request in found.requests:
        asked = f"{request.source or 'somebody'}, {distance(request.made_at, found.at)}"
        click.echo(f"    {printable(request.reference or request.id)} ({asked}): lumail-gateway export {request.id}")


def _state(one: DestinationState, now: datetime) -> str:
    if one.halt is not None:
        return _rests(one.halt, now)
    if one.requests_per_minute is None:
        return "not configured any more"
    return "paced: the plan is used up for the moment" if one.state == "paced" else one.state


def _rests(halt: Halt, now: datetime) -> str:
    until = "somebody resumes it" if halt.until is None else local(halt.until, now)
    return f"paused until {until}: {halt.reason}"


def _of_plan(one: DestinationState) -> str:
    plan = "" if one.requests_per_minute is None else f" of {one.requests_per_minute:,}"
    return f"{one.requests_last_minute:,}{plan}"


def _words(one: SourceState) -> Mapping[str, int]:
    return {**one.outcomes, **({"rejected": one.rejected} if one.rejected else {})}


def _counts(found: Overview) -> dict[str, Any]:
    return {
        Status.HELD: _total(one.held for one in found.destinations),
        Status.FAILED: _total(one.failed for one in found.destinations),
        "undecided": found.undecided,
        "incidents": found.incident_count,
        "heard_only": found.heard_only,
        "mixed": len(found.mixed),
        "requests": len(found.requests),
        "quarantined": _total(one.quarantined for one in found.sources),
    }


def _total(numbers: Iterable[int]) -> int:
    return sum(numbers)
