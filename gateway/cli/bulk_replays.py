"""The commands that replay many: what would come of it, a job in the ledger, its progress, and its end."""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from gateway.cli.display import Column, local, show_document, show_fields, show_table
from gateway.cli.filters import narrowing_options
from gateway.cli.replays import replay
from gateway.cli.settings import Said, installation, installation_options, json_option, opened_ledger, who
from gateway.config import Config
from gateway.errors import CommandError
from gateway.formats.wording import as_plain, counted, span
from gateway.intake.route import routes
from gateway.ledger.database import Ledger
from gateway.ledger.jobs import jobs
from gateway.ledger.jobs.jobs import EVENTS, RUNNING, WEBHOOKS, Job
from gateway.ledger.status import OUTCOMES, Outcome, Status
from gateway.ledger.views.search import Filters
from gateway.replay import bulk, selection
from gateway.replay.selection import Preview, Selection
from gateway.translation.registry import adapters, beside

EVERY = 0.5
"""Seconds between two looks at a job that somebody follows."""

UNTOUCHED = 10
"""Seconds after which it is said that no worker has begun."""

EVENT_STATUSES = tuple(one.value for one in (Status.FAILED, Status.HELD, Status.DROPPED, Status.DELIVERED))
WEBHOOK_STATUSES = tuple(one.value for one in sorted(OUTCOMES, key=lambda one: one is not Outcome.QUARANTINED))

_preview = click.option("--preview", is_flag=True, help="Say what would come of it, and do nothing.")
_yes = click.option("--yes", is_flag=True, help="Do not ask.")


@replay.command("events")
@narrowing_options(EVENT_STATUSES, usual_status=Status.FAILED.value)
@click.option("--force", is_flag=True, help="Also those that Lumail has, or may have, and counts twice.")
@_preview
@_yes
@installation_options
@json_option
def many_events(said: Said, filters: Filters, force: bool, preview: bool, yes: bool, as_json: bool) -> None:
    """Send many events again, as the same events.

    They are shown and asked for first, and leave with a share of the plan, so that new ones need not wait for them.
    Ctrl-C ends the command, not the replay.

    \b
    Example:
      lumail-gateway replay events --status failed --since 2d --preview
    """
    _replay(said, Selection(EVENTS, filters, force), _Manner(preview, yes, as_json))


@replay.command("webhooks")
@narrowing_options(WEBHOOK_STATUSES, usual_status=Outcome.QUARANTINED.value)
@_preview
@_yes
@installation_options
@json_option
def many_webhooks(said: Said, filters: Filters, preview: bool, yes: bool, as_json: bool) -> None:
    """Translate many kept webhooks with today's adapters.

    Only what was missing is added. Ctrl-C ends the command, not the replay.

    \b
    Example:
      lumail-gateway replay webhooks --source stripe --since 2d
    """
    _replay(said, Selection(WEBHOOKS, filters), _Manner(preview, yes, as_json))


@replay.command("list")
@installation_options
@json_option
def list_replays(said: Said, as_json: bool) -> None:
    """The newest replays of many, and how far each has come.

    \b
    Example:
      lumail-gateway replay list
    """
    with opened_ledger(installation(said).config) as ledger, ledger.read() as connection:
        now = ledger.now(connection)
        found, _ = jobs.newest(connection, 20)
    if as_json:
        show_document({"replays": [as_document(job) for job in found]})
        return
    show_table(
        [
            Column("replay", keeps=True),
            Column("made", keeps=True),
            Column("status", keeps=True),
            Column("what"),
            Column("done", right=True),
            Column("of", right=True),
            Column("by"),
        ],
        [
            (
                job.id,
                local(job.made_at, now),
                job.status,
                f"{job.kind.removeprefix('replay ')} to {job.destination}",
                f"{job.done:,}",
                f"{job.total:,}",
                job.made_by,
            )
            for job in found
        ],
        empty="No replay of many so far.",
    )


@replay.command("show")
@click.argument("identity", metavar="ID")
@installation_options
@json_option
def show_replay(said: Said, identity: str, as_json: bool) -> None:
    """One replay of many: what was asked for, how far it has come and what became of it.

    \b
    Example:
      lumail-gateway replay show jb_0660d5d9c10b267f0acdb19031
    """
    with opened_ledger(installation(said).config) as ledger:
        job = _find(ledger, identity)
        with ledger.read() as connection:
            now = ledger.now(connection)
            before = jobs.before(connection, job) if job.status == RUNNING else []
    if as_json:
        show_document({**as_document(job), "waits_for": before})
        return
    _tell_job(job)
    show_fields(
        [
            ("asked for", ", ".join(f"{name} {value}" for name, value in job.request["filters"].items())),
            ("force", "yes" if job.request["force"] else None),
            ("by", job.made_by),
            ("made", local(job.made_at, now)),
            ("ended", local(job.ended_at, now)),
            ("waits for", ", ".join(before) or None),
            ("fault", job.error),
        ]
    )


@replay.command("cancel")
@click.argument("identity", metavar="ID")
@installation_options
@json_option
def cancel_replay(said: Said, identity: str, as_json: bool) -> None:
    """End a replay of many. What it released and what has not left yet goes back to what it was.

    \b
    Example:
      lumail-gateway replay cancel jb_0660d5d9c10b267f0acdb19031
    """
    with opened_ledger(installation(said).config) as ledger:
        job = bulk.cancel(ledger, identity, who())
    if as_json:
        show_document(as_document(job))
        return
    _tell_job(job)


