"""The small form of `make chaos`: payments and mail events where all that can fail does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.crash import chaos
from tests.crash.chaos import Found
from tests.crash.worlds import on_postgresql, on_sqlite
from tests.services import Postgres

SMALL: Mapping[str, Any] = {
    "events": 600,
    "killed": (2.0, 4.0),
    "stopped": (5.0, 8.0),
    "rests": (11.0, 13.0),
    "gives_up": 22.0,
    "patience": 230.0,
    "breaks": (1.0, 3.0),
    "lasts": (2.0, 4.0),
    "redis_lasts": (3.0, 5.0),
    "changes": (1.0, 3.0),
    "most_changes": 1,
}


def faultless(found: Found) -> bool:
    print(found.told())
    return not (found.lost or found.doubled or found.quarantined)


@pytest.mark.timeout(900)
def test_nothing_is_lost_or_recorded_twice_where_everything_fails_on_sqlite(tmp_path: Path) -> None:
    with on_sqlite(tmp_path, "64m", **SMALL, echo=True) as world:
        found = chaos.run(tmp_path, world)
    assert faultless(found)
    assert not found.undecided


@pytest.mark.timeout(900)
def test_nothing_is_lost_or_recorded_twice_where_everything_fails_on_postgresql(
    tmp_path: Path, postgres: Postgres
) -> None:
    with on_postgresql(postgres, **SMALL, echo=False) as world:
        assert faultless(chaos.run(tmp_path, world))
