"""Lines: the events of one subscriber in one lane, of which only the first may leave.

A line's row names its head, the waiting event that happened first, and when that is due. While the head is on its
way the line is closed (`due_at` is null). So the next event to leave is found without looking at those behind it.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, text

from gateway.events import Lane
from gateway.ledger.event import Event
from gateway.ledger.schema import lines
from gateway.ledger.statements import Given, Insert
from gateway.ledger.status import Status

_JOIN = Insert(
    lines,
    ("destination", "lane", "subscriber", "head", "head_occurred_at", "due_at"),
    replaced=("head", "head_occurred_at", "due_at"),
    where="""
    WHERE lines.head IS NULL
       OR (lines.due_at IS NOT NULL AND excluded.head_occurred_at < lines.head_occurred_at)
    """.rstrip(),
)

_NAME = ("destination", "lane", "subscriber")
_OPEN = Insert(lines, _NAME, replaced=())
_REFRESH = Given(
    lines,
    _NAME,
    f"""
    UPDATE lines SET (head, head_occurred_at, due_at) = (
        SELECT id, occurred_at, due_at FROM events
        WHERE events.destination = lines.destination AND events.lane = lines.lane
          AND events.subscriber = lines.subscriber AND events.status = '{Status.WAITING}'
        ORDER BY occurred_at, id LIMIT 1)
    FROM given
    WHERE lines.destination = given.destination AND lines.lane = given.lane AND lines.subscriber = given.subscriber
      AND NOT EXISTS (
        SELECT 1 FROM events
        WHERE events.destination = given.destination AND events.lane = given.lane
          AND events.subscriber = given.subscriber AND events.status IN ('{Status.DELIVERING}', '{Status.UNKNOWN}'))
    """,  # noqa: S608 - codes of ours
)
_LEAVE = Given(
    lines,
    _NAME,
    """
    DELETE FROM lines WHERE {row} IN (
        SELECT lines.{row} FROM given CROSS JOIN lines
        WHERE lines.destination = given.destination AND lines.lane = given.lane
          AND lines.subscriber = given.subscriber AND lines.head IS NULL)
    """,
)

_CLOSE = text(
    """
    UPDATE lines SET head = :head, due_at = NULL
    WHERE destination = :destination AND lane = :lane AND subscriber = :subscriber
    """
)


def join(connection: Connection, waiting: Iterable[Event]) -> None:
    """Put new waiting events, not of the bulk lane, into their lines."""
    first: dict[tuple[Lane, str | None], Event] = {}
    for event in waiting:
        other = first.get((event.lane, event.subscriber))
        if other is None or event.occurred_at < other.occurred_at:
            first[event.lane, event.subscriber] = event
    rows = [
        (event.destination, event.lane, event.subscriber, event.id, event.occurred_at, event.due_at)
        for event in first.values()
    ]
    _JOIN.run(connection, rows)


def refresh(connection: Connection, destination: str, changed: Iterable[tuple[int, str]]) -> None:
    """Find the head of each changed line (lane, subscriber) anew; a line with an event on its way stays closed."""
    rows = [(destination, lane, subscriber) for lane, subscriber in sorted(set(changed)) if lane != Lane.BULK]
    _OPEN.run(connection, rows)
    _REFRESH.run(connection, rows)
    _LEAVE.run(connection, rows)


def close(connection: Connection, destination: str, lane: int, subscriber: str, head: str) -> None:
    """Let nothing of a line leave until `head`, an event on its way or in doubt, is settled."""
    if lane == Lane.BULK:
        return
    _OPEN.run(connection, [(destination, lane, subscriber)])
    row = {"destination": destination, "lane": lane, "subscriber": subscriber, "head": head}
    connection.execute(_CLOSE, row)
