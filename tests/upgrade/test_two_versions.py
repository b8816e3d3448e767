"""Two versions of the gateway on one ledger at once, both as real processes, and one that has become too old."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import requests
from sqlalchemy import text, update

from gateway.ledger.database import Ledger
from gateway.ledger.schema import SCHEMA, heartbeats, webhooks
from tests.crash.installation import Installation, Provider, Setup, payments, settings_of, stand_in, up
from tests.making import rows
from tests.services import Postgres
from tests.upgrade import versions
from tests.waiting import eventually

SETUP = Setup(web=1, workers=1)


def command(environ: Mapping[str, str], *words: str) -> tuple[int, str]:
    """Its exit status and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", *words], env=environ, capture_output=True, text=True, timeout=200
    )
    return done.returncode, done.stdout + done.stderr


def taken(running: Installation, numbers: range) -> None:
    """Without a single refusal."""
    provider = Provider(running.url)
    provider.post_all(payments(numbers))
    assert provider.refused == []


@pytest.mark.timeout(900)
def test_versions_work_beside_each_other_until_one_is_too_old_and_says_so(tmp_path: Path, postgres: Postgres) -> None:
    one_more = versions.after(tmp_path)
    too_new = versions.after(tmp_path, one_more, works_beside=one_more.schema, more='op.drop_column("jobs", "error")')
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    with postgres.database() as name, stand_in(SETUP.lumail) as (sandbox, base_url):
        url = postgres.url(name)
        ledger = Ledger(url)
        with up(tmp_path / "old", url, SETUP, base_url) as old:
            taken(old, range(3))
            environ = {**settings_of(old, tmp_path / "old", url), "PATH": "/usr/bin:/bin"}
            with up(tmp_path / "new", url, SETUP, base_url, one_more.environ) as new:
                taken(old, range(3, 6))
                taken(new, range(6, 9))
                eventually(lambda: len(sandbox.events()) >= 9, within=120, what="both versions' webhooks are delivered")
                living = {
                    schema for (schema, ended) in rows(ledger, heartbeats, "schema_version", "ended_at") if not ended
                }
                assert living == {SCHEMA, one_more.schema}
            status, said = command({**environ, **too_new.environ}, "migrate", "--plan")
            assert (status, "web of version" in said, old.url in said) == (1, True, False)
            assert "goes through all 0 rows of jobs" in said
            status, said = command({**environ, **too_new.environ}, "migrate")
            assert (status, "End them, then try again" in said) == (1, True)

            with ledger.write(outdated_too=True) as connection:  # as if they had been frozen, and missed
                connection.execute(update(heartbeats).values(schema_version=too_new.schema))
            status, said = command({**environ, **too_new.environ}, "migrate")
            assert (status, said.splitlines()[-1:]) == (0, [f"The ledger is at schema {too_new.schema}."])
            refused = Provider(old.url)
            assert refused._post(requests.Session(), payments(range(9, 10))[0]) is False
            assert refused.refused == [503]
            ready = requests.get(f"{old.url}/readyz", timeout=10)
            assert (ready.status_code, "Start the newer version" in ready.text) == (503, True)
            assert (command(environ, "status")[0], len(rows(ledger, webhooks, "id"))) == (1, 9)
            eventually(lambda: old.lines("ledger.outdated"))
        with ledger.read() as connection:
            assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == too_new.schema
        ledger.close()
        assert len(sandbox.events()) == 9
