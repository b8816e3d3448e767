"""Writes docs/reference/commands.md from the commands themselves (`make commands`)."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from gateway.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "commands.md"
MARK = "<!-- Written by `make commands` from here on. -->\n"
OF_EVERY_COMMAND = ("--config", "--data", "--sandbox")
MANY = 8


def commands(group: click.Group = main, path: str = "lumail-gateway") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with what is typed to call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def options(command: click.Command) -> Iterator[click.Option]:
    """Those of its own."""
    for param in command.params:
        if isinstance(param, click.Option) and param.opts[0] not in OF_EVERY_COMMAND:
            yield param


def page() -> str:
    """The whole page: what people wrote, and below the mark what the commands say of themselves."""
    written, mark, _ = PAGE.read_text().partition(MARK)
    known = dict(commands())
    rows = [_command(path, command) for path, command in known.items()]
    flags = [f"| {flag} | {meaning} | {_of(paths)} |" for (flag, meaning), paths in _flags(known).items()]
    return "\n".join(
        [
            written + mark,
            "## Every command",
            "",
            "| `lumail-gateway …` | What it does |",
            "|---|---|",
            *rows,
            "",
            "## Every flag",
            "",
            "| Flag | Means | Of |",
            "|---|---|---|",
            *flags,
            "",
        ]
    )


def _command(path: str, command: click.Command) -> str:
    context = click.Context(command)
    words = [param.make_metavar(context) for param in command.params if isinstance(param, click.Argument)]
    first = (command.help or "").splitlines()[0].rstrip(".")
    typed = " ".join([path.partition(" ")[2], *words]).replace("|", "\\|")
    return f"| `{typed}` | {first} |"


def _flags(known: Mapping[str, click.Command]) -> Mapping[tuple[str, str], list[str]]:
    """Of each flag and each meaning that it has, the commands that take it."""
    found: dict[tuple[str, str], list[str]] = {}
    for path, command in known.items():
        for option in options(command):
            found.setdefault((_spelt(option, command), _meaning(option)), []).append(path.partition(" ")[2])
    return found


def _of(paths: Sequence[str]) -> str:
    return "most commands" if len(paths) > MANY else ", ".join(paths)


def _spelt(option: click.Option, command: click.Command) -> str:
    if option.is_flag:
        return f"`{option.opts[0]}`"
    value = option.make_metavar(click.Context(command)).replace("|", "\\|").replace("INTEGER RANGE", "N")
    return f"`{option.opts[0]} {value}`"


def _meaning(option: click.Option) -> str:
    said = (option.help or "").rstrip(".")
    return f"{said} (default: {option.default})" if option.show_default and option.default is not None else said


if __name__ == "__main__":
    PAGE.write_text(page())
