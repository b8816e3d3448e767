"""A token that Lumail refuses, and then another."""

from pathlib import Path

from gateway.ledger.database import Ledger
from gateway.ledger.schema import events
from gateway.lumail.sandbox import SandboxSettings
from tests.crash.installation import TOKEN, Provider, Setup, payments, stand_in, up
from tests.making import rows
from tests.waiting import eventually

EVENTS = 12
WRONG = {"LUMAIL_API_TOKEN": "lum_of_last_year"}


def test_once_the_token_is_corrected_all_is_delivered_at_the_first_try(tmp_path: Path, sqlite_url: str) -> None:
    setup = Setup(web=1, workers=1)
    with stand_in(SandboxSettings(api_tokens=(TOKEN,))) as (sandbox, base_url):
        with up(tmp_path, sqlite_url, setup, base_url, WRONG) as running:
            Provider(running.url).post_all(payments(range(EVENTS)))
            eventually(lambda: alerts(running.log), within=60)
            eventually(lambda: any(one["method"] == "GET" for one in sandbox.requests()), within=60, what="a probe")
        ledger = Ledger(sqlite_url)
        assert set(rows(ledger, events, "status", "tries")) == {("waiting", 0)}
        with up(tmp_path, sqlite_url, setup, base_url) as running:
            eventually(lambda: len(sandbox.events()) == EVENTS, within=60)
        assert set(rows(ledger, events, "status", "tries")) == {("delivered", 1)}
        ledger.close()
    assert len(alerts(running.log)) == 1


def alerts(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if '"destination.paused"' in line]
