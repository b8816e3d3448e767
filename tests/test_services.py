"""The services that the other tests stand on."""

import redis
from sqlalchemy import create_engine, text


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
