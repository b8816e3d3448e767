"""The commands as a whole: their table in the documentation, their help, their flags, their faults."""

from inspect import cleandoc
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal
from tests.docs.commands import OF_EVERY_COMMAND, PAGE, commands, page

COMMANDS = dict(commands())
each_command = pytest.mark.parametrize("path", COMMANDS)


def test_the_documentation_has_every_command_and_flag_as_it_is() -> None:
    assert PAGE.read_text() == page(), "type `make commands`"


@each_command
def test_every_help_has_an_example(path: str) -> None:
    example = cleandoc(COMMANDS[path].help or "").partition("\n\b\nExample")[2]
    assert path in example


@each_command
def test_every_command_takes_the_flags_of_the_installation(path: str) -> None:
    flags = {param.opts[0] for param in COMMANDS[path].params}
    assert set(OF_EVERY_COMMAND) <= flags


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
