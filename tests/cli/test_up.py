"""The whole gateway as somebody starts it on a fresh machine: `up --sandbox`, and the commands beside it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.cli.conftest import Terminal
from tests.cli.tryout import ROOT, Started, tryout
from tests.waiting import eventually


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    with tryout(tmp_path_factory.mktemp("up")) as started:
        yield started


def steps(document: dict[str, Any]) -> list[str]:
    return [step["name"] for step in document["steps"]]


def test_it_says_where_webhooks_go_where_secrets_are_and_what_to_type_next(up: Started) -> None:
    data = up.folder / "var"
    assert up.said == (
        f"""
The gateway runs, and Lumail is a stand-in: nothing leaves this machine.

Webhooks are taken at
  stripe    http://127.0.0.1:{up.port}/webhooks/stripe
  sendgrid  http://127.0.0.1:{up.port}/webhooks/sendgrid
The desk
  http://127.0.0.1:{up.port}/   name admin, password {up.password}
What arrives at Lumail's stand-in
  http://127.0.0.1:{up.port + 1}/
Secrets that were made up
  {data}/sandbox/secrets.env

Now type, in another terminal:
  lumail-gateway send stripe --data {data}

"""
    )


def test_a_sample_of_each_source_reaches_lumail(up: Started) -> None:
    for source, event_type in (("stripe", "SUBSCRIBER_PAYMENT"), ("sendgrid", "EMAIL_BOUNCED")):
        sent = up.terminal.document("send", source)
        assert steps(sent) == ["sent", "received", "translated", "delivered"]
        (event,) = sent["events"]
        assert (event["type"], event["status"], sent["receipt"]["events"]) == (event_type, "delivered", [event["id"]])
        assert event["lumail_event_id"] == sent["steps"][-1]["detail"].removeprefix("Lumail's event ")
        assert up.terminal.document("events", "show", event["id"])["attempts"][0]["outcome"] == "recorded"


def test_what_is_sent_is_told_step_by_step_with_times(up: Started) -> None:
    lines = up.terminal.lines("send", "sendgrid")
    assert lines[0].startswith("sendgrid: bounced (")
    assert [line.split()[2] for line in lines[1:]] == ["sent", "received", "translated", "delivered"]
    assert all(line.split()[1] == "s" for line in lines[1:])


def test_a_case_that_needs_others_before_it_brings_them(up: Started) -> None:
    sent = up.terminal.document("send", "stripe", "refunded_after_sale")
    assert [(event["type"], event["subscriber"]) for event in sent["events"]] == [
        ("SUBSCRIBER_REFUND", "ana@example.com")
    ]


def test_what_is_not_understood_is_a_fault_that_can_be_looked_at_and_tried_again(up: Started) -> None:
    sent = up.terminal.document("send", "stripe", "unknown_type", status=1)
    assert steps(sent) == ["sent", "received", "quarantined"]
    webhook = sent["receipt"]["webhook"]
    listed = up.terminal.document("webhooks", "list", "--status", "quarantined")["webhooks"]
    assert webhook in [one["id"] for one in listed]
    assert up.terminal.document("replay", "webhook", webhook, status=1)["quarantined"] == 1


REFUSED = "Lumail refused it with 409"


def test_what_lumail_refuses_is_a_fault_and_is_delivered_when_it_is_replayed(up: Started) -> None:
    up.fails_next("409")
    sent = up.terminal.document("send", "sendgrid", status=1)
    (event,) = sent["events"]
    assert (steps(sent)[-1], event["status"], event["reason"]) == ("failed", "failed", REFUSED)
    assert up.terminal.document("replay", "event", event["id"])["was"] == "failed"

    def delivered() -> bool:
        return bool(up.terminal.document("events", "show", event["id"])["status"] == "delivered")

    eventually(delivered, what="the replayed event is delivered")


def test_an_event_whose_answer_was_lost_is_found_at_lumail(up: Started) -> None:
    up.fails_next("drop_after")
    (event,) = up.terminal.document("send", "sendgrid")["events"]
    assert event["status"] == "delivered"
    kinds = [one["kind"] for one in up.terminal.document("events", "show", event["id"])["attempts"]]
    assert kinds == ["event", "read"]


def test_all_stands_while_it_runs(up: Started) -> None:
    assert up.terminal.document("check")["ok"] is True
    state = up.terminal.document("status")["destinations"][0]
    assert (state["name"], state["state"], state["requests_per_minute"]) == ("main", "running", 100)


def test_a_second_one_on_the_same_folder_is_refused(up: Started) -> None:
    line = [sys.executable, "-m", "gateway.cli", "up", "--sandbox", "--data", str(up.folder / "var")]
    second = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=30)
    said = second.stderr.splitlines()[-1]
    assert (second.returncode, f"runs there with pid {up.process.pid}" in said) == (1, True)


def test_it_ends_cleanly_and_takes_everything_with_it(up: Started) -> None:
    children = psutil.Process(up.process.pid).children(recursive=True)
    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(30) == 0
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
    assert not (up.folder / "var" / "sandbox" / "up.json").exists()
    terminal = Terminal({**up.terminal.environ, "PORT": str(up.port)})
    said = terminal.run("send", "stripe", "--sandbox", status=2).stderr
    assert said.startswith(f"nobody answers at http://127.0.0.1:{up.port}/webhooks/stripe")
