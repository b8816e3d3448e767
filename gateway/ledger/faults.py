"""Whose fault an error is that came up while a webhook was recorded: the webhook's own, or the ledger's.

It is judged by the driver's own error, whatever stands around it, so that it makes no difference whether a statement
went through SQLAlchemy or past it. What nobody knows is the ledger's fault: the provider then sends again and nothing
is lost, while a webhook that is put into quarantine waits for a person.
"""

import sqlite3

import psycopg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gateway.errors import GatewayError, LedgerUnavailableError, PayloadError, is_of_machine
from gateway.ledger.schema import metadata

_OWN_STATES = ("22", "23", "54")
"""Classes of SQLSTATE: data exceptions, violated constraints, more than PostgreSQL can hold."""

_OWN_CODES = frozenset({sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH})

_NOT_NULL = "23502"
_NOT_NULL_WORDS = "NOT NULL constraint failed: "


def cause_of(error: BaseException) -> BaseException:
    """The driver's error, or Python's, without what SQLAlchemy and the ledger put around it."""
    if isinstance(error, StatementError) and error.orig is not None:
        return cause_of(error.orig)
    if isinstance(error, LedgerUnavailableError) and error.__cause__ is not None:
        return cause_of(error.__cause__)
    return error


def is_webhooks_own(error: BaseException) -> bool:
    """Whether what is recorded can't be recorded as it is, whenever it is tried again."""
    cause = cause_of(error)
    if isinstance(cause, sqlite3.Error):
        return _is_own_of_sqlite(cause)
    if isinstance(cause, psycopg.Error):
        return _is_own_of_postgresql(cause)
    return isinstance(cause, PayloadError) or not (
        isinstance(cause, SQLAlchemyError | GatewayError) or is_of_machine(cause)
    )


def is_of_database(error: BaseException) -> bool:
    """Whether it comes from a driver, or from the pool that has no connection to give."""
    return isinstance(error, DBAPIError | PoolTimeoutError | sqlite3.Error | psycopg.Error)


def is_serialization_fault(error: BaseException) -> bool:
    """Whether the same transaction, tried again at once, is likely to succeed."""
    return (_state(cause_of(error)) or "").startswith("40")


def is_locked(error: BaseException) -> bool:
    """Whether somebody else had a lock for longer than one waits for it."""
    cause = cause_of(error)
    return _state(cause) == "55P03" or getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def is_read_only(error: BaseException) -> bool:
    """Whether this server takes no writes: where another was promoted, a new connection finds that one."""
    return _state(cause_of(error)) == "25006"


def words(error: BaseException) -> str:
    """The driver's words without the statement and its parameters, which hold people's data."""
    cause = cause_of(error)
    return str(cause).splitlines()[0][:200] if str(cause) else type(cause).__name__


def _is_own_of_sqlite(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # the driver's, before it asked SQLite
        return isinstance(error, sqlite3.DataError)
    if code == sqlite3.SQLITE_CONSTRAINT_NOTNULL:
        return _is_column_of_ours(*str(error).removeprefix(_NOT_NULL_WORDS).partition(".")[::2])
    return code & 0xFF in _OWN_CODES


def _is_own_of_postgresql(error: psycopg.Error) -> bool:
    if error.sqlstate is None:  # the driver's, before it asked PostgreSQL
        return isinstance(error, psycopg.DataError)
    if error.sqlstate == _NOT_NULL:
        return _is_column_of_ours(error.diag.table_name or "", error.diag.column_name or "")
    return error.sqlstate.startswith(_OWN_STATES)


def _is_column_of_ours(table: str, column: str) -> bool:
    """False for one that another version of the gateway added, and that this one can't know to fill."""
    return table in metadata.tables and column in metadata.tables[table].columns


def _state(cause: BaseException) -> str | None:
    return cause.sqlstate if isinstance(cause, psycopg.Error) else None
