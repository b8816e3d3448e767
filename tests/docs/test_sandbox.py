"""docs/sandbox.md names every fault and setting of the stand-in."""

import re
from pathlib import Path

from gateway.lumail.sandbox import SandboxSettings
from gateway.lumail.sandbox.faults import KINDS
from gateway.lumail.sandbox.limits import RESETS, WINDOWS
from gateway.lumail.sandbox.settings import _Changes
from tests.docs.test_provider_pages import words_in

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()


def first_cells(heading: str) -> list[str]:
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", section, flags=re.MULTILINE)
    return [word for cell in rows if cell != "`kind`" for word in words_in(cell)]


def test_every_fault_is_named_once() -> None:
    assert sorted(first_cells("Faults")) == sorted(KINDS)


def test_every_setting_that_can_be_changed_is_named_with_its_usual_value() -> None:
    assert first_cells("Settings") == list(_Changes().fields)
    usual = SandboxSettings().shown()
    told = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", PAGE, flags=re.MULTILINE))
    assert {name: str(usual[name]).lower().replace("none", "null").removesuffix(".0") for name in told} == told


def test_every_way_to_count_and_to_say_when_it_is_over_is_named() -> None:
    row = {line.split("`")[1]: set(words_in(line)) for line in PAGE.splitlines() if line.startswith("| `")}
    assert (row["window"] - {"window"}, row["reset"] - {"reset", "X-RateLimit-Reset"}) == (set(WINDOWS), set(RESETS))
