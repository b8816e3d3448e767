"""docs/develop/architecture.md draws what is there."""

import re
import tomllib

import pytest

from tests.cli.tryout import ROOT
from tests.docs.test_provider_pages import words_in

PAGE = (ROOT / "docs" / "develop" / "architecture.md").read_text()
WALKS = ["## The walk of a webhook, from the endpoint to its row", "## The walk of an event, from claim to answer"]


def test_every_file_and_folder_that_it_names_is_there() -> None:
    named = {
        word for word in words_in(re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)) if "/" in word and " " not in word
    }
    paths = {word for word in named if re.fullmatch(r"[a-z_./]+(\.py|/)", word)}
    assert {path for path in paths if not any((ROOT / start / path).exists() for start in ("", "gateway"))} == set()


@pytest.mark.parametrize("heading", WALKS)
def test_a_walk_visits_no_file_twice(heading: str) -> None:
    steps = re.findall(r"^\| (\d+) \| `(\S+)` \|", PAGE.split(heading)[1].split("\n## ")[0], flags=re.MULTILINE)
    assert [int(number) for number, _ in steps] == list(range(1, len(steps) + 1))
    assert len({file for _, file in steps}) == len(steps) > 5
    assert all((ROOT / "gateway" / file).is_file() for _, file in steps)


def test_the_floors_are_those_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [floors] = [one["layers"] for one in contracts if one.get("containers") == ["gateway"]]
    assert PAGE.split("```\ncli\n")[1].split("```")[0].splitlines() == floors[1:]
