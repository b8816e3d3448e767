"""One request to Lumail as the ledger knows it: what it is for, what is sent, and what became of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, bindparam, select

from gateway.events import EventType, Lane
from gateway.ledger.event import EventChange
from gateway.ledger.scheduling.budget import LONGEST_REQUEST, Learned
from gateway.ledger.scheduling.pauses import OpenPause, Pause
from gateway.ledger.schema import attempts

SEND_WITHIN = timedelta(seconds=5)
ENDS_WITHIN = LONGEST_REQUEST


class Kind(StrEnum):
    """What a request to Lumail is for."""

    POST = "event"  # Track Event
    READ = "read"  # has a doubtful event been recorded?
    ASK = "ask"  # is there such a subscriber?
    CREATE = "create"  # make the subscriber
    PROBE = "probe"  # does Lumail answer again?


@dataclass(frozen=True)
class Claimed:
    """A request that this drain, and nobody else, makes now; its attempt row stands already.

    `event` is None where no single event is concerned: a probe, or a question for a subscriber. `sent` is what goes
    out, for a POST its body. `pause` names the pause that the request probes.
    `waited` is how long it was due. `unconfirmed_at`, `reads`, `read_cursor`, `candidates` say how far the search for a
    doubtful event has come, `clock_offset_ms` how
    far Lumail's clock was ahead when the event was first sent, None where that was not known.
    """

    attempt: str
    kind: Kind
    subscriber: str
    claimed_at: datetime
    lane: Lane = Lane.BULK
    event: str | None = None
    webhook: str = ""
    source: str = ""
    type: EventType = EventType.EMAIL_OPENED
    data: str = "{}"
    occurred_at: datetime | None = None
    tries: int = 0
    first_attempt_at: datetime | None = None
    clock_offset_ms: int | None = None
    reason_detail: str | None = None
    unconfirmed_at: datetime | None = None
    reads: int = 0
    read_cursor: str | None = None
    candidates: tuple[str, ...] = ()
    waited: timedelta = timedelta(0)
    pause: OpenPause | None = None
    sent: str = ""


class SubscriberAnswer(StrEnum):
    """What an answer tells about a subscriber whom Lumail may not know."""

    MET = "met"
    KNOWN = "known"
    UNKNOWN = "unknown"
    UNANSWERED = "unanswered"
    LEFT_OUT = "left out"  # unknown, and nothing waits for it to become known


@dataclass(frozen=True)
class Settlement:
    """What became of an attempt, and what follows.

    `changes` are the event's columns to set, None leaves the event as it is. `lumail_event_id` says that Lumail
    recorded it, `by_read` that this was found by reading back.
    `organization` is Lumail's id of it, to be kept; `trusted` says that the token was seen to be that organization's.
    `failed`: True counts into the run of failures that pauses a destination, False ends the run.
    """

    claimed: Claimed
    outcome: str
    http_status: int | None = None
    body: str | None = None
    error: str | None = None
    duration_ms: int | None = None
    changes: EventChange | None = None
    lumail_event_id: str | None = None
    recorded: bool = False
    organization: str | None = None
    trusted: bool = False
    by_read: bool = False
    failed: bool | None = None
    pause: Pause | None = None
    subscriber_answer: SubscriberAnswer | None = None
    learned: Learned | None = None
    clock_offset_ms: int | None = None
    echo: bool | None = None
    read_lag_ms: int | None = None


_SENT = (
    select(attempts.c.sent)
    .where(attempts.c.event == bindparam("its_event"), attempts.c.kind == Kind.POST.value, attempts.c.sent.is_not(None))
    .order_by(attempts.c.id)
)


def sent_for(connection: Connection, event: str) -> list[str]:
    """What each attempt to post the event sent, or was to send."""
    return list(connection.execute(_SENT, {"its_event": event}).scalars())
