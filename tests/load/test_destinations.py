"""Several destinations at once: each in order, none forgotten."""

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.load import fairness, order
from tests.waiting import eventually


@pytest.mark.timeout(200)
def test_lines_leave_in_order_where_lumail_fails_and_workers_stand_still(tmp_path: Path, sqlite_url: str) -> None:
    random.seed(3)
    size = order.Size(subscribers=30, events=300, workers=3, fails_for=12, within=100)
    assert order.run(tmp_path, sqlite_url, size) == order.Order(recorded=300, doubled=0, lines=60, inverted=[])


@pytest.mark.timeout(250)
def test_a_destination_that_hangs_and_one_that_refuses_keep_nobody_waiting(tmp_path: Path, sqlite_url: str) -> None:
    names, each = fairness.answering(20), 10
    with fairness.crowd(tmp_path, sqlite_url, number=20, each=each) as running:
        eventually(lambda: len(running.sandbox.events()) == len(names) * each, within=200)
        found = fairness.records(running.sandbox)
    assert Counter(name for name, _ in found) == dict.fromkeys(names, each)
    assert fairness.through_too_soon(found, each) == []
