"""What follows from an answer: recorded, tried again, asked about, given up, or in doubt until Lumail was read back."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from gateway.config import Destination
from gateway.delivery import readback
from gateway.errors import LumailError
from gateway.events import MONEY_TYPES, EventType
from gateway.ledger.attempt import ENDS_WITHIN, Claimed, Kind, Settlement, Stranger
from gateway.ledger.budget import Learned
from gateway.ledger.doubt import FIRST_READ_AFTER
from gateway.ledger.habits import Habits
from gateway.ledger.pauses import FIRST_WAIT, Pause
from gateway.ledger.status import PauseKind, Reason, Status
from gateway.ledger.strangers import Fate
from gateway.lumail.answer import Answer, Verdict, judge
from gateway.lumail.client import read_events_page

RETRY_FIRST = timedelta(seconds=10)
RETRY_LONGEST = timedelta(hours=6)
RETRY_FOR = timedelta(days=3)
RATE_LIMITED_PAUSE = timedelta(seconds=5)
"""The pause after a 429 that does not say how long."""

READS_AFTER = tuple(timedelta(seconds=seconds) for seconds in (2, 10, 30, 90))
"""When a doubtful event is looked for, from the end of its attempt; then once more when the doubt may end."""

READ_AGAIN = timedelta(seconds=10)
"""The wait after a read that failed, or that came so late that the one which confirms it is overdue."""

LONGEST_TURN = timedelta(seconds=30)
"""How long the next page of a read may wait to be asked for; after that it is begun anew."""

READ_ON_TRIAL = timedelta(minutes=1)
"""The wait after a read that found nothing while nobody knows whether the token is the same organization's."""

DOUBT_ENDS = timedelta(hours=24)
"""How long Lumail is read back before a person is asked."""

CLOCKS_AGREE = timedelta(seconds=5)
"""Differences between two looks at Lumail's clock, of whole seconds and after some latency, that mean nothing."""

CREATED_FOR = frozenset({EventType.SUBSCRIBED, EventType.SUBSCRIBER_PAYMENT, EventType.SUBSCRIBER_REFUND})
"""The events for which the policy `create` makes a subscriber."""


@dataclass(frozen=True)
class View:
    """What has to be known to conclude, asked under the writer lock only where it matters.

    `is_known` says whether Lumail has a subscriber for sure, `sent` what was posted for an event, `owners` which of
    Lumail's records are events of ours.
    """

    destination: Destination
    now: datetime
    habits: Callable[[], Habits]
    is_known: Callable[[str], bool]
    sent: Callable[[Claimed], Sequence[str]]
    owners: Callable[[Sequence[str]], Mapping[str, str]]


def conclude(claimed: Claimed, answer: Answer, view: View) -> Settlement:
    """What an answer, or its lack, means for what was asked."""
    told = _told(claimed, answer, view)
    if answer.too_late or (not answer.sent and answer.status is None and claimed.kind is not Kind.POST):
        return _not_sent(told, answer, view)
    if answer.status == 429:
        return _rate_limited(told, answer, view)
    return _CONCLUSIONS[claimed.kind](told, answer, view)


def conclude_all(answered: Sequence[tuple[Claimed, Answer]], view: View) -> list[Settlement]:
    """What answers that came together mean: a record that one of them names or finds is no other's."""
    taken: dict[str, str] = {}
    seen = replace(view, owners=lambda ids: {**view.owners(ids), **taken})
    concluded: list[Settlement] = []
    for claimed, answer in sorted(answered, key=lambda one: one[0].kind is Kind.READ):
        settlement = conclude(claimed, answer, seen)
        if settlement.lumail_event_id is not None and claimed.event is not None:
            taken[settlement.lumail_event_id] = claimed.event
        concluded.append(settlement)
    return concluded


