"""One request to Lumail as the ledger knows it: what it is for, what is sent, and what became of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import Connection, bindparam, select

from gateway.events import Lane
from gateway.ledger.event import Event, EventChange
from gateway.ledger.scheduling.budget import LONGEST_REQUEST
from gateway.ledger.scheduling.pauses import OpenPause, Pause
from gateway.ledger.scheduling.standing import Learned
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
class PostEvent:
    """Have an event recorded. `probed` is the pause that its answer may end."""

    kind: ClassVar = Kind.POST
    event: Event
    probed: OpenPause | None = None


@dataclass(frozen=True)
class ReadBack:
    """Look for an event in doubt among what Lumail recorded since it was first sent.

    `unconfirmed_at` is when the doubtful attempt was surely over.
    """

    kind: ClassVar = Kind.READ
    event: Event
    first_attempt_at: datetime
    unconfirmed_at: datetime


@dataclass(frozen=True)
class AskForEvent:
    """Ask for the subscriber of an event that was refused."""

    kind: ClassVar = Kind.ASK
    event: Event


@dataclass(frozen=True)
class CreateSubscriber:
    """Make the subscriber of an event, which is posted after it."""

    kind: ClassVar = Kind.CREATE
    event: Event


@dataclass(frozen=True)
class AskForSubscriber:
    """Ask for a subscriber on behalf of all events that wait for it, or `of_run`: of a run of refusals."""

    kind: ClassVar = Kind.ASK
    lane: ClassVar = Lane.STANDARD
    subscriber: str
    of_run: bool = False


@dataclass(frozen=True)
class Probe:
    """Find out whether Lumail answers again; whether it has the subscriber does not matter."""

    kind: ClassVar = Kind.PROBE
    lane: ClassVar = Lane.BULK
    subscriber: str
    probed: OpenPause


EventRequest = PostEvent | ReadBack | AskForEvent | CreateSubscriber
"""What is asked of Lumail for one event."""

Request = EventRequest | AskForSubscriber | Probe


@dataclass(frozen=True)
class Claimed:
    """A request that this drain, and nobody else, makes now; its attempt row stands already.

    `sent` is what goes out: the body of a post, the path of a question for an event, else whom it concerns.
    """

    attempt: str
    claimed_at: datetime
    request: Request
    sent: str

    @property
    def kind(self) -> Kind:
        return self.request.kind

    @property
    def event(self) -> Event | None:
        """The event for which it is made, None where no single one is concerned."""
        return None if isinstance(self.request, AskForSubscriber | Probe) else self.request.event

    @property
    def event_id(self) -> str | None:
        return None if self.event is None else self.event.id

    @property
    def subscriber(self) -> str:
        asked = self.request
        return asked.subscriber if isinstance(asked, AskForSubscriber | Probe) else asked.event.recipient

    @property
    def lane(self) -> Lane:
        asked = self.request
        return asked.lane if isinstance(asked, AskForSubscriber | Probe) else asked.event.lane

    @property
    def probed(self) -> OpenPause | None:
        """The pause that its answer may end."""
        return self.request.probed if isinstance(self.request, PostEvent | Probe) else None


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
    `refused`: the event was refused though Lumail has its subscriber, which a GET found (True) or which was known
    before (False); None: it was not.
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
    refused: bool | None = None
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
