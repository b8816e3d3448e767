"""The small form of `make chaos`: payments and mail events where processes die, stand still and Lumail fails."""

from pathlib import Path

import pytest

from tests.crash.chaos import World, run

SMALL = {
    "events": 600,
    "killed": (2.0, 4.0),
    "stopped": (5.0, 8.0),
    "rests": (11.0, 13.0),
    "gives_up": 22.0,
    "patience": 230.0,
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("database", "echo"), [("sqlite", True), ("postgresql", False)])
def test_nothing_is_lost_or_recorded_twice_where_everything_fails(
    tmp_path: Path, request: pytest.FixtureRequest, database: str, echo: bool
) -> None:
    found = run(tmp_path, World(request.getfixturevalue(f"{database}_url"), echo=echo, **SMALL))  # type: ignore[arg-type]  # fields of World
    print(found.told())
    assert (found.lost, found.doubled) == ([], [])
    assert not (echo and found.undecided)
    assert found.killed.total() >= 3
