"""A release that words reasons otherwise behaves as the one before: it decides by codes, which the ledger holds."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.ledger.database import Ledger
from gateway.ledger.status import FINAL_REASONS, FINAL_WHEN_HELD, Reason
from tests.making import payment, record_facts
from tests.replay.standing import recorded

ROOT = Path(__file__).parent.parent.parent

TELL_AGAIN = """
import sys
from gateway.ledger import words
from gateway.ledger.database import Ledger
from tests.making import payment, record_facts
assert words.REASONS["cancelled"] == "cancelled, reworded", words.__file__
ledger = Ledger(sys.argv[1])
print([len(record_facts(ledger, payment(f"p:{number}"))) for number in range(int(sys.argv[2]))])
"""

COUNT_UNDECIDED = """
import sys
from datetime import UTC, datetime
from gateway.ledger.database import Ledger
from gateway.ledger.migration import differences, migrate
from gateway.ledger.views.overview import overview
ledger = Ledger(sys.argv[1])
migrate(ledger)
assert differences(ledger) == []
with ledger.read() as connection:
    print(overview(connection, datetime.now(UTC), {}, []).undecided)
"""

Reworded = Callable[..., str]


@pytest.fixture
def reworded(tmp_path: Path, ledger: Ledger) -> Reworded:
    """Runs code against the ledger, in a gateway whose words for reasons and pauses are others."""
    shutil.copytree(ROOT / "gateway", tmp_path / "gateway", ignore=shutil.ignore_patterns("__pycache__", "static"))
    words = tmp_path / "gateway" / "ledger" / "words.py"
    words.write_text(
        re.sub(r'^(    (?:Reason|PauseKind)\.\w+: ".+)",$', r'\1, reworded",', words.read_text(), flags=re.M)
    )

    def run(code: str, *given: str) -> str:
        url = ledger.url
        environ = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
        done = subprocess.run(
            [sys.executable, "-c", code, url, *given],
            env=environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


DROPPED = [
    *[{"reason": reason} for reason in sorted(FINAL_REASONS)],
    *[{"reason": Reason.HELD_TOO_LONG, "former_reason": former} for former in sorted(FINAL_WHEN_HELD)],
    {"reason": Reason.HELD_TOO_LONG, "former_reason": Reason.SUBSCRIBER_UNKNOWN},
]


def test_a_dropped_payment_that_is_told_again_stays_what_it_is(ledger: Ledger, reworded: Reworded) -> None:
    for number, columns in enumerate(DROPPED):
        recorded(ledger, payment(f"p:{number}"), status="dropped", **columns)
    told_again = reworded(TELL_AGAIN, str(len(DROPPED)))
    assert told_again == str([0] * (len(DROPPED) - 1) + [1])  # the last was given up, not decided


def test_what_a_person_has_to_decide_is_found_and_its_index_holds_it(ledger: Ledger, reworded: Reworded) -> None:
    recorded(ledger, payment("p:1"), status="held", reason=Reason.ANSWER_LOST)
    record_facts(ledger, payment("p:2"))
    assert reworded(COUNT_UNDECIDED) == "1"


def test_the_index_of_what_a_person_has_to_decide_names_the_code(ledger: Ledger) -> None:
    definition = (
        "SELECT sql FROM sqlite_master WHERE name = 'events_undecided'"
        if ledger.is_sqlite
        else "SELECT indexdef FROM pg_indexes WHERE indexname = 'events_undecided'"
    )
    with ledger.read() as connection:
        assert f"'{Reason.ANSWER_LOST.value}'" in connection.execute(text(definition)).scalar_one()
