"""What every adapter owes to strangers, Python and YAML alike: before the proof a body costs no more than its bytes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.translation.adapter import Adapter
from gateway.translation.registry import default_sample
from gateway.translation.signature import Reads, Unproven
from tests.adapters.cases import ADAPTERS, options_of
from tests.adapters.unproven_bodies import MEGABYTE, Cost

SPARE_MEMORY = 12 * MEGABYTE
MEMORY_A_BYTE = 8
SECONDS = 0.5
"""For a megabyte and less. All is some ten times what is needed; what parses before it believes takes more."""


def costs(folder: Path, *names: str) -> list[Cost]:
    argv = [sys.executable, "-m", "tests.adapters.unproven_bodies", str(folder), *names]
    told = subprocess.run(argv, capture_output=True, text=True, check=True)
    return [Cost(**json.loads(line)) for line in told.stdout.splitlines() if line.startswith('{"adapter"')]


def is_dear(cost: Cost) -> bool:
    return cost.seconds > SECONDS or cost.grown > SPARE_MEMORY + MEMORY_A_BYTE * cost.sent


def test_what_a_stranger_sends_costs_no_more_than_its_bytes_and_is_refused(tmp_path: Path) -> None:
    found = costs(tmp_path, *(adapter.name for adapter in ADAPTERS))
    assert len(found) > 50 * len(ADAPTERS)
    assert [cost for cost in found if is_dear(cost)] == []
    assert {cost.status for cost in found} <= {400, 401, 413, 415}


def test_a_scheme_that_parses_before_it_believes_is_found_out(tmp_path: Path) -> None:
    dear = {cost.name.partition(",")[0] for cost in costs(tmp_path, "careless") if is_dear(cost)}
    assert "one-character arrays" in dear


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_every_scheme_says_what_it_reads_unproven(adapter: Adapter) -> None:
    told = adapter.scheme(options_of(adapter, default_sample(adapter.name))).unproven
    assert isinstance(told, Unproven)
    assert told.most is None or told.reads is Reads.CONTENT
