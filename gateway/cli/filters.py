"""What a list of events or webhooks can be narrowed by, and how it goes on."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import click

from gateway.events import EventType, Lane
from gateway.formats.durations import duration
from gateway.ledger.views.search import Filters


class Since(click.ParamType[datetime]):
    """A time ago (`15m`, `2h`, `3d`) or an ISO 8601 time, which is local where it names no zone."""

    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        if (age := duration(value)) is not None:
            return datetime.now(UTC) - age
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither a time ago (15m, 2h, 3d) nor a time (2026-11-03T09:00)", param, ctx)


def filter_options(statuses: Sequence[str]) -> Callable[[Any], Any]:
    """Adds what a list can be narrowed by, and how it goes on; the command gets the former as `filters`."""
    options = (
        click.option(
            "--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="At most so many."
        ),
        click.option("--after", metavar="ID", help="Go on behind this one, the last of the list before."),
    )

    def add(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return narrowing_options(statuses)(command)

    return add


def narrowing_options(statuses: Sequence[str], usual_status: str | None = None) -> Callable[[Any], Any]:
    """Adds what can be asked for; the command gets it as `filters`. `usual_status` is asked for where none is said."""
    options = (
        click.option(
            "--status",
            type=click.Choice(statuses),
            default=usual_status,
            show_default=usual_status is not None,
            help="Only those that stand so.",
        ),
        click.option("--type", "event_type", type=click.Choice(list(EventType)), metavar="TYPE", help="Lumail's type."),
        click.option("--lane", type=click.Choice([lane.word for lane in Lane]), help="Only this lane."),
        click.option("--source", help="Only what came to this source."),
        click.option("--destination", help="Only what goes to this destination."),
        click.option("--subscriber", help="Only about this e-mail address."),
        click.option("--since", type=Since(), help="Not older than 15m, 2h, 3d, or a time like 2026-11-03T09:00."),
    )

    def add(command: Any) -> Any:
        @wraps(command)
        def narrowed(
            *given: Any,
            status: str | None,
            event_type: str | None,
            lane: str | None,
            source: str | None,
            destination: str | None,
            subscriber: str | None,
            since: datetime | None,
            **others: Any,
        ) -> Any:
            chosen = None if lane is None else Lane[lane.upper()]
            person = None if subscriber is None else subscriber.strip().lower()
            filters = Filters(status, event_type, chosen, source, destination, person, since)
            return command(*given, filters=filters, **others)

        decorated: Any = narrowed
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return add


def hint_more(after: str | None) -> None:
    if after is not None:
        click.echo(f"There are more: add --after {after}")
