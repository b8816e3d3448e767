"""What people are told for the codes of `gateway.ledger.status`, on terminals, pages and in documents alike.

Nothing decides by these words, so they may be changed like any other text.
"""

from collections.abc import Mapping
from typing import Any

from gateway.ledger.status import PauseKind, Reason, Status

DETAIL, FORMER = "{detail}", "{former}"
"""What stands in the words of a reason for its detail, and for the words of the reason that was before."""

NO_DETAIL = "an error"
NO_CAUSE = "no cause is known"

REASONS: Mapping[str, str] = {
    Reason.SUBSCRIBER_UNKNOWN: "subscriber unknown",
    Reason.NOT_IN_LUMAIL: "not in Lumail",
    Reason.LINK_MISSING: "waits for a link",
    Reason.SALE_UNKNOWN: "its sale is not known",
    Reason.SALE_LEFT_OUT: "its sale does not count",
    Reason.SALE_NEVER_COUNTED: "its sale was never counted",
    Reason.PAYMENT_NOT_LEFT: "its payment has not left yet",
    Reason.PAYMENT_NOT_DELIVERED: "payment not delivered",
    Reason.ANSWER_LOST: "answer lost",
    Reason.LEDGER_RESTORED: "the ledger was copied or restored: looked up before it is sent",
    Reason.REFUSED: "Lumail refused it with {detail}",
    Reason.SUBSCRIBER_REFUSED: "Lumail refused to make the subscriber with {detail}",
    Reason.RETRIES_ENDED: "given up after {detail} days",
    Reason.OTHER_CURRENCY: "another currency than the destination's",
    Reason.SUPERSEDED: "superseded",
    Reason.EXPIRED: "expired",
    Reason.CANCELLED: "cancelled",
    Reason.HELD_TOO_LONG: "held too long: {former}",
    Reason.PERSON_ERASED: "person erased",
}

PAUSES: Mapping[str, str] = {
    PauseKind.BY_HAND: "paused by {who}",
    PauseKind.RATE_LIMITED: "Lumail answered 429: too many requests",
    PauseKind.TOKEN_REFUSED: "Lumail answered {status}: it refuses the API token",
    PauseKind.DESTINATION_REFUSES: "Lumail answered {status}, which is about the destination and no single event",
    PauseKind.REPEATED_FAILURES: "{run} requests in a row failed or were not answered",
    PauseKind.OTHER_ORGANIZATION: (
        "the API token is another organization's ({named}, not {known}), which recorded {event}"
    ),
    PauseKind.LEDGER_COPIED: (
        "this ledger was copied or restored from a backup: what waits may have been delivered since"
    ),
}

STATUSES: Mapping[str, str] = {
    Status.WAITING: "It waits for its turn and is sent by itself.",
    Status.DELIVERING: "It is on its way to Lumail now.",
    Status.DELIVERED: "Lumail has recorded it.",
    Status.UNKNOWN: "Its answer was lost: it is looked up at Lumail, and sent again only if it is not there.",
    Status.HELD: "It waits for something outside.",
    Status.FAILED: "Lumail refused it, or it could not be sent for days. It leaves only if somebody says so.",
    Status.DROPPED: "It is not sent.",
}
"""What a status means for whoever looks, where its reason says no more."""

