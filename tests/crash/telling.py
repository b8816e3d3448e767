"""What an installation says of itself: whether it is ready, what its commands find, what needs a person."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import requests

from tests.cli.conftest import Terminal
from tests.crash.installation import Installation


@dataclass(frozen=True)
class Told:
    """The status of /readyz, what `check` finds at fault, and the codes of what needs a person."""

    ready: int
    faults: frozenset[str]
    codes: frozenset[str]


WELL = Told(200, faults=frozenset(), codes=frozenset())
KEEPS_NOTHING = Told(503, faults=frozenset({"database"}), codes=frozenset({"ledger_unavailable"}))


def told(running: Installation, environ: Mapping[str, str]) -> Told:
    ready = requests.get(f"{running.url}/readyz", timeout=30).status_code
    terminal = Terminal(environ)
    checks = json.loads(terminal.run("check", "--json", status=None).stdout)["checks"]
    needs = json.loads(terminal.run("status", "--json", status=None).stdout)["needs_a_person"]
    faults = {one["name"] for one in checks if not one["ok"]}
    return Told(ready, frozenset(faults - USUAL), frozenset(one["code"] for one in needs) - USUAL)


USUAL = {"source stripe", "weak_secret", "unavailable"}
"""What these installations are told besides: their secrets are short, and webhooks were answered 503 before."""
