"""What follows from an answer: recorded, tried again, asked about, given up, or in doubt until Lumail was read back."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Unpack

from gateway.config import Destination
from gateway.delivery import readback
from gateway.errors import LumailError
from gateway.events import MONEY_TYPES, EventType
from gateway.ledger.event import Event, EventChange
from gateway.ledger.outbox.observed import Observed
from gateway.ledger.outbox.uncertain import FIRST_READ_AFTER
from gateway.ledger.outbox.unknown_subscribers import UnknownSubscriberPolicy
from gateway.ledger.scheduling.attempt import (
    ENDS_WITHIN,
    AskForEvent,
    AskForSubscriber,
    Claimed,
    CreateSubscriber,
    Kind,
    PostEvent,
    Probe,
    ReadBack,
    Settlement,
    SubscriberAnswer,
)
from gateway.ledger.scheduling.pauses import FIRST_WAIT, Pause
from gateway.ledger.scheduling.standing import Learned
from gateway.ledger.status import PauseKind, Reason, Status
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

LONGEST_READ = timedelta(seconds=30)
"""How long the next page of a read may wait to be asked for; after that it is begun anew."""

READ_ON_TRIAL = timedelta(minutes=1)
"""The wait after a read that found nothing while nobody knows whether the token is the same organization's."""

UNCONFIRMED_ENDS = timedelta(hours=24)
"""How long Lumail is read back before a person is asked."""

LONGEST_RESET_SECONDS = 86_400
"""More is a time, and not the seconds until it."""

CLOCKS_AGREE = timedelta(seconds=5)
"""Differences between two looks at Lumail's clock, of whole seconds and after some latency, that mean nothing."""

CREATED_FOR = frozenset({EventType.SUBSCRIBED, EventType.SUBSCRIBER_PAYMENT, EventType.SUBSCRIBER_REFUND})
"""The events for which the policy `create` makes a subscriber."""


@dataclass(frozen=True)
class ConcludeContext:
    """What has to be known to conclude, asked under the writer lock only where it matters.

    `is_known` says whether Lumail has a subscriber for sure, `sent` what was posted for an event, `owners` which of
    Lumail's records are events of ours.
    """

    destination: Destination
    now: datetime
    observed: Callable[[], Observed]
    is_known: Callable[[str], bool]
    sent: Callable[[Event], Sequence[str]]
    owners: Callable[[Sequence[str]], Mapping[str, str]]


def conclude(claimed: Claimed, answer: Answer, context: ConcludeContext) -> Settlement:
    """What an answer, or its lack, means for what was asked."""
    settlement = _told(claimed, answer, context)
    if answer.too_late or (not answer.sent and answer.status is None and claimed.kind is not Kind.POST):
        return _not_sent(settlement, answer, context)
    if answer.status == 429:
        return _rate_limited(settlement, answer, context)
    match claimed.request:
        case PostEvent(event):
            return _posted(event, settlement, answer, context)
        case ReadBack() as read:
            return _read(read, settlement, answer, context)
        case AskForEvent(event):
            return _asked(event, settlement, answer, context)
        case CreateSubscriber(event):
            return _created(event, settlement, answer, context)
        case AskForSubscriber():
            return _asked_for_many(settlement, answer)
        case Probe():
            return _probed(settlement, answer)


def conclude_all(answered: Sequence[tuple[Claimed, Answer]], context: ConcludeContext) -> list[Settlement]:
    """What answers that came together mean: a record that one of them names or finds is no other's."""
    taken: dict[str, str] = {}
    seen = replace(context, owners=lambda ids: {**context.owners(ids), **taken})
    concluded: list[Settlement] = []
    for claimed, answer in sorted(answered, key=lambda one: one[0].kind is Kind.READ):
        settlement = conclude(claimed, answer, seen)
        if settlement.lumail_event_id is not None and claimed.event is not None:
            taken[settlement.lumail_event_id] = claimed.event.id
        concluded.append(settlement)
    return concluded


def _told(claimed: Claimed, answer: Answer, context: ConcludeContext) -> Settlement:
    return Settlement(
        claimed=claimed,
        outcome=_OUTCOMES[claimed.kind](answer),
        http_status=answer.status,
        body=answer.body,
        error=answer.error,
        duration_ms=round(answer.duration * 1000),
        failed=_failed(answer),
        learned=learned(answer, context.now),
        clock_offset_ms=_clock_offset(answer, context.now),
    )