def _told(claimed: Claimed, answer: Answer, view: View) -> Settlement:
    limits = answer.rate_limit
    reset = None
    if limits.reset is not None and answer.date is not None:
        reset = view.now + timedelta(seconds=limits.reset - answer.date.timestamp())
    learned = Learned(limits.limit, limits.remaining, reset) if limits.limit is not None else None
    return Settlement(
        claimed=claimed,
        outcome=_OUTCOMES[claimed.kind](answer),
        http_status=answer.status,
        body=answer.body,
        error=answer.error,
        duration_ms=round(answer.duration * 1000),
        failed=_failed(answer),
        learned=learned,
        clock_offset_ms=_clock_offset(answer, view.now),
    )


def _failed(answer: Answer) -> bool | None:
    """Whether it counts into a run of failures: no answer, or one that says Lumail is not well."""
    if answer.too_late:
        return None
    return answer.status is None or answer.status >= 500 or answer.status == 408


def _clock_offset(answer: Answer, now: datetime) -> int | None:
    if answer.date is None:
        return None
    return round((answer.date - now) / timedelta(milliseconds=1))


def _not_sent(told: Settlement, answer: Answer, view: View) -> Settlement:
    """No byte left. The event is not at fault and uses up no try; too many of these pause the destination."""
    claimed = told.claimed
    if claimed.event is None:
        return replace(told, stranger=Stranger.UNANSWERED if claimed.kind is Kind.ASK else None)
    wait = timedelta(0) if answer.too_late else wait_before_retry(claimed.tries)
    return replace(told, changes=_back(told, view.now + wait))


def _back(told: Settlement, due_at: datetime, **more: Any) -> dict[str, Any]:
    """The event's columns when it goes on waiting, or goes on being in doubt."""
    status = Status.UNKNOWN if told.claimed.kind is Kind.READ else Status.WAITING
    return {"status": status, "due_at": due_at, **more}


# Posting an event


def _posted(told: Settlement, answer: Answer, view: View) -> Settlement:
    match judge(answer):
        case Verdict.RECORDED:
            return _recorded(told, answer, view)
        case Verdict.DOUBTFUL:
            return _doubtful(told, view)
        case Verdict.RATE_LIMITED:  # as for every kind of request
            return _rate_limited(told, answer, view)
        case Verdict.UNAUTHORIZED:
            return _unauthorized(told, answer, view)
        case Verdict.PAYMENT_REQUIRED:
            return _failed_for(told, view, Reason.PLAN_LIMIT_REACHED)
        case Verdict.REFUSED:
            return _refused(told, answer, view)
        case Verdict.NOT_SENT:
            return _not_sent(told, answer, view)


def _recorded(told: Settlement, answer: Answer, view: View) -> Settlement:
    """Lumail has it; the answer also tells which organization the token belongs to."""
    known, named = view.habits().organization, answer.event.organization_id if answer.event is not None else None
    told = replace(told, recorded=True, lumail_event_id=answer.event_id, echo=_lost_our_id(told.claimed, answer, view))
    if None not in (known, named) and named != known:
        details = {"named": named, "known": known, "event": told.claimed.event}
        return replace(told, pause=Pause(None, PauseKind.OTHER_ORGANIZATION, details))
    return replace(told, organization=named if known is None else None, trusted=view.habits().on_trial)


def _lost_our_id(claimed: Claimed, answer: Answer, view: View) -> bool | None:
    """An answer that shows the event without our id says that Lumail drops extra keys; that it keeps them, only a
    read can say."""
    if not view.destination.annotate or "gatewayEventId" not in claimed.sent:
        return None
    data = answer.event.data if answer.event is not None else None
    return False if data is not None and "gatewayEventId" not in data and view.habits().echo is None else None


def _doubtful(told: Settlement, view: View) -> Settlement:
    changes = {
        "status": Status.UNKNOWN,
        "reason": Reason.ANSWER_LOST,
        "doubted_at": told.claimed.claimed_at + ENDS_WITHIN,
        "reads": 0,
        "read_cursor": None,
        "candidates": None,
        "due_at": view.now + FIRST_READ_AFTER,
        "last_error": told.error or f"Lumail answered {told.http_status}",
    }
    return replace(told, changes=changes)