MEANINGS: Mapping[tuple[str, str], str] = {
    (Status.UNKNOWN, Reason.ANSWER_LOST): STATUSES[Status.UNKNOWN],
    (Status.UNKNOWN, Reason.LEDGER_RESTORED): (
        "What the ledger was copied from may have sent it: it is looked up at Lumail, and sent only if it is not there."
    ),
    (Status.HELD, Reason.SUBSCRIBER_UNKNOWN): ("Nobody has told yet whose it is. The webhook that tells releases it."),
    (Status.HELD, Reason.NOT_IN_LUMAIL): (
        "Lumail does not know the subscriber. It is asked again after 1, 6 and 24 hours."
    ),
    (Status.HELD, Reason.LINK_MISSING): (
        "Another webhook may tell the same payment better. It leaves once that came, or soon without it."
    ),
    (Status.HELD, Reason.SALE_UNKNOWN): (
        "It gives back money of a sale that nobody has told. The webhook that tells the sale releases it."
    ),
    (Status.HELD, Reason.SALE_LEFT_OUT): (
        "It gives back money of a sale of which nothing was counted. It is dropped unless the sale counts within days."
    ),
    (Status.HELD, Reason.OTHER_CURRENCY): (
        "Lumail has one number for a subscriber, and this is money in another currency. A person has to decide."
    ),
    (Status.HELD, Reason.PAYMENT_NOT_LEFT): (
        "It gives back money of a payment that Lumail has not got yet. It follows that payment by itself."
    ),
    (Status.HELD, Reason.PAYMENT_NOT_DELIVERED): (
        "It gives back money of a payment that came to nothing. It follows if that payment is sent after all."
    ),
    (Status.HELD, Reason.ANSWER_LOST): (
        "Lumail may have it or not, and only a person can tell: compare it with the subscriber's timeline."
    ),
    (Status.FAILED, Reason.REFUSED): "Lumail refused it, and says why below. It leaves only if somebody says so.",
    (Status.FAILED, Reason.SUBSCRIBER_REFUSED): (
        "Lumail does not know the subscriber and refused to make one. It leaves only if somebody says so."
    ),
    (Status.FAILED, Reason.RETRIES_ENDED): ("It could not be sent for days. It leaves only if somebody says so."),
    (Status.FAILED, Reason.NOT_IN_LUMAIL): (
        "Lumail does not know the subscriber, and such events are to fail. It leaves only if somebody says so."
    ),
    (Status.FAILED, Reason.PERSON_ERASED): "It was about a person who was erased. It is not sent.",
    (Status.DROPPED, Reason.SUPERSEDED): "It is not sent: another event tells the same.",
    (Status.DROPPED, Reason.SALE_NEVER_COUNTED): (
        "It is not sent: nothing of its sale was ever counted. Should the sale count later, it leaves."
    ),
    (Status.DROPPED, Reason.OTHER_CURRENCY): (
        "It is not sent: Lumail has one number for a subscriber, and this is money in another currency."
    ),
    (Status.DROPPED, Reason.EXPIRED): "It is not sent: it would have come too late to be of use.",
    (Status.DROPPED, Reason.CANCELLED): "It is not sent: somebody decided so.",
    (Status.DROPPED, Reason.HELD_TOO_LONG): "It is not sent: what it waited for did not come in time.",
    (Status.DROPPED, Reason.PERSON_ERASED): "It is not sent: it was about a person who was erased.",
    (Status.DROPPED, Reason.NOT_IN_LUMAIL): "It is not sent: Lumail does not know the subscriber.",
}
"""What a reason means for whoever looks, by the status that it is the reason of."""


def of_reason(code: str | None, detail: str | None = None, former: str | None = None) -> str | None:
    """The words of a reason: None for none. A code that is not known here is shown as it is."""
    if code is None or code not in REASONS:
        return code
    before = "" if former is None else of_reason(former)
    return REASONS[code].format(detail=detail or NO_DETAIL, former=before or NO_CAUSE)


def of_event(row: Mapping[str, Any]) -> str | None:
    """The words of the reason that an event has (its row), None where it has none."""
    return of_reason(row["reason"], row["reason_detail"], row["former_reason"])


def with_reason(row: Mapping[str, Any]) -> dict[str, Any]:
    """An event's row for programs: its reason in words, and the codes beside it."""
    return {**row, "reason": of_event(row), "reason_code": row["reason"]}


def of_deed(columns: Mapping[str, Any]) -> dict[str, Any]:
    """What the audit keeps of an event, with its reason in words."""
    if "reason" not in columns:
        return dict(columns)
    told = of_reason(columns["reason"], columns.get("reason_detail"), columns.get("former_reason"))
    parts = ("reason_detail", "former_reason")
    return {name: value for name, value in {**columns, "reason": told}.items() if name not in parts}


def meaning(row: Mapping[str, Any]) -> str:
    """What an event's status and reason mean for whoever looks."""
    return MEANINGS.get((row["status"], row["reason"]), STATUSES[row["status"]])


def of_pause(kind: str, details: Mapping[str, Any]) -> str:
    """Why a destination, or a part of it, sends nothing. A kind that is not known here is shown as it is."""
    told = PAUSES[kind].format_map(details) if kind in PAUSES else kind
    return f"{told}: {details['why']}" if details.get("why") else told
