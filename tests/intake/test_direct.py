"""A business's own application at the door: told of each event, and docs/providers/direct.md as it stands."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from gateway.config import Source
from gateway.events import WRITABLE_TYPES
from gateway.intake.drift import DriftWatch
from gateway.intake.endpoints import EndpointServices, endpoints
from gateway.intake.refusals import Refusals
from gateway.intake.route import Route
from gateway.ledger.database import Ledger
from gateway.ledger.identity import fingerprint
from gateway.ledger.recording.commit import Committer
from gateway.ledger.schema import events
from gateway.translation.registry import adapters
from gateway.translation.schemes import StandardWebhooks
from gateway.translation.webhook import Headers, Webhook
from tests.making import rows

PAGE = (Path(__file__).parents[2] / "docs" / "providers" / "direct.md").read_text()
SCHEME = StandardWebhooks()
SECRET = SCHEME.generate().signing
SIGNED_UP = {"id": "s1", "eventType": "SUBSCRIBED", "subscriber": "ana@example.com", "data": {}}


@pytest.fixture
def application(ledger: Ledger) -> Iterator[Flask]:
    source = Source("shop", "direct", "main", (SECRET,), forward=WRITABLE_TYPES - {"EMAIL_OPENED"})
    committer, refusals, drift = Committer(ledger), Refusals(ledger), DriftWatch(ledger)
    route = Route(source, adapters()["direct"], SCHEME, (fingerprint(SECRET),))
    app = Flask("test")
    app.register_blueprint(
        endpoints(
            EndpointServices(
                {"shop": route}, committer, refusals, drift, "https://hooks.example.com", max_body_bytes=50_000
            )
        )
    )
    yield app
    refusals.close()
    drift.close()
    committer.close()


def receipt(application: Flask, told: Any, message: str = "msg_1") -> dict[str, Any]:
    body, now = json.dumps(told).encode(), datetime.now(UTC)
    unsigned = Webhook("shop", "https://hooks.example.com/webhooks/shop", Headers({"webhook-id": message}), body, now)
    signed = SCHEME.sign(unsigned, SECRET, now)
    answer = application.test_client().post("/webhooks/shop", data=body, headers=dict(signed.headers.items()))
    assert answer.status_code == 200, answer.text
    told_back: dict[str, Any] = answer.get_json()
    return told_back


def words(told_back: dict[str, Any]) -> list[str]:
    return [item["word"] for item in told_back["items"]]


def test_each_event_of_a_batch_is_answered_for_itself(application: Flask) -> None:
    opened = {"id": "o1", "eventType": "EMAIL_OPENED", "subscriber": "ana@example.com"}
    told_back = receipt(
        application, [SIGNED_UP, SIGNED_UP, {**opened, "data": {"emailId": "m1", "subject": ""}}, {"id": "x"}]
    )
    assert told_back["items"] == [
        {"word": "translated", "reason": None},
        {"word": "merged", "reason": None},
        {"word": "ignored", "reason": "EMAIL_OPENED is not among what this source forwards"},
        {"word": "quarantined", "reason": "eventType: one of Lumail's types as text is needed"},
    ]


def test_one_event_may_stand_without_a_list(application: Flask) -> None:
    assert words(receipt(application, SIGNED_UP)) == ["translated"]


def test_the_whole_request_again_is_a_duplicate(application: Flask) -> None:
    batch = [SIGNED_UP, {**SIGNED_UP, "id": "s2"}]
    first, again = receipt(application, batch), receipt(application, batch)
    assert (words(again), again["duplicate"], again["webhook"]) == (["duplicate"] * 2, True, first["webhook"])


def test_an_event_is_known_by_its_id_and_by_each_of_its_keys(application: Flask) -> None:
    receipt(application, {**SIGNED_UP, "keys": ["person:1"]})
    same_id = receipt(application, SIGNED_UP, "msg_2")
    same_key = receipt(application, {**SIGNED_UP, "id": "s9", "keys": ["person:1"]}, "msg_3")
    assert (words(same_id), words(same_key)) == (["merged"], ["merged"])


def test_a_corrected_event_is_taken_under_the_same_id(application: Flask, ledger: Ledger) -> None:
    assert words(receipt(application, {**SIGNED_UP, "subscriber": "ana"})) == ["quarantined"]
    assert words(receipt(application, SIGNED_UP, "msg_2")) == ["translated"]
    assert rows(ledger, events, "subscriber", "status") == [("ana@example.com", "waiting")]


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("language", "command", "told"),
    [("sh", ["bash", "-eu", "-c"], ["translated"]), ("python", [sys.executable, "-c"], ["translated", "quarantined"])],
)
def test_the_examples_of_the_documentation_work_as_they_stand(
    application: Flask, language: str, command: Sequence[str], told: list[str]
) -> None:
    server = make_server("127.0.0.1", 0, application)
    thread = Thread(target=server.serve_forever)
    thread.start()
    environ = {**os.environ, "GATEWAY": f"http://127.0.0.1:{server.port}", "SHOP_WEBHOOK_SECRET": SECRET}
    try:
        done = subprocess.run([*command, block(language)], env=environ, capture_output=True, timeout=30, check=True)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert words(json.loads(done.stdout)) == told
