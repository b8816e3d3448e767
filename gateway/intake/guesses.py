"""What memory probably holds, so that a webhook is translated without asking the database first.

The ledger compares with what memory does hold, under the writer lock, and has the webhook translated again where the
guess was wrong. So a guess can cost time and never an event.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gateway.ledger.telling import Recall, Submission, Telling

MOST = 10_000


class Guesses:
    """One destination's; safe to share between threads, since each step on the dict is one."""

    def __init__(self) -> None:
        self._seen: dict[str, Mapping[str, Any] | None] = {}

    def recall(self, key: str) -> Mapping[str, Any] | None:
        """What was seen last under `key`; None where nothing was."""
        return self._seen.get(key)

    def corrected_by(self, submission: Submission) -> Submission:
        """The same, which teaches what memory did hold whenever a guess was wrong."""
        tellings = tuple(
            one if one.again is None else replace(one, again=self._learning(one.again)) for one in submission.tellings
        )
        return replace(submission, tellings=tellings)

    def _learning(self, again: Callable[[Recall], Telling]) -> Callable[[Recall], Telling]:
        def learn(recall: Recall) -> Telling:
            told = again(recall)
            if len(self._seen) > MOST:
                self._seen.clear()
            self._seen.update(told.reads)
            return told

        return learn
