"""Whatever a former version left, this one shows, sends, repeats and erases."""

from collections import Counter

from sqlalchemy import Connection, func, select, text

from gateway.config import Destination
from gateway.delivery.drain import DeliveryPool, drain
from gateway.desk import Desk
from gateway.ledger.database import Ledger
from gateway.ledger.jobs import privacy_requests
from gateway.ledger.jobs.privacy_requests import Origin
from gateway.ledger.migration import differences
from gateway.ledger.retention import erasure
from gateway.ledger.schema import SCHEMA, events, metadata
from gateway.privacy import Duty, PrivacyRequest, Subject
from gateway.replay.bulk import Replays
from gateway.replay.sending import replay_event
from gateway.replay.translating import replay_webhook
from tests.cli.conftest import Terminal
from tests.desk.conftest import Visitor
from tests.making import payment, record_facts, rows
from tests.money.office import TOKEN, lumail
from tests.upgrade.conftest import SCHEMAS
from tests.waiting import eventually

ME = "ana (terminal)"


def ids(ledger: Ledger, table: str, condition: str = "true") -> list[str]:
    with ledger.read() as connection:
        return list(connection.execute(text(f"SELECT id FROM {table} WHERE {condition} ORDER BY id")).scalars())


def test_this_version_is_kept() -> None:
    """`python -m tests.upgrade.make` makes what is missing."""
    assert SCHEMA in SCHEMAS


def test_it_has_the_tables_of_this_version_and_something_in_each(ledger: Ledger) -> None:
    assert differences(ledger) == []
    with ledger.read() as connection:
        empty = [one.name for one in metadata.sorted_tables if not _is_filled(connection, one.name)]
    assert empty == []


def _is_filled(connection: Connection, table: str) -> bool:
    return bool(connection.execute(select(func.count()).select_from(metadata.tables[table])).scalar_one())


def test_every_page_and_list_shows_it(ledger: Ledger, desk_parts: Desk, operator: Visitor, terminal: Terminal) -> None:
    received, happened, replays = (
        ids(ledger, "webhooks"),
        ids(ledger, "events"),
        ids(ledger, "jobs", "kind LIKE 'replay%'"),
    )
    paths = [
        *("/", "/charts", "/events", "/received", "/events/news", "/received/news", "/audit", "/replays"),
        *("/sources/sendgrid", "/sources/stripe", "/destinations/main", "/adapters/sendgrid"),
        *(f"/received/{one}{page}" for one in received[::3] for page in ("", "/explain")),
        *(f"/events/{one}{page}" for one in happened[::2] for page in ("", "/actions", "/edit")),
        *(f"/replays/{one}" for one in replays),
    ]
    assert [path for path in paths if operator.get(path).status_code != 200] == []
    assert {one["id"] for one in terminal.document("events", "list", "--limit", "1000")["events"]} == set(happened)
    assert {one["id"] for one in terminal.document("webhooks", "list", "--limit", "1000")["webhooks"]} == set(received)
    for words in (("status",), ("destinations", "list"), ("users", "list"), ("replay", "list"), ("sources", "list")):
        terminal.run(*words, status=None)


def test_what_waits_is_delivered_once_and_what_comes_joins_what_is_known(ledger: Ledger) -> None:
    waiting = set(ids(ledger, "events", "status = 'waiting'"))
    assert record_facts(ledger, payment("p:0", subscriber="s0@example.com")) == []
    new = set(record_facts(ledger, payment("p:new")))
    with lumail() as (sandbox, _, base_url):
        pool = DeliveryPool(ledger, {"main": Destination("main", base_url, TOKEN, 100_000)})
        eventually(lambda: drain(pool, "main") == 0 and not ids(ledger, "events", "status = 'waiting'"))
        pool.close()
        arrived = Counter(one["data"]["gatewayEventId"] for one in sandbox.events())
    assert set(arrived.values()) == {1}
    assert new <= set(arrived) <= waiting | new


def test_failed_events_and_kept_webhooks_are_replayed(ledger: Ledger, desk_parts: Desk) -> None:
    [failed] = ids(ledger, "events", "status = 'failed'")
    replay_event(ledger, failed, ME)
    assert ids(ledger, "events", "status = 'failed'") == []
    for webhook in ids(ledger, "webhooks", "source IN ('stripe', 'sendgrid') AND body IS NOT NULL"):
        before = len(ids(ledger, "events"))
        replay_webhook(ledger, desk_parts.routes, webhook, ME)
        assert len(ids(ledger, "events")) == before, "what is known is told again"


def test_work_that_was_begun_goes_on_to_its_end(ledger: Ledger, desk_parts: Desk) -> None:
    [begun] = ids(ledger, "jobs", "status = 'running'")
    worker = Replays(ledger, {"main": 600, "other": 600}, lambda: desk_parts.routes)
    eventually(lambda: worker.step(begun) or ids(ledger, "jobs", "status = 'done' AND kind = 'replay webhooks'"))


def test_people_are_erased_and_stay_so(ledger: Ledger) -> None:
    record_facts(ledger, payment("p:erase", subscriber="s1@example.com"))
    gone = PrivacyRequest(Duty.ERASE, Subject(("s1@example.com",)))
    with ledger.write(["main"]) as connection:
        demand = privacy_requests.record(connection, gone, Origin(ME), ledger.now(connection))
    for open_one in (demand, *ids(ledger, "jobs", "kind = 'erase' AND status = 'open'")):
        assert erasure.erase(ledger, open_one).is_done
    assert [who for (who,) in rows(ledger, events, "subscriber") if who in ("s1@example.com", "gone@example.com")] == []
    again = record_facts(ledger, payment("p:gone", subscriber="gone@example.com"))
    assert [row for row in rows(ledger, events, "id", "status") if row[0] in again and row[1] != "dropped"] == []
