"""`send` where there is nothing to send to, or where it must not be sent. The road itself is in test_up."""

import pytest

from gateway.translation.registry import default_sample, samples
from tests.cli.conftest import Terminal


def test_what_delivers_to_the_real_lumail_gets_no_sample(terminal: Terminal) -> None:
    said = terminal.run("send", "stripe", status=2).stderr
    assert said.startswith("This gateway delivers to the real Lumail, where the sample would be counted")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody"], "no source nobody; there is stripe, sendgrid\n"),
        (
            ["stripe", "nothing", "--live"],
            "no case nothing of stripe: `lumail-gateway send SOURCE --list` shows them\n",
        ),
    ],
)
def test_a_wrong_name_is_a_wrong_command(terminal: Terminal, words: list[str], said: str) -> None:
    assert terminal.run("send", *words, status=2).stderr == said


def test_cases_are_listed_alike_ones_once(terminal: Terminal) -> None:
    listed = terminal.document("send", "stripe", "--list")["cases"]
    assert [one["case"] for one in listed] == list(samples("stripe"))
    assert [one["case"] for one in listed if one["default"]] == [default_sample("stripe").case]
    lines = terminal.lines("send", "stripe", "--list")
    kinds = {case.partition("[")[0] for case in samples("stripe")}
    assert len(lines) - 2 == len(kinds)
