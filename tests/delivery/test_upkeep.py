"""What a worker removes besides delivering, and when."""

from datetime import timedelta

from sqlalchemy import delete, select, update
from structlog.testing import capture_logs

from gateway.config import Retention
from gateway.delivery.upkeep import Upkeep
from gateway.ledger.database import Ledger
from gateway.ledger.schema import marks, webhooks
from tests.making import record, rows, submission, told
from tests.waiting import eventually

RETENTION = Retention(bodies=timedelta(seconds=1))


def test_a_purge_is_due_once_an_hour_whoever_does_it(ledger: Ledger) -> None:
    record(ledger, submission(told()))
    one, other = Upkeep(ledger, RETENTION), Upkeep(ledger, RETENTION)
    assert one.is_due()
    with capture_logs() as logs:
        one.work()
        other.work()
    assert [(line["event"], line.get("bodies")) for line in logs] == [("ledger.purged", 1)]
    assert (one.is_due(), other.is_due()) == (False, False)
    with ledger.write() as connection:
        connection.execute(delete(marks).where(marks.c.name == "purged"))
    assert other.is_due()


def test_work_is_done_in_the_background_and_given_up_when_it_is_closed(ledger: Ledger) -> None:
    record(ledger, submission(told()))
    upkeep = Upkeep(ledger, RETENTION)
    upkeep.start()
    eventually(lambda: rows(ledger, webhooks, "body") == [(None,)])
    upkeep.close()
    upkeep.start()
    with ledger.write(["main"]) as connection:
        connection.execute(update(webhooks).values(body=b"{}"))
        assert connection.execute(select(webhooks.c.body)).scalar_one() == b"{}"
