"""How PostgreSQL is reached: one server or several, straight or through a pooler that lends connections by transaction.

A pooler gives each transaction whatever connection is free, so nothing may rest on a session: limits are set with
`SET LOCAL`, locks end with their transaction, and statements are not prepared where a pooler is found.
"""

import re
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Connection, Engine, create_engine, event

from gateway.errors import ConfigError

_DEFAULTS = {
    "application_name": "lumail-gateway",
    "connect_timeout": "3",
    # A server that vanishes without a word is noticed, instead of being waited for.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
"""Parameters of libpq where DATABASE_URL does not name them."""

_IDLE_MILLISECONDS = 60_000
"""How long a transaction of a process that was stopped may keep its locks."""

_THRESHOLD = "prepare_threshold"


def reach(url: str, lock_seconds: float) -> Engine:
    """An engine for a URL as libpq reads it, with `prepare_threshold` besides. `lock_seconds` is how long a
    transaction waits for a lock.

    Raises ConfigError where the URL can't be understood.
    """
    conninfo, given = _understood(url)
    engine = create_engine(
        "postgresql+psycopg://",
        hide_parameters=True,
        pool_size=16,
        max_overflow=48,
        pool_timeout=lock_seconds,
        pool_pre_ping=True,
        use_native_hstore=False,
    )
    # Isolation is named, since a database may have another default: what is read after a lock must be newer than it.
    begin = (
        "BEGIN ISOLATION LEVEL READ COMMITTED; "
        f"SET LOCAL lock_timeout = {round(lock_seconds * 1000)}; "
        f"SET LOCAL idle_in_transaction_session_timeout = {_IDLE_MILLISECONDS}"
    )

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, _words: object, options: dict[str, Any]) -> Any:
        # With autocommit the driver begins nothing by itself: a transaction begins below, with its limits.
        connection: psycopg.Connection[Any] = psycopg.connect(conninfo, autocommit=True, **options)
        if given:
            connection.prepare_threshold = given[0]
        elif _is_pooled(connection):
            connection.prepare_threshold = None
        return connection

    @event.listens_for(engine, "begin")
    def begins(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _is_pooled(connection: "psycopg.Connection[Any]") -> bool:
    """Whether somebody between us and the server speaks for it: it tells another process than the one that works."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return row is None or row[0] != connection.info.backend_pid


def _understood(url: str) -> tuple[str, tuple[int | None, ...]]:
    """What libpq is told, and what was said of prepared statements; nothing where nothing was."""
    address, _, query = re.sub(r"^postgres(ql)?(\+psycopg)?://", "postgresql://", url).partition("?")
    named = [one.partition("=") for one in query.split("&") if one]
    rest = "&".join("".join(one) for one in named if one[0] != _THRESHOLD)
    try:
        parameters = conninfo_to_dict(f"{address}?{rest}" if rest else address)
    except psycopg.ProgrammingError as error:
        raise ConfigError(f"DATABASE_URL: {_without_the_url(str(error))}") from None
    given = tuple(_threshold(value) for name, _, value in named if name == _THRESHOLD)
    return make_conninfo("", **{**_DEFAULTS, **parameters}), given


def _threshold(value: str) -> int | None:
    if value.isdecimal():
        return int(value)
    if value == "none":
        return None
    raise ConfigError("DATABASE_URL: prepare_threshold: must be a whole number, or none for no prepared statements")


def _without_the_url(text: str) -> str:
    """libpq's words where they can't hold a password."""
    unknown = re.fullmatch(r'invalid URI query parameter: "(\w+)"\s*', text)
    if unknown is not None:
        return f"PostgreSQL knows no parameter {unknown[1]!r}"
    return "PostgreSQL can't read it; it must be postgresql://user:password@host/name, what is special in it as %XX"
