"""Several destinations at once: each in order, none forgotten."""

import random
from pathlib import Path

import pytest

from tests.load import fairness, order


@pytest.mark.timeout(200)
def test_lines_leave_in_order_where_lumail_fails_and_workers_stand_still(tmp_path: Path, sqlite_url: str) -> None:
    random.seed(3)
    size = order.Size(subscribers=30, events=300, workers=3, fails_for=12, within=100)
    assert order.run(tmp_path, sqlite_url, size) == order.Order(recorded=300, doubled=0, lines=60, inverted=[])


def test_a_destination_that_hangs_and_one_that_refuses_keep_nobody_waiting(tmp_path: Path, sqlite_url: str) -> None:
    served = fairness.run(tmp_path, sqlite_url, number=20, seconds=15)
    assert max(served.longest.values()) < 10