def learned(answer: Answer, now: datetime) -> Learned | None:
    """What an answer's headers tell; None where there are none."""
    limits = answer.rate_limit
    return None if limits.limit is None else Learned(limits.limit, limits.remaining, _reset(answer, now))


def _reset(answer: Answer, now: datetime) -> datetime | None:
    """When Lumail's count is over, in the ledger's clock. Lumail names a time; a small number can only be seconds."""
    told = answer.rate_limit.reset
    if told is None or (told > LONGEST_RESET_SECONDS and answer.date is None):
        return None
    left = told if told <= LONGEST_RESET_SECONDS or answer.date is None else told - answer.date.timestamp()
    return now + timedelta(seconds=left) if abs(left) < LONGEST_RESET_SECONDS else None


def _failed(answer: Answer) -> bool | None:
    """Whether it counts into a run of failures: no answer, or one that says Lumail is not well."""
    if answer.too_late:
        return None
    return answer.status is None or answer.status >= 500 or answer.status == 408


def _clock_offset(answer: Answer, now: datetime) -> int | None:
    if answer.date is None:
        return None
    return round((answer.date - now) / timedelta(milliseconds=1))


def _not_sent(settlement: Settlement, answer: Answer, context: ConcludeContext) -> Settlement:
    """No byte left. The event is not at fault and uses up no try; too many of these pause the destination."""
    event = settlement.claimed.event
    if event is None:
        return _unanswered(settlement)
    wait = timedelta(0) if answer.too_late else wait_before_retry(event.tries)
    return replace(settlement, changes=_back(settlement, context.now + wait))


def _unanswered(settlement: Settlement) -> Settlement:
    """No event waits for it; a subscriber who was asked for is asked for later."""
    if isinstance(settlement.claimed.request, AskForSubscriber):
        return replace(settlement, subscriber_answer=SubscriberAnswer.UNANSWERED)
    return settlement


def _back(settlement: Settlement, due_at: datetime, /, **more: Unpack[EventChange]) -> EventChange:
    """The event's columns when it goes on waiting, or goes on being in doubt."""
    status = Status.UNKNOWN if isinstance(settlement.claimed.request, ReadBack) else Status.WAITING
    return {"status": status, "due_at": due_at, **more}


# Posting an event


def _posted(event: Event, settlement: Settlement, answer: Answer, context: ConcludeContext) -> Settlement:
    match judge(answer):
        case Verdict.RECORDED:
            return _recorded(settlement, answer, context)
        case Verdict.UNCONFIRMED if answer.status is not None and 300 <= answer.status < 400:
            return _refused_by_destination(_unconfirmed(settlement, context), context)
        case Verdict.UNCONFIRMED:
            return _unconfirmed(settlement, context)
        case Verdict.RATE_LIMITED:  # as for every kind of request
            return _rate_limited(settlement, answer, context)
        case Verdict.UNAUTHORIZED:
            return _unauthorized(settlement, answer, context)
        case Verdict.DESTINATION_REFUSES:
            return replace(_refused_by_destination(settlement, context), changes=_back(settlement, context.now))
        case Verdict.REFUSED:
            return _refused(event, settlement, answer, context)
        case Verdict.NOT_SENT:
            return _not_sent(settlement, answer, context)


def _recorded(settlement: Settlement, answer: Answer, context: ConcludeContext) -> Settlement:
    """Lumail has it; the answer also tells which organization the token belongs to."""
    known, named = context.observed().organization, answer.event.organization_id if answer.event is not None else None
    settlement = replace(
        settlement,
        recorded=True,
        lumail_event_id=answer.event_id,
        echo=_lost_our_id(settlement.claimed, answer, context),
    )
    if None not in (known, named) and named != known:
        details = {"named": named, "known": known, "event": settlement.claimed.event_id}
        return replace(settlement, pause=Pause(None, PauseKind.OTHER_ORGANIZATION, details))
    return replace(settlement, organization=named if known is None else None, trusted=context.observed().on_trial)


def _lost_our_id(claimed: Claimed, answer: Answer, context: ConcludeContext) -> bool | None:
    """An answer that shows the event without our id says that Lumail drops extra keys; that it keeps them, only a
    read can say."""
    if not context.destination.annotate or "gatewayEventId" not in claimed.sent:
        return None
    data = answer.event.data if answer.event is not None else None
    return False if data is not None and "gatewayEventId" not in data and context.observed().echo is None else None


