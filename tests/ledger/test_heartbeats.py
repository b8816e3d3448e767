"""Which processes live: told while they say so, and for a day since when nobody is there."""

from datetime import timedelta

from gateway.ledger import heartbeats
from gateway.ledger.database import Ledger
from gateway.ledger.heartbeats import KEPT, MISSED_AFTER, Condition, Identity, Process
from gateway.ledger.schema import heartbeats as table
from tests.making import NOON, rows

SECOND = timedelta(seconds=1)
WELL = Condition(timedelta(0), 10**9, None)


def named(identity: str, role: str = heartbeats.WORKER) -> Identity:
    return Identity(identity, role, "host-1", 7, "0.1.0", "0001")


def beat(ledger: Ledger, who: Identity, found: Condition, seconds: float) -> None:
    with ledger.write() as connection:
        heartbeats.beat(connection, who, found, NOON + seconds * SECOND)


def alive(ledger: Ledger, seconds: float) -> list[Process]:
    with ledger.read() as connection:
        return list(heartbeats.alive(connection, NOON + seconds * SECOND))


def test_a_process_lives_as_long_as_it_says_so_and_is_told_whole(ledger: Ledger) -> None:
    beat(ledger, named("hb_1"), WELL, 0)
    found = Condition(timedelta(seconds=-3), 10**12, "away")
    beat(ledger, named("hb_1"), found, 10)
    beat(ledger, named("hb_1"), found, 20)
    at = [NOON + seconds * SECOND for seconds in (0, 20, 10)]
    assert alive(ledger, 30) == [Process(named("hb_1"), at[0], at[1], found, at[2])]
    assert alive(ledger, 20 + MISSED_AFTER.total_seconds()) == []


def test_one_that_ends_in_order_is_gone_at_once_and_remembered(ledger: Ledger) -> None:
    beat(ledger, named("hb_1"), WELL, 0)
    beat(ledger, named("hb_2", heartbeats.WEB), WELL, 1)
    with ledger.write() as connection:
        heartbeats.end(connection, "hb_1", NOON + 2 * SECOND)
    assert [one.identity.id for one in alive(ledger, 3)] == ["hb_2"]
    with ledger.read() as connection:
        seen = [heartbeats.last_seen(connection, role) for role in (heartbeats.WORKER, heartbeats.WEB, "other")]
    assert seen == [NOON + 2 * SECOND, NOON + SECOND, None]


def test_what_ended_long_ago_is_removed_by_the_next_that_begins(ledger: Ledger) -> None:
    beat(ledger, named("hb_1"), WELL, 0)
    beat(ledger, named("hb_2"), WELL, KEPT.total_seconds() - 1)
    beat(ledger, named("hb_3"), WELL, KEPT.total_seconds() + 1)
    assert rows(ledger, table, "id") == [("hb_2",), ("hb_3",)]
