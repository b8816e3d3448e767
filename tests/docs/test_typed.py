"""What the operator's pages tell to type works as it stands, on an installation as docs/install.md makes it."""

import json
import re
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.cli.tryout import ROOT
from tests.docs.installed import Installed, Typed, installed

DOCS = ROOT / "docs"
PAGES = [DOCS / "install.md", DOCS / "quickstart-live.md", DOCS / "desk.md", *sorted((DOCS / "operate").glob("*.md"))]
HELD = "send stripe refund_told[refund.created] --live"
"""A refund that waits for its sale."""


def commands(page: Path) -> list[str]:
    """What a page has somebody type, in a block or within a sentence, each once."""
    text = page.read_text()
    in_blocks = re.findall(r"^lumail-gateway (.+)$", text, flags=re.MULTILINE)
    sentences = " ".join(re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE).split())
    return list(dict.fromkeys([*in_blocks, *re.findall(r"`lumail-gateway ([a-z][^`]*)`", sentences)]))


REPEATED = {page: commands(page) for page in PAGES}
TODAY = [
    "send stripe --live",
    "send stripe event_grid --live",
    *[HELD] * 4,
    "users add eva --generate",
    "events list --status failed --json",
    "events list --status held --json",
    "webhooks list --status quarantined --json",
    "replay events --yes --json",
]
"""A day on which not all goes well."""


@dataclass(frozen=True)
class Day:
    gateway: Installed
    typed: Mapping[str, Typed]


@dataclass
class Names:
    """What the placeholders of the pages stand for, by the command."""

    held: Iterator[str]
    of: Mapping[str, str]

    def line(self, told: str) -> str:
        """The command as somebody types it who has looked up what it asks for."""
        words = told.replace("LUMAIL_ID", "evt_5c1d").replace("EMAIL", "ana@example.com")
        people = "ben" if told.startswith("users add") else "eva"
        words = words.replace("NAME", "main" if told.startswith("destinations") else people)
        if " ID" in words:
            found = next((one for start, one in self.of.items() if told.startswith(start)), None)
            words = words.replace(" ID", f" {found or next(self.held)}")
        return f"{words} --yes" if told.startswith(("replay events", "replay webhooks")) else words


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    with installed(tmp_path) as gateway:
        requests.post(f"{gateway.lumail}/faults", json={"kind": "409", "count": 1}, timeout=5).raise_for_status()
        failed, held, kept, again = (json.loads(one.stdout) for one in gateway.type_all(TODAY)[-4:])
        webhook, job = kept["webhooks"][0]["id"], again["replays"][0]["id"]
        of = {"events show": failed["events"][0]["id"], "webhooks show": webhook, "replay webhook ": webhook}
        of |= {"set-aside webhook ": webhook}
        copy = {"export ana@example.com --out /tmp/ana.json": f"export ana@example.com --out {gateway.folder}/ana.json"}
        names = Names(iter([one["id"] for one in held["events"]]), {**of, "replay show": job, "replay cancel": job})
        every = sorted(
            {told for page in PAGES for told in REPEATED[page]}, key=lambda told: (told.startswith("forget"), told)
        )
        typed = gateway.type_all([copy.get(told, names.line(told)) for told in every])
        yield Day(gateway, dict(zip(every, typed, strict=True)))


CAN_NOT_BE_DONE_HERE = {
    "events decide ID --send": "has no subscriber yet, so it can't be sent",
    "probe --subscriber you@example.com": "nobody can be asked here",
    "replay cancel ID": "is done",
    "replay event ID": "has no subscriber yet",
    "replay events --since 2d": "there is nothing of that kind",
    "up": "is in use",
}
"""Of what is understood and refused, since the installation is not the one that the page is about: why."""


def not_as_told(day: Day, page: Path) -> list[tuple[str, Typed]]:
    """What a page has somebody type and what does not work, or is refused for another reason than is known."""
    typed = [(told, day.typed[told]) for told in REPEATED[page]]
    return [
        (told, one)
        for told, one in typed
        if (one.status not in (0, 1) or "Traceback" in one.stderr)
        and CAN_NOT_BE_DONE_HERE.get(told, "nothing of the kind") not in one.stderr
    ]


def backed_up(day: Day) -> Sequence[Any]:
    """What the database says of the copy that the page makes."""
    block = (DOCS / "operate" / "run.md").read_text().split("```sh\n")[1].split("```")[0]
    copy = day.gateway.folder / "copy.db"
    subprocess.run(["sh", "-e", "-c", day.gateway.here(block).replace("/backup/gateway.db", str(copy))], check=True)
    with closing(sqlite3.connect(copy)) as ledger:
        return [*ledger.execute("PRAGMA integrity_check"), *ledger.execute("SELECT count(*) > 0 FROM webhooks")]


def test_what_the_operators_pages_tell_to_type_works_as_it_stands(day: Day) -> None:
    """One test, since each process of the tests that has one of several would install the gateway for it."""
    assert {page.stem: not_as_told(day, page) for page in PAGES} == {page.stem: [] for page in PAGES}
    assert backed_up(day) == [("ok",), (1,)]
    status = subprocess.run([day.gateway.script, "status"], capture_output=True, text=True, check=True)
    told = ["events list --status held" in status.stdout, "webhook in quarantine" in status.stdout]
    assert told == [True, False]  # the second was set aside
