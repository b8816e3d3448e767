"""Lines: the events of one subscriber in one lane, of which only the first may leave.

A line's row names its head, the waiting event that happened first, and when that is due. While the head is on its
way the line is closed (`due_at` is null). So the next event to leave is found without looking at those behind it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, text

from gateway.events import Lane
from gateway.ledger.schema import to_microseconds
from gateway.ledger.status import Status

_JOIN = text(
    """
    INSERT INTO lines (destination, lane, subscriber, head, head_occurred_at, due_at)
    VALUES (:destination, :lane, :subscriber, :head, :head_occurred_at, :due_at)
    ON CONFLICT (destination, lane, subscriber) DO UPDATE
    SET head = excluded.head, head_occurred_at = excluded.head_occurred_at, due_at = excluded.due_at
    WHERE lines.head IS NULL
       OR (lines.due_at IS NOT NULL AND excluded.head_occurred_at < lines.head_occurred_at)
    """
)

_OPEN = text(
    """
    INSERT INTO lines (destination, lane, subscriber) VALUES (:destination, :lane, :subscriber)
    ON CONFLICT (destination, lane, subscriber) DO NOTHING
    """
)

_REFRESH = text(
    """
    UPDATE lines SET (head, head_occurred_at, due_at) = (
        SELECT id, occurred_at, due_at FROM events
        WHERE events.destination = :destination AND events.lane = :lane AND events.subscriber = :subscriber
          AND events.status = :waiting
        ORDER BY occurred_at, id LIMIT 1)
    WHERE destination = :destination AND lane = :lane AND subscriber = :subscriber
      AND NOT EXISTS (
        SELECT 1 FROM events
        WHERE events.destination = :destination AND events.lane = :lane AND events.subscriber = :subscriber
          AND events.status IN (:delivering, :unknown))
    """
).bindparams(waiting=Status.WAITING, delivering=Status.DELIVERING, unknown=Status.UNKNOWN)

_CLOSE = text(
    """
    UPDATE lines SET head = :head, due_at = NULL
    WHERE destination = :destination AND lane = :lane AND subscriber = :subscriber
    """
)

_LEAVE = text(
    "DELETE FROM lines WHERE destination = :destination AND lane = :lane AND subscriber = :subscriber AND head IS NULL"
)


def join(connection: Connection, waiting: Sequence[Mapping[str, Any]]) -> None:
    """Put new waiting events (rows of `events`, not of the bulk lane) into their lines."""
    if waiting:
        connection.execute(
            _JOIN,
            [
                {
                    "destination": row["destination"],
                    "lane": row["lane"],
                    "subscriber": row["subscriber"],
                    "head": row["id"],
                    "head_occurred_at": to_microseconds(row["occurred_at"]),
                    "due_at": to_microseconds(row["due_at"]),
                }
                for row in waiting
            ],
        )


def refresh(connection: Connection, destination: str, changed: Iterable[tuple[int, str]]) -> None:
    """Find the head of each changed line (lane, subscriber) anew; a line with an event on its way stays closed."""
    rows = [
        {"destination": destination, "lane": lane, "subscriber": subscriber}
        for lane, subscriber in sorted(set(changed))
        if lane != Lane.BULK
    ]
    if rows:
        for statement in (_OPEN, _REFRESH, _LEAVE):
            connection.execute(statement, rows)


def close(connection: Connection, destination: str, lane: int, subscriber: str, head: str) -> None:
    """Let nothing of a line leave until `head`, an event on its way or in doubt, is settled."""
    if lane == Lane.BULK:
        return
    row = {"destination": destination, "lane": lane, "subscriber": subscriber, "head": head}
    connection.execute(_OPEN, row)
    connection.execute(_CLOSE, row)
