"""What the gateway says of itself: alive, ready, and parts that are right whichever process is asked."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text, update

from gateway.ledger import heartbeats
from gateway.ledger.database import Ledger
from gateway.ledger.heartbeats import Condition, Identity
from gateway.ledger.migration import migrate
from gateway.ledger.scheduling import pauses
from gateway.ledger.scheduling.pauses import Pause
from gateway.ledger.schema import events, lines, webhooks
from gateway.ledger.status import PauseKind
from gateway.runtime.health import MetricsParts, health
from gateway.runtime.readiness import PATIENCE, Readiness, readiness
from gateway.runtime.recent import Recent
from gateway.runtime.redis_trouble import RedisTrouble
from tests.crash.installation import Provider, Setup, installation, payments
from tests.making import complained, payment, record_facts, rows
from tests.waiting import eventually

NEEDS: dict[tuple[str, ...], int] = {("warning", "failed"): 5}


def client(ledger: Ledger, folder: Path, *, redis: RedisTrouble | None = None, token: str | None = None) -> FlaskClient:
    metrics = folder / "metrics"
    metrics.mkdir(exist_ok=True)
    app = Flask("test")
    ready = Recent(partial(readiness, ledger), PATIENCE)
    parts = MetricsParts(metrics, token, folder, lambda: NEEDS)
    app.register_blueprint(health(ledger, ready, Recent(lambda: (redis,), PATIENCE), parts))
    return app.test_client()


def test_it_is_ready_without_redis_and_workers_and_names_them(ledger: Ledger, tmp_path: Path) -> None:
    answer = client(ledger, tmp_path, redis=RedisTrouble.AWAY).get("/readyz")
    assert (answer.status_code, answer.get_json()) == (
        200,
        {
            "status": "ok",
            "ledger": "ok",
            "redis": "away: it does not answer, and deliveries start a second or two later",
            "workers": 0,
            "oldest_urgent_seconds": 0.0,
        },
    )


def test_it_names_the_workers_and_how_long_the_oldest_urgent_event_waits(ledger: Ledger, tmp_path: Path) -> None:
    record_facts(ledger, complained("c:1"), payment("p:1"))
    with ledger.write(["main"]) as connection:
        now = ledger.now(connection)
        connection.execute(update(lines).where(lines.c.lane == 0).values(due_at=now - timedelta(hours=1)))
        for number, role in enumerate((heartbeats.WORKER, heartbeats.WORKER, heartbeats.WEB)):
            who = Identity(f"hb_{number}", role, "host-1", number, "0.1.0", "0001")
            heartbeats.beat(connection, who, Condition(timedelta(0), None, None), now)
    told = client(ledger, tmp_path).get("/readyz").get_json()
    assert (told["redis"], told["workers"], told["oldest_urgent_seconds"] // 60) == ("ok", 2, 60)


def test_it_is_ready_beside_who_holds_a_destinations_lock_and_leaves_nothing_behind(
    postgresql_url: str, tmp_path: Path
) -> None:
    ledger = Ledger(postgresql_url)
    migrate(ledger)
    with ledger.write(["main"]):
        assert client(ledger, tmp_path).get("/readyz").status_code == 200
    assert (rows(ledger, webhooks, "id"), rows(ledger, events, "id")) == ([], [])
    ledger.close()


def test_it_is_not_ready_while_a_stranger_locks_a_table_that_the_door_writes_to(
    postgresql_url: str, tmp_path: Path
) -> None:
    ledger = Ledger(postgresql_url)
    migrate(ledger)
    with ledger.engine.connect() as stranger:
        stranger.execute(text("LOCK TABLE events IN EXCLUSIVE MODE"))
        answer = client(ledger, tmp_path).get("/readyz")
    assert (answer.status_code, answer.get_json()["workers"]) == (503, None)
    assert answer.get_json()["ledger"].startswith("the ledger's database can't be used now: ")
    ledger.close()


def test_it_is_not_ready_where_the_ledger_never_answers(ledger: Ledger, tmp_path: Path) -> None:
    stuck = threading.Event()

    def ask() -> Readiness:
        stuck.wait()
        return Readiness(None)

    app = Flask("test")
    parts = MetricsParts(tmp_path, None, tmp_path, lambda: NEEDS)
    app.register_blueprint(health(ledger, Recent(ask, 0.05), Recent(lambda: (None,), 0.05), parts))
    answer = app.test_client().get("/readyz")
    stuck.set()
    assert (answer.status_code, answer.get_json()["ledger"]) == (
        503,
        "the ledger's database has not answered for 4 seconds",
    )


def test_who_asks_often_is_answered_with_what_was_found_a_moment_ago() -> None:
    asked: list[int] = []

    def ask() -> int:
        asked.append(1)
        return len(asked)

    recent = Recent(ask, PATIENCE)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: recent.get(), range(40))) == {1}
    assert asked == [1]


def test_it_is_not_ready_without_its_tables(sqlite_url: str, tmp_path: Path) -> None:
    empty = Ledger(sqlite_url)
    answer = client(empty, tmp_path).get("/readyz")
    empty.close()
    assert (answer.status_code, answer.get_json()["status"]) == (503, "unavailable")
    assert client(empty, tmp_path).get("/healthz").get_json() == {"status": "ok"}


def test_metrics_tell_what_stands_in_the_ledger(ledger: Ledger, tmp_path: Path) -> None:
    made = record_facts(ledger, payment("p:1"), complained("c:1"), complained("c:2"), payment("p:2"))
    who = Identity("hb_1", heartbeats.WORKER, "host-1", 7, "0.1.0", "0001")
    with ledger.write(["main"]) as connection:
        now = ledger.now(connection)
        heartbeats.beat(connection, who, Condition(timedelta(0), None, "full"), now)
        pauses.begin(connection, "other", Pause(None, PauseKind.BY_HAND, {"who": "ana"}), now)
        connection.execute(update(events).where(events.c.id == made[3]).values(status="delivered", settled_at=now))
    lines = client(ledger, tmp_path).get("/metrics").text.splitlines()
    assert {line for line in lines if line.startswith(EXACT)} == {
        'gateway_events{destination="main",lane="urgent",status="waiting"} 2.0',
        'gateway_events{destination="main",lane="revenue",status="waiting"} 1.0',
        'gateway_events{destination="main",lane="revenue",status="delivered"} 1.0',
        'gateway_processes{role="worker",version="0.1.0"} 1.0',
        'gateway_redis_up{host="host-1"} 0.0',
        'gateway_paused{destination="main"} 0.0',
        'gateway_paused{destination="other"} 1.0',
        'gateway_needs_attention{code="failed",severity="warning"} 5.0',
        'gateway_build_info{schema="0001",version="0.1.0"} 1.0',
    }
    for name in ('gateway_oldest_due_seconds{destination="main",lane="urgent"}', *MEASURED):
        [value] = [float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")]
        assert value > 0


EXACT = ("gateway_events", "gateway_proc", "gateway_redis", "gateway_paused", "gateway_needs", "gateway_build")
MEASURED = ("gateway_disk_free_bytes", "gateway_ledger_bytes")


def test_metrics_that_are_not_the_ledgers_are_told_without_it(sqlite_url: str, tmp_path: Path) -> None:
    empty = Ledger(sqlite_url)
    answer = client(empty, tmp_path).get("/metrics")
    empty.close()
    assert (answer.status_code, "gateway_disk_free_bytes " in answer.text, "gateway_events{" in answer.text) == (
        200,
        True,
        False,
    )


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