def _unconfirmed(settlement: Settlement, context: ConcludeContext) -> Settlement:
    changes: EventChange = {
        "status": Status.UNKNOWN,
        "reason": Reason.ANSWER_LOST,
        "unconfirmed_at": settlement.claimed.claimed_at + ENDS_WITHIN,
        "reads": 0,
        "read_cursor": None,
        "candidates": None,
        "due_at": context.now + FIRST_READ_AFTER,
        "last_error": settlement.error or f"Lumail answered {settlement.http_status}",
    }
    return replace(settlement, changes=changes)


def rate_limited_pause(answer: Answer, now: datetime) -> Pause:
    """The rest of a destination that a 429 asks for: as long as it says, from a second to an hour."""
    after = answer.rate_limit.retry_after
    rest = RATE_LIMITED_PAUSE if after is None else timedelta(seconds=max(1.0, min(after, 3600.0)))
    return Pause(now + rest, PauseKind.RATE_LIMITED)


def _rate_limited(settlement: Settlement, answer: Answer, context: ConcludeContext) -> Settlement:
    pause = rate_limited_pause(answer, context.now)
    settlement = replace(settlement, pause=pause, failed=None)
    if settlement.claimed.event is None:
        return _unanswered(settlement)
    return replace(settlement, changes=_back(settlement, context.now))


def _unauthorized(settlement: Settlement, answer: Answer, context: ConcludeContext) -> Settlement:
    """401: any request shows whether the token is good again; 403: only a POST does, since permissions differ."""
    probe = "get" if answer.status == 401 else "post"
    pause = Pause(context.now + FIRST_WAIT, PauseKind.TOKEN_REFUSED, {"status": answer.status}, probe)
    return replace(settlement, changes=_back(settlement, context.now), pause=pause, failed=None)


def _refused_by_destination(settlement: Settlement, context: ConcludeContext) -> Settlement:
    """Each event would be answered so: the plan is used up, or the address is not Lumail's. Only a POST tells."""
    details = {"status": settlement.http_status}
    pause = Pause(context.now + FIRST_WAIT, PauseKind.DESTINATION_REFUSES, details, "post")
    return replace(settlement, pause=pause, failed=None)


def _refused(event: Event, settlement: Settlement, answer: Answer, context: ConcludeContext) -> Settlement:
    """400 says that the data is bad or that the subscriber is unknown, and does not say which."""
    refused = str(answer.status)
    if answer.status not in (400, 404):
        return _failed_for(settlement, context, Reason.REFUSED, refused)
    known = context.is_known(event.recipient)
    if answer.status == 400 and known:
        return replace(_failed_for(settlement, context, Reason.REFUSED, refused), refused=False)
    if unknown_policy(context.destination, event.type) is UnknownSubscriberPolicy.HELD:
        changes: EventChange = {"status": Status.HELD, "reason": Reason.NOT_IN_LUMAIL, "last_error": _refusal(answer)}
        counts = False if known else None
        return replace(settlement, changes=changes, subscriber_answer=SubscriberAnswer.MET, refused=counts)
    first = event.due_at  # in front of others of the subscriber, which the answer is for too
    return replace(
        settlement, changes=_back(settlement, first, step="ask", reason_detail=refused, last_error=_refusal(answer))
    )


_UNKNOWN_POLICIES = {
    "drop": UnknownSubscriberPolicy.DROPPED,
    "fail": UnknownSubscriberPolicy.FAILED,
    "create": UnknownSubscriberPolicy.CREATED,
    "wait": UnknownSubscriberPolicy.HELD,
}


def unknown_policy(destination: Destination, event_type: EventType) -> UnknownSubscriberPolicy:
    """What the destination wants of an event whose subscriber Lumail does not know."""
    policy = destination.unknown_subscriber
    return (
        UnknownSubscriberPolicy.HELD
        if policy == "create" and event_type not in CREATED_FOR
        else _UNKNOWN_POLICIES[policy]
    )


def _failed_for(
    settlement: Settlement, context: ConcludeContext, reason: Reason, detail: str | None = None
) -> Settlement:
    changes: EventChange = {
        "status": Status.FAILED,
        "reason": reason,
        "reason_detail": detail,
        "settled_at": context.now,
    }
    return replace(settlement, changes=changes)


def _refusal(answer: Answer) -> str:
    return f"Lumail refused it with {answer.status}"


