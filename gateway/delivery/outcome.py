"""What follows from an attempt's end: delivered, tried again, given up, or held because nobody can know."""

import random
from dataclasses import replace
from datetime import datetime, timedelta

from gateway.ledger.claims import ANSWER_LOST, Claimed, Pause, Settlement
from gateway.lumail.answer import Answer, Verdict, judge

RETRY_FIRST = timedelta(seconds=10)
RETRY_LONGEST = timedelta(hours=6)
RETRY_FOR = timedelta(days=3)
UNAUTHORIZED_PAUSE = timedelta(seconds=60)
"""How long a destination whose token is refused rests before one request tries again."""

RATE_LIMITED_PAUSE = timedelta(seconds=5)
"""The pause after a 429 that does not say how long."""


def settlement(claimed: Claimed, answer: Answer, now: datetime) -> Settlement:
    """What Lumail's answer, or its lack, means for the event. `now` is the time of the answer."""
    verdict = judge(answer)
    told = Settlement(
        claimed=claimed,
        outcome="too_late" if answer.too_late else verdict.value,
        status=None,
        http_status=answer.status,
        body=answer.body,
        error=answer.error,
        duration_ms=round(answer.duration * 1000),
    )
    if answer.too_late:
        return replace(told, status="waiting", due_at=now, counts_try=False)
    match verdict:
        case Verdict.RECORDED:
            return replace(told, status="delivered", lumail_event_id=answer.event_id)
        case Verdict.DOUBTFUL:
            return replace(told, status="held", reason=ANSWER_LOST)
        case Verdict.RATE_LIMITED:
            after = answer.rate_limit.retry_after
            rest = RATE_LIMITED_PAUSE if after is None else timedelta(seconds=max(1.0, min(after, 3600.0)))
            return _paused(told, now, rest, "Lumail answered 429: too many requests")
        case Verdict.UNAUTHORIZED:
            return _paused(told, now, UNAUTHORIZED_PAUSE, f"Lumail answered {answer.status}: it refuses the API token")
        case Verdict.REFUSED | Verdict.PAYMENT_REQUIRED:
            return replace(told, status="failed", reason=f"Lumail refused it with {answer.status}")
        case Verdict.NOT_SENT:
            return _tried_again(told, now)


def _paused(told: Settlement, now: datetime, rest: timedelta, reason: str) -> Settlement:
    """The whole destination rests, and the event, which is not at fault, uses up no try."""
    return replace(told, status="waiting", due_at=now, counts_try=False, pause=Pause(now + rest, reason))


def _tried_again(told: Settlement, now: datetime) -> Settlement:
    due_at = now + wait_before_retry(told.claimed.tries)
    if due_at - told.claimed.first_attempt_at > RETRY_FOR:
        return replace(told, status="failed", reason=f"given up after {RETRY_FOR.days} days")
    return replace(told, status="waiting", due_at=due_at)


def wait_before_retry(tries: int) -> timedelta:
    """Exponential with full jitter, so that events that failed together do not come back together."""
    longest = min(RETRY_LONGEST, RETRY_FIRST * 2 ** min(tries, 20))
    return timedelta(seconds=random.uniform(1, longest.total_seconds()))  # noqa: S311 - jitter needs no secrecy
