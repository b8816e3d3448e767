"""The services that the other tests stand on."""

import pytest
import redis
from sqlalchemy import create_engine, text

from gateway.ledger.database import Ledger
from gateway.ledger.schema import destinations, events
from tests.making import payment, record_facts, rows


def test_a_test_gets_a_redis_that_answers_and_is_empty(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as connection:
        assert connection.dbsize() == 0
        connection.set("left", "behind")


def test_the_next_test_meets_nothing_of_it(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as connection:
        assert connection.dbsize() == 0


def test_every_ledger_test_runs_on_a_new_database(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (name TEXT)"))
        connection.execute(text("INSERT INTO kept VALUES ('one')"))
        assert connection.execute(text("SELECT name FROM kept")).all() == [("one",)]
    engine.dispose()


def test_and_the_next_one_meets_no_table_of_it(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (name TEXT)"))
    engine.dispose()


@pytest.mark.parametrize("time", ["the first", "the next"])
def test_a_ledger_has_its_two_destinations_and_nothing_of_the_test_before(ledger: Ledger, time: str) -> None:
    assert (rows(ledger, destinations, "name"), rows(ledger, events, "id")) == ([("main",), ("other",)], []), time
    record_facts(ledger, payment("p:1"))
