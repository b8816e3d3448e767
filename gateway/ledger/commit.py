"""Group commit: all webhooks that wait in a process become durable in one transaction, each for itself."""

import threading
from collections import deque
from collections.abc import Callable, Sequence, Set
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from queue import SimpleQueue

import structlog
from sqlalchemy import Connection

from gateway.errors import LedgerUnavailableError
from gateway.ledger.database import Ledger, is_serialization_fault
from gateway.ledger.recording import quarantined_whole, record
from gateway.ledger.telling import Recorded, Submission

MOST_IN_A_GROUP = 64

_log = structlog.get_logger()


@dataclass(frozen=True)
class _Waiting:
    submission: Submission
    result: "Future[Recorded]" = field(default_factory=Future)


class Committer:
    """Records webhooks durably, grouped. One a process; its thread starts with the first webhook, after any fork.

    `after_commit` is called with each committed group's receipts, in the committer's thread.
    """

    def __init__(
        self, ledger: Ledger, after_commit: Callable[[Sequence[tuple[Submission, Recorded]]], None] | None = None
    ) -> None:
        self._ledger = ledger
        self._after_commit = after_commit
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._set_aside: deque[_Waiting] = deque()
        """Taken from the queue, for destinations whose locks the group had not."""
        self._ends = False
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, submission: Submission, timeout: float) -> Recorded:
        """Return once the webhook is on disk.

        Raises LedgerUnavailableError when it is not within `timeout` seconds. A webhook that nobody waits for any
        more is left out; one that is being written at that very moment may be kept, and is then known as a
        duplicate when the provider sends it again.
        """
        waiting = _Waiting(submission)
        self._ensure_thread()
        self._queue.put(waiting)
        try:
            return waiting.result.result(timeout)
        except TimeoutError as error:
            waiting.result.cancel()
            raise LedgerUnavailableError(f"the ledger did not commit within {timeout:g} s") from error

    def close(self) -> None:
        """Commit what waits and end the thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
            self._ends = False

    def _ensure_thread(self) -> None:
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while not self._ends or self._set_aside:
            first = self._set_aside.popleft() if self._set_aside else self._queue.get()
            if first is None:
                return
            group = [first]
            self._join(group, None)
            self._commit(group)

    def _join(self, group: list[_Waiting], held: Set[str] | None) -> None:
        """Add everybody who waits by now; where only the locks in `held` are had, the others stay for the next group.

        Called once more with the locks in hand: what came while they were awaited need not wait for them again.
        """
        aside: list[_Waiting] = []
        while len(group) < MOST_IN_A_GROUP:
            if self._set_aside:
                following: _Waiting | None = self._set_aside.popleft()
            elif not self._ends and not self._queue.empty():
                following = self._queue.get()
            else:
                break
            if following is None:
                self._ends = True
            elif held is None or following.submission.destination in held:
                group.append(following)
            else:
                aside.append(following)
        self._set_aside.extendleft(reversed(aside))

    def _commit(self, group: list[_Waiting]) -> None:
        try:
            done = self._write(group)
        except LedgerUnavailableError as error:
            _fail(group, error)
            return
        except Exception as error:  # noqa: BLE001 - the thread must outlive any fault; the senders try again
            _log.error("ledger.failed", error=type(error).__name__, exc_info=error)
            _fail(group, LedgerUnavailableError(f"the ledger failed: {type(error).__name__}"), error)
            return
        for waiting, recorded in done:
            _settle(waiting, recorded)
        if self._after_commit is not None:
            self._after_commit([(waiting.submission, recorded) for waiting, recorded in done])

    def _write(self, group: list[_Waiting], tries: int = 3) -> list[tuple[_Waiting, Recorded]]:
        held = {one.submission.destination for one in group}
        try:
            with self._ledger.write(held) as connection:
                self._join(group, held)
                # Only now is it decided whose senders still wait: the lock may have been long in coming.
                taken = [one for one in group if not one.result.cancelled()]
                recorded = record_group(connection, self._ledger, [one.submission for one in taken])
            return list(zip(taken, recorded, strict=True))
        except LedgerUnavailableError as error:
            if tries > 1 and is_serialization_fault(error):
                return self._write(group, tries - 1)
            raise


def record_group(connection: Connection, ledger: Ledger, submissions: Sequence[Submission]) -> list[Recorded]:
    """Record webhooks of any destinations whose writer locks are held, each for itself.

    They are tried together first, which is cheap. Where that fails each gets a savepoint of its own, and the one that
    is at fault is kept quarantined instead.
    """
    results: dict[int, Recorded] = {}
    by_destination: dict[str, list[int]] = {}
    for position, one in enumerate(submissions):
        by_destination.setdefault(one.destination, []).append(position)
    for positions in by_destination.values():
        members = [submissions[position] for position in positions]
        results.update(zip(positions, _record_members(connection, ledger, members), strict=True))
    return [results[position] for position in range(len(submissions))]


def _record_members(connection: Connection, ledger: Ledger, members: Sequence[Submission]) -> list[Recorded]:
    now = ledger.now(connection)
    try:
        with connection.begin_nested():
            return record(connection, members, now)
    except Exception as error:  # whatever one webhook brought up must not cost the others: each is tried alone
        if connection.invalidated or not connection.in_transaction():
            raise
        if len(members) > 1:
            return [recorded for one in members for recorded in _record_members(connection, ledger, [one])]
        with connection.begin_nested():
            reason = f"could not be recorded: {type(error).__name__}"
            return record(connection, [quarantined_whole(members[0], reason)], now)


def _settle(waiting: _Waiting, recorded: Recorded) -> None:
    try:
        waiting.result.set_result(recorded)
    except InvalidStateError:
        return  # the sender gave up in this very moment; it will send again and be told of a duplicate


def _fail(group: Sequence[_Waiting], error: LedgerUnavailableError, cause: Exception | None = None) -> None:
    if cause is not None:
        error.__cause__ = cause
    for waiting in group:
        if not waiting.result.cancelled():
            try:
                waiting.result.set_exception(error)
            except InvalidStateError:
                continue