def as_document(job: Job) -> Any:
    hidden = ("cursor", "looked_through", "slots_until", "next_at")
    return {name: value for name, value in as_plain(job).items() if name not in hidden}


@dataclass(frozen=True)
class _Manner:
    """How somebody wants it done."""

    preview: bool
    yes: bool
    as_json: bool


def _replay(said: Said, wanted: Selection, manner: _Manner) -> None:
    config = installation(said).config
    with opened_ledger(config) as ledger:
        made = selection.preview(ledger, config.plans, _routes(config, wanted), wanted)
        if manner.preview:
            _show_previews(made, wanted, as_json=manner.as_json)
            return
        if not any(one.total.number or one.total.more for one in made):
            raise CommandError("there is nothing of that kind: no filter fits")
        if not manner.as_json:
            _show_previews(made, wanted, as_json=False)
        if not manner.yes:
            if not sys.stdin.isatty():
                raise CommandError("nobody can be asked here: add --yes if that is what you want, or --preview")
            click.confirm("Replay them?", abort=True, err=True)
        begun = bulk.begin(ledger, config.plans, wanted, who())
        if manner.as_json:
            show_document({"replays": [as_document(job) for job in begun]})
            return
        _follow(ledger, begun)


def _routes(config: Config, wanted: Selection) -> Mapping[str, Any]:
    return {} if wanted.kind == EVENTS else routes(config, adapters(beside(config.file)))


def _show_previews(made: Sequence[Preview], wanted: Selection, *, as_json: bool) -> None:
    if as_json:
        show_document({"previews": made})
        return
    one_is, many_are = ("event", "events") if wanted.kind == EVENTS else ("webhook", "webhooks")
    for one in made:
        number = f"{'at least ' if one.total.more else ''}{counted(one.total.number, one_is, many_are)}"
        click.echo(f"{one.destination}: {number}")
        if one.total.number > one.looked_at:
            click.echo(f"  of the {one.looked_at:,} oldest:")
        for word, count in one.does.items():
            click.echo(f"  {count:,} {f'to be sent ({word})' if wanted.kind == EVENTS else word}")
        for cause, count in one.refused.items():
            click.echo(f"  {count:,} left alone: {cause}")
        for cause, count in one.forced.items():
            click.echo(f"  by force: {selection.effect_of_force(cause, count)}")
        if not wanted.force:
            for cause, count in selection.can_be_forced(one.refused).items():
                click.echo(f"  --force: {selection.effect_of_force(cause, count)}")
        took = selection.span_of(one)
        if took is None:
            click.echo("  it rests now: nothing leaves until it is resumed")
        elif one.does:
            click.echo(f"  through in about {span(took)} at the plan's rate")


def _follow(ledger: Ledger, begun: Sequence[Job]) -> None:
    """Show how far they come until they are through; Ctrl-C only ends the looking."""
    try:
        if sys.stdout.isatty():
            _show_progress(ledger, begun)
        else:
            _await(ledger, begun)
    except KeyboardInterrupt:
        click.echo("The replay goes on. To look at it, or to end it:", err=True)
        for job in begun:
            click.echo(f"  lumail-gateway replay show {job.id}", err=True)
            click.echo(f"  lumail-gateway replay cancel {job.id}", err=True)
        return
    for job in begun:
        _tell_job(_find(ledger, job.id))


def _show_progress(ledger: Ledger, begun: Sequence[Job]) -> None:
    bars = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*bars) as progress:
        tasks = {job.id: progress.add_task(job.destination, total=job.total or None, told="") for job in begun}
        began = time.monotonic()
        while running := _looked(ledger, begun):
            for job in running:
                progress.update(tasks[job.id], completed=job.done, told=_words(job, time.monotonic() - began))
            time.sleep(EVERY)
        for job in begun:
            last = _find(ledger, job.id)
            progress.update(tasks[job.id], completed=last.done, told=_words(last, 0))


def _await(ledger: Ledger, begun: Sequence[Job]) -> None:
    for job in begun:
        click.echo(f"{job.id} runs; it goes on when this command is ended")
    while _looked(ledger, begun):
        time.sleep(EVERY)


def _looked(ledger: Ledger, begun: Sequence[Job]) -> list[Job]:
    """Those as they are now, if one of them runs."""
    now = [_find(ledger, job.id) for job in begun]
    return now if any(job.status == RUNNING for job in now) else []


def _words(job: Job, seconds: float) -> str:
    if job.error is not None:
        return job.error
    if not job.done and seconds > UNTOUCHED:
        return "no worker has begun: does `lumail-gateway up` run?"
    return ", ".join(f"{number:,} {word}" for word, number in job.counts.items())


def _tell_job(job: Job) -> None:
    click.echo(f"{job.id} is {job.status}: {job.done:,} of {job.total:,} {job.kind.removeprefix('replay ')}")
    for word, number in job.counts.items():
        click.echo(f"  {number:,} {word}")


def _find(ledger: Ledger, identity: str) -> Job:
    with ledger.read() as connection:
        found = jobs.find(connection, identity)
    if found is None:
        raise CommandError(f"no replay {identity}: `lumail-gateway replay list` shows those that are kept")
    return found
