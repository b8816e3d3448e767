"""The commands as a whole: their table in the documentation, their help, their flags, their faults."""

from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click
import pytest

from gateway.cli import main
from tests.cli.conftest import Terminal

TABLE = Path(__file__).parents[2] / "docs" / "commands.md"
OF_EVERY_COMMAND = ["--config", "--data", "--sandbox"]


def commands(group: click.Group, path: str = "lumail-gateway") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with what is typed to call it."""
    for name in group.list_commands(click.Context(group)):
        command = group.commands[name]
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands(main))
each_command = pytest.mark.parametrize("path", COMMANDS)


def flags(command: click.Command) -> list[str]:
    return [param.opts[0] for param in command.params if isinstance(param, click.Option)]


def row(path: str, command: click.Command) -> str:
    """The line that the table has for a command."""
    context = click.Context(command)
    words = [param.make_metavar(context) for param in command.params if isinstance(param, click.Argument)]
    own = " ".join(f"`{flag}`" for flag in flags(command) if flag not in OF_EVERY_COMMAND)
    first = (command.help or "").splitlines()[0].rstrip(".")
    return f"| `{' '.join([path, *words])}` | {own} | {first} |"


def test_the_documentation_has_every_command_as_it_is() -> None:
    table = [line for line in TABLE.read_text().splitlines() if line.startswith("| `lumail-gateway")]
    assert table == [row(path, command) for path, command in COMMANDS.items()]


@each_command
def test_every_help_has_an_example(path: str) -> None:
    example = cleandoc(COMMANDS[path].help or "").partition("\n\b\nExample")[2]
    assert path in example


@each_command
def test_every_command_takes_the_flags_of_the_installation(path: str) -> None:
    assert set(OF_EVERY_COMMAND) <= set(flags(COMMANDS[path]))


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["destinations", "list"],
        ["events", "list"],
        ["webhooks", "show", "wh_1"],
        ["replay", "event", "ev_1"],
        ["send", "stripe"],
        ["up"],
        ["web"],
        ["worker"],
        ["sandbox"],
    ],
)
def test_a_configuration_that_can_not_be_read_is_one_clean_message(words: list[str], tmp_path: Path) -> None:
    result = Terminal({"GATEWAY_DATA": str(tmp_path)}).run(*words, "--config", "/no/such.yaml", status=2)
    assert (result.stdout, result.stderr) == (
        "",
        "/no/such.yaml: can't be read: No such file or directory; name the file with --config or GATEWAY_CONFIG\n",
    )


def test_a_misspelt_command_is_a_wrong_command() -> None:
    assert "No such command 'evnets'" in Terminal().run("evnets", status=2).stderr