def _rate_limited(told: Settlement, answer: Answer, view: View) -> Settlement:
    after = answer.rate_limit.retry_after
    rest = RATE_LIMITED_PAUSE if after is None else timedelta(seconds=max(1.0, min(after, 3600.0)))
    pause = Pause(view.now + rest, PauseKind.RATE_LIMITED)
    told = replace(told, pause=pause, failed=None)
    if told.claimed.event is None:
        return replace(told, stranger=Stranger.UNANSWERED if told.claimed.kind is Kind.ASK else None)
    return replace(told, changes=_back(told, view.now))


def _unauthorized(told: Settlement, answer: Answer, view: View) -> Settlement:
    """401: any request shows whether the token is good again; 403: only a POST does, since permissions differ."""
    probe = "get" if answer.status == 401 else "post"
    pause = Pause(view.now + FIRST_WAIT, PauseKind.TOKEN_REFUSED, {"status": answer.status}, probe)
    return replace(told, changes=_back(told, view.now), pause=pause, failed=None)


def _refused(told: Settlement, answer: Answer, view: View) -> Settlement:
    """400 says that the data is bad or that the subscriber is unknown, and does not say which."""
    claimed, refused = told.claimed, str(answer.status)
    if answer.status not in (400, 404):
        return _failed_for(told, view, Reason.REFUSED, refused)
    if answer.status == 400 and view.is_known(claimed.subscriber):
        return _failed_for(told, view, Reason.REFUSED, refused)
    if fate(view.destination, claimed.type) is Fate.HELD:
        changes = {"status": Status.HELD, "reason": Reason.NOT_IN_LUMAIL, "last_error": _refusal(answer)}
        return replace(told, changes=changes, stranger=Stranger.MET)
    first = claimed.claimed_at - claimed.waited  # in front of others of the subscriber, which the answer is for too
    return replace(told, changes=_back(told, first, step="ask", reason_detail=refused, last_error=_refusal(answer)))


_FATES = {"drop": Fate.DROPPED, "fail": Fate.FAILED, "create": Fate.CREATED, "wait": Fate.HELD}


def fate(destination: Destination, event_type: EventType) -> Fate:
    """What the destination wants of an event whose subscriber Lumail does not know."""
    policy = destination.unknown_subscriber
    return Fate.HELD if policy == "create" and event_type not in CREATED_FOR else _FATES[policy]


def _failed_for(told: Settlement, view: View, reason: Reason, detail: str | None = None) -> Settlement:
    changes = {"status": Status.FAILED, "reason": reason, "reason_detail": detail, "settled_at": view.now}
    return replace(told, changes=changes)


def _refusal(answer: Answer) -> str:
    return f"Lumail refused it with {answer.status}"


# Asking for a subscriber, for one event or for all that wait for it


def _asked(told: Settlement, answer: Answer, view: View) -> Settlement:
    if told.claimed.event is None:
        known = {200: Stranger.KNOWN, 404: Stranger.UNKNOWN}
        return replace(told, stranger=known.get(answer.status or 0, Stranger.UNANSWERED))
    if answer.status == 200:
        refused = told.claimed.reason_detail
        return replace(_failed_for(told, view, Reason.REFUSED, refused), stranger=Stranger.KNOWN)
    if answer.status != 404:
        return _tried_again(told, view)
    match fate(view.destination, told.claimed.type):
        case Fate.CREATED:
            return replace(told, changes=_back(told, view.now, step="create"))
        case Fate.HELD:  # the policy was changed meanwhile
            return replace(told, changes={"status": Status.HELD, "reason": Reason.NOT_IN_LUMAIL}, stranger=Stranger.MET)
        case ends:
            changes = {"status": Status(ends), "reason": Reason.NOT_IN_LUMAIL, "reason_detail": None}
            return replace(told, changes={**changes, "settled_at": view.now}, stranger=Stranger.LEFT_OUT)


