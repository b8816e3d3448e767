"""Where an event stands and why, why a destination rests, and what became of a webhook: the codes that are stored.

They decide, so they stay what they are whatever people are shown; that is told in `gateway.ledger.words`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Where an event stands."""

    WAITING = "waiting"
    DELIVERING = "delivering"
    UNKNOWN = "unknown"
    HELD = "held"
    FAILED = "failed"
    DROPPED = "dropped"
    DELIVERED = "delivered"


class Reason(StrEnum):
    """Why an event stands there. One whose words name a number has it in `reason_detail`."""

    SUBSCRIBER_UNKNOWN = "subscriber_unknown"
    NOT_IN_LUMAIL = "not_in_lumail"
    LINK_MISSING = "link_missing"
    SALE_UNKNOWN = "sale_unknown"
    SALE_LEFT_OUT = "sale_left_out"
    SALE_NEVER_COUNTED = "sale_never_counted"
    PAYMENT_NOT_LEFT = "payment_not_left"
    PAYMENT_NOT_DELIVERED = "payment_not_delivered"
    ANSWER_LOST = "answer_lost"
    LEDGER_RESTORED = "ledger_restored"
    REFUSED = "refused"  # the detail is Lumail's HTTP status
    SUBSCRIBER_REFUSED = "subscriber_refused"  # the detail is Lumail's HTTP status
    RETRIES_ENDED = "retries_ended"  # the detail is the days for which it was tried
    OTHER_CURRENCY = "other_currency"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    HELD_TOO_LONG = "held_too_long"  # `former_reason` is why it was held
    PERSON_ERASED = "person_erased"


class PauseKind(StrEnum):
    """Why a destination, or a lane or source of it, sends nothing."""

    BY_HAND = "by_hand"
    RATE_LIMITED = "rate_limited"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - a code, no secret
    DESTINATION_REFUSES = "destination_refuses"
    REPEATED_FAILURES = "repeated_failures"
    OTHER_ORGANIZATION = "other_organization"
    LEDGER_COPIED = "ledger_copied"


class Outcome(StrEnum):
    """What became of a webhook or of one of its source events."""

    TRANSLATED = "translated"
    MERGED = "merged"
    TAUGHT = "taught"
    IGNORED = "ignored"
    QUARANTINED = "quarantined"
    DUPLICATE = "duplicate"  # the ledger has the webhook already, which is kept with what became of it then


OUTCOMES = tuple(outcome for outcome in Outcome if outcome is not Outcome.DUPLICATE)
"""What a webhook that is kept may have become."""

COUNTED = (Outcome.MERGED, Outcome.TAUGHT, Outcome.IGNORED, Outcome.QUARANTINED)
"""Outcomes of source events of which a webhook has a count, under this name."""


class Closed(StrEnum):
    """Why nothing of a fact is told any more."""

    PURGED = "told"  # its events are purged
    ERASED = "erased"  # so is the person to whom it belonged


REASONS: Mapping[Status, frozenset[Reason]] = {
    Status.WAITING: frozenset(),
    Status.DELIVERING: frozenset(),
    Status.UNKNOWN: frozenset({Reason.ANSWER_LOST, Reason.LEDGER_RESTORED}),
    Status.HELD: frozenset(
        {
            Reason.SUBSCRIBER_UNKNOWN,
            Reason.NOT_IN_LUMAIL,
            Reason.LINK_MISSING,
            Reason.SALE_UNKNOWN,
            Reason.SALE_LEFT_OUT,
            Reason.OTHER_CURRENCY,
            Reason.PAYMENT_NOT_LEFT,
            Reason.PAYMENT_NOT_DELIVERED,
            Reason.ANSWER_LOST,
        }
    ),
    Status.FAILED: frozenset(
        {
            Reason.REFUSED,
            Reason.SUBSCRIBER_REFUSED,
            Reason.RETRIES_ENDED,
            Reason.NOT_IN_LUMAIL,
            Reason.PERSON_ERASED,
        }
    ),
    Status.DROPPED: frozenset(
        {
            Reason.SUPERSEDED,
            Reason.SALE_NEVER_COUNTED,
            Reason.OTHER_CURRENCY,
            Reason.EXPIRED,
            Reason.CANCELLED,
            Reason.HELD_TOO_LONG,
            Reason.PERSON_ERASED,
            Reason.NOT_IN_LUMAIL,
        }
    ),
    Status.DELIVERED: frozenset(),
}
"""Which reasons a status may have."""

TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.WAITING: frozenset(
        {Status.DELIVERING, Status.DELIVERED, Status.HELD, Status.FAILED, Status.DROPPED, Status.UNKNOWN}
    ),
    Status.DELIVERING: frozenset(
        {Status.WAITING, Status.DELIVERED, Status.UNKNOWN, Status.HELD, Status.FAILED, Status.DROPPED}
    ),
    Status.UNKNOWN: frozenset(
        {Status.WAITING, Status.DELIVERING, Status.DELIVERED, Status.HELD, Status.FAILED, Status.DROPPED}
    ),
    Status.HELD: frozenset({Status.WAITING, Status.DELIVERING, Status.DELIVERED, Status.DROPPED}),
    Status.FAILED: frozenset({Status.WAITING, Status.DELIVERED}),
    Status.DROPPED: frozenset({Status.WAITING, Status.HELD, Status.DELIVERED}),
    Status.DELIVERED: frozenset(),
}
"""What one transaction may make of a status; several changes in one are seen as one."""

CORRECTIONS: Mapping[Status, frozenset[Status]] = {
    Status.FAILED: frozenset({Status.DROPPED}),
    Status.DELIVERED: frozenset({Status.WAITING, Status.DROPPED, Status.UNKNOWN}),
}
"""What else a person decides, or an answer that shows that a read took another's record for this event's."""

LIVE = frozenset({Status.WAITING, Status.DELIVERING, Status.UNKNOWN, Status.HELD, Status.DELIVERED})
"""Statuses of an event that keep its fact from being told again."""

ENDED = (Status.FAILED, Status.DROPPED)
"""Statuses of an event that came to nothing."""

SETTLED = (Status.DELIVERED, *ENDED)
"""Statuses of an event with which nothing happens by itself any more."""

UNSETTLED = (Status.WAITING, Status.DELIVERING, Status.UNKNOWN, Status.HELD, Status.FAILED)
"""Statuses of an event that is not where it belongs; a failed one may have to be sent still."""

ON_THEIR_WAY = (Status.DELIVERING, Status.UNKNOWN)
"""Statuses of events that Lumail has or may have any moment."""

UNSENT = (Status.WAITING, Status.HELD)
"""Statuses of an event of which Lumail has heard nothing, unless it was tried before."""

FINAL_REASONS = frozenset({Reason.CANCELLED, Reason.EXPIRED, Reason.PERSON_ERASED, Reason.OTHER_CURRENCY})
"""Reasons of a dropped event that keep its fact from ever being told again."""

FINAL_WHEN_HELD = frozenset({Reason.ANSWER_LOST, Reason.OTHER_CURRENCY})
"""The same of one that was held too long for one of these reasons."""

WITHOUT_REASON: Mapping[str, Any] = {"reason": None, "reason_detail": None, "former_reason": None}
"""The columns of an event that needs no reason, whatever it had before."""


def is_final(status: str, reason: str | None, former_reason: str | None) -> bool:
    """Whether somebody or something decided that an event's fact is never told again."""
    if status != Status.DROPPED:
        return False
    return reason in FINAL_REASONS or (reason == Reason.HELD_TOO_LONG and former_reason in FINAL_WHEN_HELD)
