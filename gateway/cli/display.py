"""How commands show things: tables and times for people, one JSON document for programs."""

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import StringIO

import click
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.formats.wording import as_plain, distance

WIDE = 200
"""Characters a line where the output goes to no terminal."""

NARROWEST = 6
"""Characters that a column keeps however narrow the terminal is."""

GAP = 2
"""Characters between two columns."""


@dataclass(frozen=True)
class Column:
    """A column of a table; one that `keeps` its width is never cut, so that what stands in it can be copied."""

    title: str
    keeps: bool = False
    right: bool = False


def show_document(value: object) -> None:
    """One JSON document on stdout. ASCII only, so that nothing in it can steer a terminal."""
    click.echo(json.dumps(as_plain(value), indent=2))


def show_table(columns: Sequence[Column], rows: Iterable[Sequence[str | None]], empty: str) -> None:
    """A line a row. What does not fit is cut, never wrapped; where there is no row, `empty` says so."""
    cells = [[printable(cell or "") for cell in row] for row in rows]
    if not cells:
        click.echo(empty)
        return
    there = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDE
    widths = _widths(columns, cells, there - GAP * (len(columns) - 1))
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, GAP - 1, 0, 0))
    for column, width in zip(columns, widths, strict=True):
        table.add_column(
            column.title, width=width, no_wrap=True, overflow="ellipsis", justify="right" if column.right else "left"
        )
    for row in cells:
        table.add_row(*map(Text, row))
    drawn = StringIO()
    width = sum(widths) + GAP * len(widths)
    Console(file=drawn, width=width, force_terminal=sys.stdout.isatty(), emoji=False).print(table)
    for line in drawn.getvalue().splitlines():
        click.echo(line.rstrip())


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], there: int) -> list[int]:
    """What each column needs, taken from the widest of those that may be cut until all fit."""
    widths = [max(map(cell_len, cells)) for cells in zip([one.title for one in columns], *rows, strict=True)]
    cut = [place for place, one in enumerate(columns) if not one.keeps]
    while cut and sum(widths) > there:
        widest = max(cut, key=lambda place: widths[place])
        if widths[widest] <= NARROWEST:
            break
        widths[widest] -= 1
    return widths


def show_fields(fields: Iterable[tuple[str, str | None]]) -> None:
    """Names and values, a line each; a value that is None is left out."""
    told = [(name, value) for name, value in fields if value is not None]
    width = max((len(name) for name, _ in told), default=0)
    for name, value in told:
        click.echo(f"{name:{width}}  {printable(value)}")


def show_block(title: str, text: str) -> None:
    """Several lines, indented under a title."""
    click.echo(f"\n{title}")
    for line in text.splitlines():
        click.echo(f"  {printable(line)}")


def pretty(value: object) -> str:
    return json.dumps(as_plain(value), indent=2, ensure_ascii=False)


def printable(text: str) -> str:
    """Text that can't steer the terminal: it may come from strangers."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def local(instant: datetime | None, now: datetime) -> str | None:
    """The local time, as short as it is clear today: `14:03:59`, or `11-20 14:03:59`, or with the year."""
    if instant is None:
        return None
    here, today = instant.astimezone(), now.astimezone()
    form = "%H:%M:%S" if here.date() == today.date() else "%m-%d %H:%M:%S"
    return here.strftime(form if here.year == today.year else "%Y-%m-%d %H:%M:%S")


def at_length(instant: datetime | None, now: datetime) -> str | None:
    """The local time with its date and how far away it is."""
    if instant is None:
        return None
    return f"{instant.astimezone():%Y-%m-%d %H:%M:%S %Z} ({distance(instant, now)})"