def _created(told: Settlement, answer: Answer, view: View) -> Settlement:
    """POST /subscribers: whatever it answers concerns this event alone."""
    if answer.status == 200:
        return replace(_tried_again(told, view, step="post"), stranger=Stranger.KNOWN)
    if answer.status is not None and 400 <= answer.status < 500 and answer.status not in (408, 429):
        return _failed_for(told, view, Reason.SUBSCRIBER_REFUSED, str(answer.status))
    return _tried_again(told, view)


def _tried_again(told: Settlement, view: View, **more: Any) -> Settlement:
    """At once the first time, later and later after that, and not for ever."""
    claimed = told.claimed
    first = claimed.first_attempt_at or claimed.claimed_at
    if claimed.tries and view.now - first > RETRY_FOR:
        return _failed_for(told, view, Reason.RETRIES_ENDED, str(RETRY_FOR.days))
    wait = timedelta(0) if claimed.tries == 0 else wait_before_retry(claimed.tries)
    return replace(told, changes=_back(told, view.now + wait, tries=claimed.tries + 1, **more))


# Reading back: one page of what Lumail has recorded for the subscriber


def _read(told: Settlement, answer: Answer, view: View) -> Settlement:
    """An error proves nothing; a 404 that nothing was recorded, unless Lumail is known to have the subscriber."""
    claimed = told.claimed
    if answer.status == 404 and not view.is_known(claimed.subscriber):
        return _not_found(told, view)
    try:
        page = read_events_page(answer)
    except LumailError:
        return _still_in_doubt(told, view, view.now + READ_AGAIN, read_cursor=None)
    owners = view.owners([record.id for record in page.events])
    finding = readback.judge(claimed, page.events, owners, view.habits(), view.sent(claimed))
    told = replace(told, echo=finding.echo)
    if finding.found is not None:
        lag = None
        if claimed.reads:
            # Counted to when the read was due: that a pause let it wait says nothing about Lumail.
            visible = claimed.claimed_at - claimed.waited - (finding.found.created_at - view.habits().clock_offset)
            lag = max(0, round(visible / timedelta(milliseconds=1)))
        told = replace(told, trusted=finding.is_named and view.habits().on_trial)
        return replace(told, recorded=True, by_read=True, lumail_event_id=finding.found.id, read_lag_ms=lag)
    near = [*(claimed.candidates if claimed.read_cursor is not None else ()), *finding.near]
    if claimed.read_cursor is not None and claimed.waited > LONGEST_TURN:  # what was read before may have changed
        return _still_in_doubt(told, view, view.now, read_cursor=None)
    if page.next_cursor is not None:
        return _still_in_doubt(told, view, view.now, read_cursor=page.next_cursor, candidates=near or None)
    if near:
        return _near(told, view, near)
    return _not_found(told, view)


def _near(told: Settlement, view: View, near: Sequence[str]) -> Settlement:
    """Records that may be it: looked at again until the doubt could end, then a person has to tell."""
    if told.claimed.claimed_at < _doubt_may_end(told, view):
        changes = _back(told, _next_read(told, view), read_cursor=None, candidates=list(near))
        return replace(told, changes=changes)
    return replace(told, changes={"status": Status.HELD, "reason": Reason.ANSWER_LOST, "candidates": list(near)})


def _not_found(told: Settlement, view: View) -> Settlement:
    """Sent again only after two complete reads that found nothing, the last of them late enough."""
    claimed = told.claimed
    if view.habits().on_trial:  # perhaps another organization was asked
        return replace(told, changes=_back(told, view.now + READ_ON_TRIAL, read_cursor=None))
    reads = claimed.reads + 1
    if reads >= 2 and claimed.claimed_at >= _doubt_may_end(told, view):
        first = claimed.first_attempt_at or claimed.claimed_at
        if claimed.tries and view.now - first > RETRY_FOR:
            return _failed_for(told, view, Reason.RETRIES_ENDED, str(RETRY_FOR.days))
        wait = timedelta(0) if claimed.tries == 0 else wait_before_retry(claimed.tries)
        again = {"status": Status.WAITING, "reason": None, "step": "post", "tries": claimed.tries + 1}
        nothing = {"reads": 0, "read_cursor": None, "candidates": None}
        return replace(told, changes={**again, "due_at": view.now + wait, **nothing})
    changes = {"reads": reads, "read_cursor": None}
    if reads < 2:  # a second look is worth it however late the first was
        return replace(told, changes=_back(told, _next_read(told, view), **changes))
    return _still_in_doubt(told, view, _next_read(told, view), **changes)


