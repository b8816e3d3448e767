"""The operator's pages name the metrics, log lines, reasons and commands that there are."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest
import requests

from gateway.attention import KINDS
from gateway.cli import main
from gateway.config import Destination
from gateway.delivery.outcome import ConcludeContext, conclude
from gateway.events import EventType
from gateway.ledger import words
from gateway.ledger.outbox.observed import Observed
from gateway.ledger.scheduling.attempt import (
    AskForEvent,
    Claimed,
    CreateSubscriber,
    PostEvent,
    ReadBack,
    Request,
)
from gateway.ledger.status import REASONS, Reason, Status
from gateway.lumail.answer import Answer
from tests.cli.tryout import ROOT, Started
from tests.docs.test_links import each_page
from tests.docs.test_provider_pages import table_under, words_in
from tests.making import NOON, event

DOCS = ROOT / "docs"
RUNBOOK = (DOCS / "operate" / "runbook.md").read_text()
LOGS_AND_METRICS = (DOCS / "reference" / "logs-and-metrics.md").read_text()


def section(heading: str, page: str = RUNBOOK) -> str:
    return page.split(f"\n{heading}\n")[1]


def first_column(head: str, part: str) -> set[str]:
    return {word for cells in table_under(head, part) for word in words_in(cells[0])}


def test_the_metrics_are_those_of_the_page(up: Started) -> None:
    up.terminal.run("send", "sendgrid")
    page = requests.get(f"http://127.0.0.1:{up.port}/metrics", timeout=10).text
    counted = dict.fromkeys(re.findall(r"^# TYPE (\w+) ", page, flags=re.MULTILINE), "")
    for name, labels in re.findall(r"^(\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? ", page, flags=re.MULTILINE):
        if name in counted:
            counted[name] = ", ".join(sorted(set(re.findall(r'(\w+)="', labels)) - {"le"})) or counted[name]
    counted.pop("gateway_oldest_due_seconds")  # nothing is due, so it has no labels to show
    table = table_under("| Name |", LOGS_AND_METRICS)
    documented = {words_in(name)[0]: ", ".join(sorted(labels.split(", "))) for name, labels, _ in table}
    assert documented.pop("gateway_oldest_due_seconds") == "destination, lane"
    assert documented == counted


def test_the_log_lines_are_those_of_the_code() -> None:
    written = {
        name
        for file in (ROOT / "gateway").rglob("*.py")
        for name in re.findall(r'log\.(?:info|warning|error)\(\s*"([\w.]+)"', file.read_text())
    }
    assert first_column("| Line |", LOGS_AND_METRICS) == written


def concluded(request: Request, answer: Answer, policy: str = "wait") -> Mapping[str, Any]:
    """What becomes of an event of ana@example.com, whom Lumail is known to have."""
    view = ConcludeContext(
        destination=Destination("main", "http://127.0.0.1:9", "lum_x", 100, unknown_subscriber=policy),
        now=NOON,
        observed=lambda: Observed(echo=True, clock_offset=timedelta(0), read_lag=timedelta(0)),
        is_known=lambda subscriber: True,
        sent=lambda one: [],
        owners=lambda ids: {},
    )
    return conclude(Claimed("at_1", NOON, request, ""), answer, view).changes or {}


def answered(status: int, body: str = "") -> Answer:
    return Answer(status, sent=True, duration=0.1, body=body)


def test_the_reasons_of_failed_events_are_those_that_deliveries_give() -> None:
    long_ago = NOON - timedelta(days=4)
    opened = event(EventType.EMAIL_OPENED, reads=1)
    found = [
        concluded(PostEvent(opened), answered(400)),
        concluded(PostEvent(opened), answered(402)),
        concluded(CreateSubscriber(opened), answered(402)),
        concluded(AskForEvent(opened), answered(404), "fail"),
        concluded(
            ReadBack(replace(opened, tries=1), long_ago, long_ago), answered(200, '{"events": [], "nextCursor": null}')
        ),
    ]
    assert {one["status"] for one in found} == {"failed"}
    assert {one["reason"] for one in found} == REASONS[Status.FAILED] - {Reason.PERSON_ERASED}


EXAMPLES = {"refused": "400", "subscriber_refused": "402", "retries_ended": "3"}
FORMER = "subscriber_unknown"


@pytest.mark.parametrize(
    ("heading", "status"),
    [
        ("## Held", Status.HELD),
        ("## Failed", Status.FAILED),
        ("## Dropped", Status.DROPPED),
        ("## In doubt", Status.UNKNOWN),
    ],
)
def test_every_reason_is_explained_under_its_status(heading: str, status: Status) -> None:
    told = {words.of_reason(reason, EXAMPLES.get(reason), FORMER) for reason in REASONS[status]}
    assert first_column("| Reason |", section(heading)) == told


def test_every_kind_of_pause_is_explained() -> None:
    table = table_under("| Reason |", section("## A destination is paused"))
    documented = {words_in(cells[1])[0]: words_in(cells[0])[0] for cells in table}
    examples = {"status": 401, "run": 5, "who": "…"}
    parts = {kind: told.partition(" (")[0].format_map(examples) for kind, told in words.PAUSES.items()}
    assert {kind: told.partition(" (")[0] for kind, told in documented.items()} == parts


def test_every_kind_of_what_needs_a_person_is_explained_the_worst_first() -> None:
    table = table_under("| Code |", section("## What needs a person"))
    told = [(re.sub(r"<a [^>]*></a>", "", cells[0]).strip("`"), cells[1]) for cells in table]
    assert told == [(code.value, kind.severity.value) for code, kind in KINDS.items()]


@each_page
def test_every_command_that_is_named_exists(page: Path) -> None:
    text = " ".join(page.read_text().replace("```", "").split())
    words = [line.split() for line in re.findall(r"`lumail-gateway ([a-z][^`]*)`", text)]
    for named in words:
        command = main.get_command(click.Context(main), named[0])
        assert command is not None, named
        group = getattr(command, "commands", None)
        assert group is None or named[1] in group, named


def test_the_unit_starts_up_with_flags_that_it_has() -> None:
    unit = section("## As a service", (DOCS / "install.md").read_text()).split("```ini\n")[1].split("```")[0]
    [line] = re.findall(r"^ExecStart=\S+/lumail-gateway (.+)$", unit, flags=re.MULTILINE)
    command, *flags = line.split()
    up = main.get_command(click.Context(main), command)
    assert up is not None
    known = {option for param in up.params for option in param.opts}
    assert {flag for flag in flags if flag.startswith("--")} <= known


def test_each_row_of_what_fails_names_a_test_that_there_is() -> None:
    named = [
        cells[-1].strip(" `") for cells in table_under("| what fails |", (DOCS / "operate" / "run.md").read_text())
    ]
    there = {
        name for file in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", file.read_text())
    }
    assert len(named) > 5
    assert set(named) <= there