# Asking for a subscriber, for one event or for all that wait for it


def _asked_for_many(settlement: Settlement, answer: Answer) -> Settlement:
    known = {200: SubscriberAnswer.KNOWN, 404: SubscriberAnswer.UNKNOWN}
    return replace(settlement, subscriber_answer=known.get(answer.status or 0, SubscriberAnswer.UNANSWERED))


def _asked(event: Event, settlement: Settlement, answer: Answer, context: ConcludeContext) -> Settlement:
    if answer.status == 200:
        failed = _failed_for(settlement, context, Reason.REFUSED, event.reason_detail)
        return replace(failed, subscriber_answer=SubscriberAnswer.KNOWN, refused=True)
    if answer.status != 404:
        return _tried_again(event, settlement, context)
    match unknown_policy(context.destination, event.type):
        case UnknownSubscriberPolicy.CREATED:
            return replace(settlement, changes=_back(settlement, context.now, step="create"))
        case UnknownSubscriberPolicy.HELD:  # the policy was changed meanwhile
            return replace(
                settlement,
                changes={"status": Status.HELD, "reason": Reason.NOT_IN_LUMAIL},
                subscriber_answer=SubscriberAnswer.MET,
            )
        case ends:
            changes: EventChange = {"status": Status(ends), "reason": Reason.NOT_IN_LUMAIL, "reason_detail": None}
            return replace(
                settlement, changes={**changes, "settled_at": context.now}, subscriber_answer=SubscriberAnswer.LEFT_OUT
            )


def _created(event: Event, settlement: Settlement, answer: Answer, context: ConcludeContext) -> Settlement:
    """POST /subscribers: whatever it answers concerns this event alone."""
    if answer.status == 200:
        return replace(_tried_again(event, settlement, context, step="post"), subscriber_answer=SubscriberAnswer.KNOWN)
    if answer.status is not None and 400 <= answer.status < 500 and answer.status not in (408, 429):
        return _failed_for(settlement, context, Reason.SUBSCRIBER_REFUSED, str(answer.status))
    return _tried_again(event, settlement, context)


def _tried_again(event: Event, settlement: Settlement, context: ConcludeContext, step: str | None = None) -> Settlement:
    """At once the first time, later and later after that, and not for ever; `step` where another is to be made."""
    first = event.first_attempt_at or settlement.claimed.claimed_at
    if event.tries and context.now - first > RETRY_FOR:
        return _failed_for(settlement, context, Reason.RETRIES_ENDED, str(RETRY_FOR.days))
    wait = timedelta(0) if event.tries == 0 else wait_before_retry(event.tries)
    again = _back(settlement, context.now + wait, tries=event.tries + 1)
    return replace(settlement, changes=again if step is None else {**again, "step": step})


# Reading back: one page of what Lumail has recorded for the subscriber


def _read(read: ReadBack, settlement: Settlement, answer: Answer, context: ConcludeContext) -> Settlement:
    """An error proves nothing; a 404 that nothing was recorded, unless Lumail is known to have the subscriber."""
    claimed, event = settlement.claimed, read.event
    if answer.status == 404 and not context.is_known(event.recipient):
        return _not_found(read, settlement, context)
    try:
        page = read_events_page(answer)
    except LumailError:
        return _still_unconfirmed(read, settlement, context, context.now + READ_AGAIN, read_cursor=None)
    owners = context.owners([record.id for record in page.events])
    finding = readback.judge(event, page.events, owners, context.observed(), context.sent(event))
    settlement = replace(settlement, echo=finding.echo)
    if finding.found is not None:
        lag = None
        if event.reads:
            # Counted to when the read was due: that a pause let it wait says nothing about Lumail.
            visible = event.due_at - (finding.found.created_at - context.observed().clock_offset)
            lag = max(0, round(visible / timedelta(milliseconds=1)))
        settlement = replace(settlement, trusted=finding.is_named and context.observed().on_trial)
        return replace(settlement, recorded=True, by_read=True, lumail_event_id=finding.found.id, read_lag_ms=lag)
    ambiguous = [*((event.candidates or ()) if event.read_cursor is not None else ()), *finding.ambiguous]
    waited = claimed.claimed_at - event.due_at
    if event.read_cursor is not None and waited > LONGEST_READ:  # what was read before may have changed
        return _still_unconfirmed(read, settlement, context, context.now, read_cursor=None)
    if page.next_cursor is not None:
        return _still_unconfirmed(
            read, settlement, context, context.now, read_cursor=page.next_cursor, candidates=ambiguous or None
        )
    if ambiguous:
        return _ambiguous(read, settlement, context, ambiguous)
    return _not_found(read, settlement, context)


