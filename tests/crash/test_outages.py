"""What an installation does while Redis or the database is away, and that a 200 is never said too early."""

import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import psycopg
import pytest
import requests

from gateway.ledger.database import Ledger
from gateway.ledger.schema import events, webhooks
from tests.crash.installation import Installation, Provider, Setup, installation, payments, signed_payment
from tests.disks import fill, on_a_small_disk, seen_by, where_only
from tests.making import rows
from tests.services import Postgres, pgbouncer
from tests.waiting import eventually

STRACE = ("strace", "-f", "-y", "-s", "40", "-e", "trace=fsync,fdatasync,write,writev,sendto")


def post(running: Installation, number: str) -> requests.Response:
    webhook = signed_payment(number)
    return requests.post(f"{running.url}/webhooks/stripe", data=webhook.body, headers=dict(webhook.headers), timeout=10)


def test_without_redis_webhooks_are_taken_and_delivered_when_it_is_back(tmp_path: Path, sqlite_url: str) -> None:
    with installation(tmp_path, sqlite_url, Setup(web=1, workers=1)) as running:
        [redis] = running.parts("redis")
        redis.suspend()
        stripe = Provider(running.url)
        stripe.post_all(payments(range(20)))
        assert requests.get(f"{running.url}/readyz", timeout=10).json()["redis"].startswith("away")
        redis.resume()
        eventually(lambda: len(running.sandbox.events()) == 20, within=30, what="all are delivered")
    assert stripe.refused == []


def test_while_a_stranger_locks_the_database_webhooks_get_503_and_nothing_is_half_written(
    tmp_path: Path, sqlite_url: str
) -> None:
    with installation(tmp_path, sqlite_url, Setup(web=1, workers=1)) as running:
        subscriber_answer = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
        subscriber_answer.execute("BEGIN EXCLUSIVE")
        answer = post(running, "00001")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        subscriber_answer.execute("ROLLBACK")
        subscriber_answer.close()
        assert post(running, "00001").json()["duplicate"] is False
        assert nothing_but_one_payment(sqlite_url)


def test_while_postgresql_is_away_webhooks_get_503_and_nothing_is_half_written(
    tmp_path: Path, postgres: Postgres
) -> None:
    with postgres.database() as name, installation(tmp_path, postgres.url(name), Setup(web=1, workers=1)) as running:
        with postgres.connect() as administrator:
            administrator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            administrator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            answer = post(running, "00001")
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert requests.get(f"{running.url}/readyz", timeout=10).status_code == 503
            assert requests.get(f"{running.url}/healthz", timeout=10).status_code == 200
            administrator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        eventually(lambda: post(running, "00001").ok)
        assert nothing_but_one_payment(postgres.url(name))


def test_while_a_stranger_locks_a_table_webhooks_get_503_and_are_delivered_afterwards(
    tmp_path: Path, postgres: Postgres
) -> None:
    with postgres.database() as name, installation(tmp_path, postgres.url(name), Setup(web=1, workers=1)) as running:
        with psycopg.connect(host=str(postgres.folder), user="postgres", dbname=name) as subscriber_answer:
            subscriber_answer.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
            answer = post(running, "00001")
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        eventually(lambda: post(running, "00001").ok)
        assert nothing_but_one_payment(postgres.url(name))
        eventually(lambda: len(running.sandbox.events()) == 1, within=30, what="it is delivered")


def test_through_a_pooler_webhooks_are_taken_and_delivered(tmp_path: Path, postgres: Postgres) -> None:
    with (
        pgbouncer(postgres) as pooled,
        postgres.database() as name,
        installation(tmp_path, pooled(name), Setup(web=2, workers=2)) as running,
    ):
        stripe = Provider(running.url)
        stripe.post_all(payments(range(60)))
        eventually(lambda: len(running.sandbox.events()) == 60, within=60, what="all are delivered")
    assert stripe.refused == []


def test_on_a_full_disk_webhooks_get_503_and_are_delivered_when_there_is_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    url = f"sqlite:///{disk}/ledger.db"
    with installation(tmp_path, url, Setup(web=1, workers=1), within=on_a_small_disk(disk, "8m")) as running:
        filler = seen_by(running.process.pid, disk) / "filler"
        fill(filler)
        taken = 0
        while (answer := post(running, f"{taken:05d}")).ok:  # what SQLite has reserved takes some
            taken += 1
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        filler.unlink()
        receipt = eventually(lambda: answer.json() if (answer := post(running, f"{taken:05d}")).ok else None)
        assert receipt["quarantined"] == 0
        eventually(lambda: len(running.sandbox.events()) == taken + 1, within=60, what="all are delivered")


def test_where_only_the_data_folder_can_be_written_to_webhooks_are_taken(tmp_path: Path) -> None:
    data = tmp_path / "only"
    data.mkdir()
    url, environ = f"sqlite:///{data}/ledger.db", {"GATEWAY_DATA": str(data), "PYTHONDONTWRITEBYTECODE": "1"}
    setup = Setup(web=1, workers=1)
    with installation(tmp_path, url, setup, environ, where_only(data)) as running:
        stripe = Provider(running.url)
        stripe.post_all(payments(range(60)))
        eventually(lambda: len(running.sandbox.events()) == 60, within=60, what="all are delivered")
    assert stripe.refused == []


def nothing_but_one_payment(database_url: str) -> bool:
    ledger = Ledger(database_url)
    found = (len(rows(ledger, webhooks, "id")), len(rows(ledger, events, "id")))
    ledger.close()
    return found == (1, 1)


@pytest.mark.timeout(60)
def test_the_kernel_is_asked_to_write_to_disk_before_the_provider_is_told_200(tmp_path: Path, sqlite_url: str) -> None:
    assert shutil.which("strace"), "no strace on the PATH: install it (Debian, Ubuntu: `apt-get install strace`)"
    trace = tmp_path / "trace"
    with installation(tmp_path, sqlite_url, Setup(web=1, workers=1)) as running:
        [process] = running.parts("web")
        watching = subprocess.Popen(
            [*STRACE, "-o", str(trace), "-p", str(process.pid)],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert watching.stderr is not None
        assert "attached" in watching.stderr.readline()
        assert post(running, "00001").status_code == 200
        eventually(lambda: "200 OK" in trace.read_text())
        watching.terminate()
        watching.wait()
        watching.stderr.close()
    lines = trace.read_text().splitlines()
    synced = [at for at, line in enumerate(lines) if re.search(r"f(data)?sync\(.*ledger\.db-wal", line)]
    [answered] = [at for at, line in enumerate(lines) if "HTTP/1.1 200 OK" in line]
    assert synced
    assert synced[0] < answered
