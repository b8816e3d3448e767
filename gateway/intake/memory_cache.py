"""What memory probably holds, so that a webhook is translated without asking the database first.

The ledger compares with what memory does hold, under the writer lock, and has the webhook translated again where the
guess was wrong. So a guess can cost time and never an event.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gateway.ledger.facts.submission import Recall, Submission, TranslatedItem

MOST = 10_000


class MemoryCache:
    """One destination's; safe to share between threads, since each step on the dict is one."""

    def __init__(self) -> None:
        self._seen: dict[str, Mapping[str, Any] | None] = {}

    def recall(self, key: str) -> Mapping[str, Any] | None:
        """What was seen last under `key`; None where nothing was."""
        return self._seen.get(key)

    def corrected_by(self, submission: Submission) -> Submission:
        """The same, which teaches what memory did hold whenever a guess was wrong."""
        translated_items = tuple(
            one if one.again is None else replace(one, again=self._learning(one.again))
            for one in submission.translated_items
        )
        return replace(submission, translated_items=translated_items)

    def _learning(self, again: Callable[[Recall], TranslatedItem]) -> Callable[[Recall], TranslatedItem]:
        def learn(recall: Recall) -> TranslatedItem:
            told = again(recall)
            if len(self._seen) > MOST:
                self._seen.clear()
            self._seen.update(told.reads)
            return told

        return learn
