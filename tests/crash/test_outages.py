"""What an installation does while Redis or the database is away, and that a 200 is never said too early."""

import re
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest
import requests

from gateway.ledger.database import Ledger
from gateway.ledger.schema import events, webhooks
from tests.crash.installation import (
    Installation,
    Provider,
    Setup,
    installation,
    payments,
    settings_of,
    signed_payment,
)
from tests.crash.outages import full, locked_file, locked_table, small_disk
from tests.crash.telling import KEEPS_NOTHING, WELL, told
from tests.disks import where_only
from tests.making import rows
from tests.services import Postgres, pgbouncer
from tests.waiting import eventually

ONE = Setup(web=1, workers=1)

STRACE = ("strace", "-f", "-y", "-s", "40", "-e", "trace=fsync,fdatasync,write,writev,sendto")


def post(running: Installation, number: str) -> requests.Response:
    webhook = signed_payment(number)
    return requests.post(f"{running.url}/webhooks/stripe", data=webhook.body, headers=dict(webhook.headers), timeout=10)


def refused(running: Installation) -> bool:
    answer = post(running, "99999")
    return (answer.status_code, answer.headers.get("Retry-After")) == (503, "5")


def accepted(running: Installation, number: str) -> requests.Response | None:
    answer = post(running, number)
    return answer if answer.ok else None


def taken(running: Installation, numbers: range) -> None:
    """And delivered, once each."""
    for number in numbers:
        receipt = eventually(partial(accepted, running, f"{number:05d}")).json()
        assert (receipt["duplicate"], receipt["quarantined"]) == (False, 0)
    eventually(lambda: len(running.sandbox.events()) == numbers.stop, what=f"{numbers.stop} are delivered")


@pytest.mark.timeout(600)
def test_while_postgresql_is_away_or_a_table_locked_webhooks_get_503_and_nothing_is_half_written(
    tmp_path: Path, postgres: Postgres
) -> None:
    with postgres.database() as name, installation(tmp_path, postgres.url(name), ONE) as running:
        environ = settings_of(running, tmp_path, postgres.url(name))
        outages = (locked_table(postgres, name), postgres.away)
        for number, outage in enumerate(outages):
            with outage():
                assert refused(running)
                eventually(lambda: requests.get(f"{running.url}/readyz", timeout=30).status_code == 503)
                assert told(running, environ) == KEEPS_NOTHING
                assert requests.get(f"{running.url}/healthz", timeout=10).status_code == 200
            taken(running, range(number, number + 1))
            eventually(lambda: told(running, environ) == WELL, what="it says that all is well")
        assert kept(postgres.url(name)) == (len(outages), len(outages))


@pytest.mark.timeout(600)
def test_on_a_full_disk_or_a_locked_file_webhooks_get_503_and_are_delivered_afterwards(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", "8m") as disk,
        installation(tmp_path, disk.url(), ONE, within=disk.within) as running,
    ):
        environ = settings_of(running, tmp_path, disk.url())
        with locked_file(disk)():
            assert refused(running)
            eventually(lambda: requests.get(f"{running.url}/readyz", timeout=30).status_code == 503)
            assert told(running, environ, disk.within) == KEEPS_NOTHING
        taken(running, range(1))
        with full(disk)():
            number = 1
            while post(running, f"{number:05d}").ok:  # what SQLite has reserved takes some
                number += 1
            assert refused(running)
            eventually(lambda: requests.get(f"{running.url}/readyz", timeout=30).status_code == 503)
            assert told(running, environ, disk.within) == KEEPS_NOTHING
        taken(running, range(number, number + 1))
        eventually(lambda: told(running, environ, disk.within) == WELL, what="it says that all is well")
        assert kept(disk.copied()) == (number + 1, number + 1)


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


def kept(database_url: str) -> tuple[int, int]:
    """How many webhooks and events."""
    ledger = Ledger(database_url)
    found = (len(rows(ledger, webhooks, "id")), len(rows(ledger, events, "id")))
    ledger.close()
    return found


@pytest.mark.timeout(60)
def test_the_kernel_is_asked_to_write_to_disk_before_the_provider_is_told_200(tmp_path: Path, sqlite_url: str) -> None:
    assert shutil.which("strace"), "no strace on the PATH: install it (Debian, Ubuntu: `apt-get install strace`)"
    trace = tmp_path / "trace"
    with installation(tmp_path, sqlite_url, ONE) as running:
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