def _ambiguous(
    read: ReadBack, settlement: Settlement, context: ConcludeContext, ambiguous: Sequence[str]
) -> Settlement:
    """Records that may be it: looked at again until the doubt could end, then a person has to tell."""
    if settlement.claimed.claimed_at < _may_end_unconfirmed(read, settlement, context):
        changes = _back(settlement, _next_read(read, settlement, context), read_cursor=None, candidates=list(ambiguous))
        return replace(settlement, changes=changes)
    return replace(
        settlement, changes={"status": Status.HELD, "reason": Reason.ANSWER_LOST, "candidates": list(ambiguous)}
    )


def _not_found(read: ReadBack, settlement: Settlement, context: ConcludeContext) -> Settlement:
    """Sent again only after two complete reads that found nothing, the last of them late enough."""
    claimed, event = settlement.claimed, read.event
    if context.observed().on_trial:  # perhaps another organization was asked
        return replace(settlement, changes=_back(settlement, context.now + READ_ON_TRIAL, read_cursor=None))
    reads = event.reads + 1
    if reads >= 2 and claimed.claimed_at >= _may_end_unconfirmed(read, settlement, context):
        if event.tries and context.now - read.first_attempt_at > RETRY_FOR:
            return _failed_for(settlement, context, Reason.RETRIES_ENDED, str(RETRY_FOR.days))
        wait = timedelta(0) if event.tries == 0 else wait_before_retry(event.tries)
        again: EventChange = {"status": Status.WAITING, "reason": None, "step": "post", "tries": event.tries + 1}
        nothing: EventChange = {"reads": 0, "read_cursor": None, "candidates": None}
        return replace(settlement, changes={**again, "due_at": context.now + wait, **nothing})
    changes: EventChange = {"reads": reads, "read_cursor": None}
    if reads < 2:  # a second look is worth it however late the first was
        return replace(settlement, changes=_back(settlement, _next_read(read, settlement, context), **changes))
    return _still_unconfirmed(read, settlement, context, _next_read(read, settlement, context), **changes)


def _still_unconfirmed(
    read: ReadBack, settlement: Settlement, context: ConcludeContext, read_at: datetime, /, **more: Unpack[EventChange]
) -> Settlement:
    """Looked for again, until it is a person's turn."""
    if context.now - read.unconfirmed_at > UNCONFIRMED_ENDS:
        return replace(settlement, changes={"status": Status.HELD, "reason": Reason.ANSWER_LOST})
    return replace(settlement, changes=_back(settlement, read_at, **more))


def _may_end_unconfirmed(read: ReadBack, settlement: Settlement, context: ConcludeContext) -> datetime:
    """When a read that finds nothing may be believed: the later by what the ledger's clock only leapt."""
    destination = context.destination
    money = read.event.type in MONEY_TYPES
    seconds = destination.doubt_seconds_money if money else destination.doubt_seconds_other
    late = max(timedelta(seconds=seconds), context.observed().read_lag)
    return read.unconfirmed_at + late + _leapt(read, settlement)


def _leapt(read: ReadBack, settlement: Settlement) -> timedelta:
    """How far the ledger's clock has leapt ahead of Lumail's since the event was first sent; nothing of that passed."""
    then, now = read.event.clock_offset_ms, settlement.clock_offset_ms
    if then is None or now is None:
        return timedelta(0)
    leap = timedelta(milliseconds=then - now)
    return leap if leap > CLOCKS_AGREE else timedelta(0)


def _next_read(read: ReadBack, settlement: Settlement, context: ConcludeContext) -> datetime:
    """The next of the times at which a doubtful event is looked for; soon, where all have passed and a read is owed."""
    last = _may_end_unconfirmed(read, settlement, context)
    times = [at for after in READS_AFTER if (at := read.unconfirmed_at + after) < last]
    return next((at for at in [*times, last] if at > context.now), context.now + READ_AGAIN)


# Probes


def _probed(settlement: Settlement, answer: Answer) -> Settlement:
    """Any answer that lets the token pass ends the pause."""
    if answer.status == 401:
        return replace(settlement, failed=True)
    return settlement


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
