"""Group commit: all webhooks that wait in a process become durable in one transaction, each for itself."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence, Set
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from queue import SimpleQueue

import structlog
from sqlalchemy import Connection

from gateway.errors import LedgerUnavailableError, RejectionCause, SignatureError, place_of
from gateway.ledger import faults
from gateway.ledger.database import LOCK_SECONDS, TABLE_SECONDS, Ledger
from gateway.ledger.facts import single_use
from gateway.ledger.facts.submission import Recorded, Submission
from gateway.ledger.recording.recording import quarantined_whole, record
from gateway.ledger.statements import savepoint

MOST_IN_A_GROUP = 64

TRIES = 3
"""How often a transaction is tried of which the database says that it met another one."""

ALONE_SECONDS = 0.5
"""How long one that is tried alone waits for a locked table: its group has waited longer already."""

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

        Raises SignatureError where its signature was used for another event before, and keeps nothing.
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
        ends_at = time.monotonic() + LOCK_SECONDS
        try:
            done = self._write(group)
        except Exception as error:  # noqa: BLE001 - the thread must outlive any fault; the senders try again
            self._one_by_one(group, _unavailable(error), ends_at)
        else:
            self._tell(done)

    def _one_by_one(self, group: Sequence[_Waiting], why: LedgerUnavailableError, ends_at: float) -> None:
        """What failed together is tried in transactions of their own, so that one costs nobody else; those whose
        turn does not come before `ends_at`, when their senders give up, share the group's fate.
        """
        for waiting in group:
            if waiting.result.cancelled():
                continue
            if len(group) == 1 or time.monotonic() > ends_at:
                _fail(waiting, why)
                continue
            try:
                done = self._write([waiting], alone=True)
            except Exception as error:  # noqa: BLE001 - as above
                _fail(waiting, _unavailable(error))
            else:
                self._tell(done)

    def _tell(self, done: Sequence[tuple[_Waiting, Recorded]]) -> None:
        for waiting, recorded in done:
            _settle(waiting, recorded)
        if self._after_commit is not None and done:
            try:
                self._after_commit([(waiting.submission, recorded) for waiting, recorded in done])
            except Exception as error:  # noqa: BLE001 - all is durable, and whoever was to hear of it looks by himself
                _log.error("ledger.after_commit_failed", error=type(error).__name__, at=place_of(error))

    def _write(self, group: list[_Waiting], *, alone: bool = False) -> list[tuple[_Waiting, Recorded]]:
        held = {one.submission.destination for one in group}
        for tries_left in reversed(range(TRIES)):
            try:
                with self._ledger.write(held, ALONE_SECONDS if alone else TABLE_SECONDS) as connection:
                    if not alone:
                        self._join(group, held)
                    # Only now is it decided whose senders still wait: the lock may have been long in coming.
                    taken = [one for one in group if not one.result.cancelled()]
                    reused = self._reused(connection, taken)
                    taken = [one for one in taken if one.submission.single_use not in reused]
                    recorded = record_group(connection, self._ledger, [one.submission for one in taken])
                _refuse([one for one in group if one.submission.single_use in reused])
                return list(zip(taken, recorded, strict=True))
            except LedgerUnavailableError as error:
                if tries_left == 0 or not faults.is_serialization_fault(error):
                    raise
        raise AssertionError("the last try returns or raises")

    def _reused(self, connection: Connection, taken: Sequence[_Waiting]) -> set[single_use.SingleUse]:
        uses = [
            (one.submission.destination, one.submission.single_use)
            for one in taken
            if one.submission.single_use is not None
        ]
        return single_use.use(connection, uses, self._ledger.now(connection)) if uses else set()


def record_group(connection: Connection, ledger: Ledger, submissions: Sequence[Submission]) -> list[Recorded]:
    """Record webhooks of any destinations whose writer locks are held, each for itself.

    They are tried together first, which is cheap. Where that fails by a fault of one of them, each gets a savepoint of
    its own, and the one that is at fault is kept quarantined instead. Any other fault is raised and nothing is kept.
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
        with savepoint(connection):
            return record(connection, members, now)
    except Exception as error:
        if not faults.is_webhooks_own(error) or connection.invalidated or not connection.in_transaction():
            raise
        if len(members) > 1:
            return [recorded for one in members for recorded in _record_members(connection, ledger, [one])]
        kind = type(faults.cause_of(error)).__name__
        _log.error("webhook.not_recorded", source=members[0].source, error=kind, at=place_of(error))
        with savepoint(connection):
            return record(connection, [quarantined_whole(members[0], f"could not be recorded: {kind}")], now)


def _refuse(reused: Sequence[_Waiting]) -> None:
    for waiting in reused:
        error = SignatureError(RejectionCause.WRONG, "this signature was used for another event, and covers no body")
        if not waiting.result.cancelled():
            try:
                waiting.result.set_exception(error)
            except InvalidStateError:
                continue


def _settle(waiting: _Waiting, recorded: Recorded) -> None:
    try:
        waiting.result.set_result(recorded)
    except InvalidStateError:
        return  # the sender gave up in this very moment; it will send again and be told of a duplicate


def _fail(waiting: _Waiting, error: LedgerUnavailableError) -> None:
    try:
        waiting.result.set_exception(error)
    except InvalidStateError:
        return  # the sender gave up before


def _unavailable(error: Exception) -> LedgerUnavailableError:
    if isinstance(error, LedgerUnavailableError):
        return error
    _log.error("ledger.failed", error=type(error).__name__, at=place_of(error))
    unavailable = LedgerUnavailableError(f"the ledger failed: {type(error).__name__}")
    unavailable.__cause__ = error
    return unavailable
