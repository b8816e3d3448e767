"""What the gateway says of itself: alive, ready, and figures that are right whichever process is asked."""

from pathlib import Path

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from gateway.ledger.database import Ledger
from gateway.runtime.health import health
from tests.crash.installation import Provider, Setup, installation, payments
from tests.making import complained, payment, record_facts
from tests.waiting import eventually


def client(ledger: Ledger, folder: Path, *, redis: bool = True, token: str | None = None) -> FlaskClient:
    metrics = folder / "metrics"
    metrics.mkdir(exist_ok=True)
    app = Flask("test")
    app.register_blueprint(health(ledger, lambda: redis, metrics, token))
    return app.test_client()


def test_it_is_ready_without_redis_and_says_so(ledger: Ledger, tmp_path: Path) -> None:
    answer = client(ledger, tmp_path, redis=False).get("/readyz")
    assert (answer.status_code, answer.get_json()) == (
        200,
        {
            "status": "ok",
            "ledger": "ok",
            "redis": "away: webhooks are taken, delivery goes on when it is back",
        },
    )


def test_it_is_not_ready_without_its_tables(sqlite_url: str, tmp_path: Path) -> None:
    empty = Ledger(sqlite_url)
    answer = client(empty, tmp_path).get("/readyz")
    empty.close()
    assert (answer.status_code, answer.get_json()["status"]) == (503, "unavailable")
    assert client(empty, tmp_path).get("/healthz").get_json() == {"status": "ok"}


def test_metrics_tell_what_stands_in_the_ledger(ledger: Ledger, tmp_path: Path) -> None:
    record_facts(ledger, payment("p:1"), complained("c:1"), complained("c:2"))
    lines = client(ledger, tmp_path).get("/metrics").text.splitlines()
    assert 'gateway_events{destination="main",lane="urgent",status="waiting"} 2.0' in lines
    assert 'gateway_events{destination="main",lane="revenue",status="waiting"} 1.0' in lines
    assert any(line.startswith('gateway_oldest_due_seconds{destination="main",lane="urgent"} ') for line in lines)


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        (None, {}, 200),
        (None, {"X-Forwarded-For": "203.0.113.7"}, 401),
        ("s3cret", {}, 401),
        ("s3cret", {"Authorization": "Bearer wrong"}, 401),
        ("s3cret", {"Authorization": "Bearer é"}, 401),
        ("s3cret", {"Authorization": "Bearer s3cret", "X-Forwarded-For": "203.0.113.7"}, 200),
    ],
)
def test_metrics_are_for_this_machine_or_for_who_has_the_token(
    ledger: Ledger, tmp_path: Path, token: str | None, headers: dict[str, str], status: int
) -> None:
    assert client(ledger, tmp_path, token=token).get("/metrics", headers=headers).status_code == status


def test_without_a_token_nobody_from_elsewhere_sees_metrics(ledger: Ledger, tmp_path: Path) -> None:
    answer = client(ledger, tmp_path).get("/metrics", environ_base={"REMOTE_ADDR": "203.0.113.7"})
    assert answer.status_code == 401


def test_all_processes_of_an_installation_count_together(tmp_path: Path, sqlite_url: str) -> None:
    with installation(tmp_path, sqlite_url, Setup(web=2, workers=1)) as running:
        Provider(running.url).post_all(payments(range(12)), threads=4)
        eventually(lambda: len(running.sandbox.events()) == 12, within=30)
        wanted = {
            'gateway_webhooks_total{outcome="translated",source="stripe"} 12.0',
            'gateway_attempts_total{destination="main",kind="event",outcome="recorded"} 12.0',
            "gateway_attempt_seconds_count 12.0",
            'gateway_events{destination="main",lane="revenue",status="delivered"} 12.0',
        }
        eventually(
            lambda: wanted <= set(requests.get(f"{running.url}/metrics", timeout=5).text.splitlines()), within=10
        )
