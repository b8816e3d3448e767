"""How things look to people: times, spans, tables that are cut and never wrapped."""

import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gateway.cli.display import at_length, local
from gateway.formats.wording import as_plain, distance, span

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (7200, "2 h"), (86400 * 3, "3 d")],
)
def test_a_span_is_told_in_its_largest_unit(seconds: int, said: str) -> None:
    assert span(timedelta(seconds=seconds)) == said


def test_times_are_local_and_as_short_as_they_are_clear() -> None:
    assert local(NOW - timedelta(minutes=1), NOW) == "11:59:00"
    assert local(NOW - timedelta(days=1), NOW) == "11-19 12:00:00"
    assert local(NOW - timedelta(days=365), NOW) == "2025-11-20 12:00:00"
    assert at_length(NOW - timedelta(minutes=2), NOW) == "2026-11-20 11:58:00 UTC (2 min ago)"
    assert (distance(NOW, NOW), distance(NOW + timedelta(hours=2), NOW)) == ("now", "in 2 h")


def test_programs_get_utc_and_exact_numbers() -> None:
    east = NOW.astimezone().replace(microsecond=123456)
    assert as_plain({"at": east, "amount": Decimal("49.99"), "count": Decimal("5")}) == {
        "at": "2026-11-20T12:00:00.123Z",
        "amount": 49.99,
        "count": 5,
    }


def test_on_a_narrow_terminal_a_table_is_cut_and_not_wrapped() -> None:
    ours, theirs = pty.openpty()
    environ = {**os.environ, "COLUMNS": "60", "TERM": "dumb"}
    process = subprocess.Popen([sys.executable, "-m", "gateway.cli", "adapters", "list"], env=environ, stdout=theirs)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait(30) == 0
    lines = shown.decode().splitlines()
    assert max(len(line) for line in lines) <= 60
    assert lines[0].split() == ["adapter", "provider", "types", "ignored", "documentation"]
    assert all(line.endswith("…") for line in lines[2:])
