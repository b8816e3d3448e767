"""What an installation says of itself: whether it is ready, what its commands find, what needs a person."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from tests.crash.installation import Installation


@dataclass(frozen=True)
class Told:
    """The status of /readyz, what `check` finds at fault, and the codes of what needs a person."""

    ready: int
    faults: frozenset[str]
    codes: frozenset[str]


WELL = Told(200, faults=frozenset(), codes=frozenset())
KEEPS_NOTHING = Told(503, faults=frozenset({"database"}), codes=frozenset({"ledger_unavailable"}))


def told(running: Installation, environ: Mapping[str, str], within: Sequence[str] = ()) -> Told:
    """Commands are started `within`, as the installation was."""

    def document(command: str) -> Any:
        words = [*within, sys.executable, "-m", "gateway.cli", command, "--json"]
        done = subprocess.run(words, env={**os.environ, **environ}, capture_output=True, timeout=200)
        return json.loads(done.stdout)

    ready = requests.get(f"{running.url}/readyz", timeout=30).status_code
    checks, needs = document("check")["checks"], document("status")["needs_a_person"]
    faults = {one["name"] for one in checks if not one["ok"]}
    return Told(ready, frozenset(faults - USUAL), frozenset(one["code"] for one in needs) - USUAL)


USUAL = {"source stripe", "weak_secret", "unavailable"}
"""What these installations are told besides: their secrets are short, and webhooks were answered 503 before."""