def _still_in_doubt(told: Settlement, view: View, read_at: datetime, **more: Any) -> Settlement:
    """Looked for again, until it is a person's turn."""
    doubted_at = told.claimed.doubted_at
    if doubted_at is not None and view.now - doubted_at > DOUBT_ENDS:
        return replace(told, changes={"status": Status.HELD, "reason": Reason.ANSWER_LOST})
    return replace(told, changes=_back(told, read_at, **more))


def _doubt_may_end(told: Settlement, view: View) -> datetime:
    """When a read that finds nothing may be believed: the later by what the ledger's clock only leapt."""
    claimed, destination = told.claimed, view.destination
    money = claimed.type in MONEY_TYPES
    seconds = destination.doubt_seconds_money if money else destination.doubt_seconds_other
    doubted_at = claimed.doubted_at or view.now
    return doubted_at + max(timedelta(seconds=seconds), view.habits().read_lag) + _leapt(told)


def _leapt(told: Settlement) -> timedelta:
    """How far the ledger's clock has leapt ahead of Lumail's since the event was first sent; nothing of that passed."""
    then, now = told.claimed.clock_offset_ms, told.clock_offset_ms
    if then is None or now is None:
        return timedelta(0)
    leap = timedelta(milliseconds=then - now)
    return leap if leap > CLOCKS_AGREE else timedelta(0)


def _next_read(told: Settlement, view: View) -> datetime:
    """The next of the times at which a doubtful event is looked for; soon, where all have passed and a read is owed."""
    last = _doubt_may_end(told, view)
    doubted_at = told.claimed.doubted_at or view.now
    times = [doubted_at + after for after in READS_AFTER if doubted_at + after < last]
    return next((at for at in [*times, last] if at > view.now), view.now + READ_AGAIN)


# Probes


def _probed(told: Settlement, answer: Answer, view: View) -> Settlement:
    """Any answer that lets the token pass ends the pause."""
    if answer.status == 401:
        return replace(told, failed=True)
    return told


_CONCLUSIONS: Mapping[Kind, Callable[[Settlement, Answer, View], Settlement]] = {
    Kind.POST: _posted,
    Kind.READ: _read,
    Kind.ASK: _asked,
    Kind.CREATE: _created,
    Kind.PROBE: _probed,
}


def outcome_of(kind: Kind, answer: Answer) -> str:
    """One word for the attempt's row and the metrics."""
    return _OUTCOMES[kind](answer)


def _outcome_of_post(answer: Answer) -> str:
    return "too_late" if answer.too_late else judge(answer).value


def _outcome_of_question(answer: Answer) -> str:
    if answer.too_late:
        return "too_late"
    if answer.status is None:
        return "doubtful" if answer.sent else "not_sent"
    return "answered" if answer.status < 500 else "failed"


_OUTCOMES: Mapping[Kind, Callable[[Answer], str]] = {
    Kind.POST: _outcome_of_post,
    Kind.READ: _outcome_of_question,
    Kind.ASK: _outcome_of_question,
    Kind.CREATE: _outcome_of_question,
    Kind.PROBE: _outcome_of_question,
}


def wait_before_retry(tries: int) -> timedelta:
    """Exponential with full jitter, so that events that failed together do not come back together."""
    longest = min(RETRY_LONGEST, RETRY_FIRST * 2 ** min(tries, 20))
    return timedelta(seconds=random.uniform(1, longest.total_seconds()))  # noqa: S311 - jitter needs no secrecy
