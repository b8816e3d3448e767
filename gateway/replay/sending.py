"""Whether an event may be sent because somebody wants it, how it waits then, and doing so for one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from gateway.errors import CommandError
from gateway.ledger import words
from gateway.ledger.accounts import audit
from gateway.ledger.accounts.audit import Deed
from gateway.ledger.database import Ledger
from gateway.ledger.event import Event, EventChange
from gateway.ledger.facts.known_events import events_of
from gateway.ledger.outbox import duplicates, transitions, unknown_subscribers
from gateway.ledger.status import Reason, Status, is_final

TWICE = "Lumail would count it twice and can't take it back"


class CountedTwiceError(CommandError):
    """Sending this event (again) may count a fact twice: whoever wants it all the same says `force`."""


class Cause(StrEnum):
    """Why an event is not sent though somebody wants it, in the words that counts are shown with."""

    MOVES = "sent by itself"
    FINAL = "dropped for good"
    NOBODYS = "no subscriber yet"
    DELIVERED = "delivered already"
    UNCONFIRMED = "Lumail may have it"
    REPEATED = "another event tells the same fact"
    OVERTAKEN = "a later one says the opposite"
    ONCE = "sent again before"


FORCIBLE = frozenset({Cause.DELIVERED, Cause.UNCONFIRMED, Cause.REPEATED})
"""Causes past which an event is sent by force: Lumail then counts its fact twice, or may."""


@dataclass(frozen=True)
class Refusal:
    """Why this event is not sent, in a word and in a sentence."""

    cause: Cause
    text: str


@dataclass(frozen=True)
class ReplayedEvent:
    """An event that waits again, with the status that it had."""

    id: str
    destination: str
    was: str
    due_at: datetime


def replay_event(ledger: Ledger, identity: str, who: str, *, force: bool = False) -> ReplayedEvent:
    """Make a failed, held or dropped event due now, under the identity that it has.

    `who` is kept with it. Raises CommandError for one that can't or need not be sent again, and CountedTwiceError
    for one that Lumail has or may have; that one `force` sends all the same.
    """
    with ledger.read() as connection:
        found = known_event(connection, identity)
    with ledger.write([found.destination]) as connection:
        event = known_event(connection, identity)
        refuse(refusal(event, duplicates.duplicates_of(connection, event)), force=force)
        now = ledger.now(connection)
        change(connection, event, as_new(now), now)
        before = stood(event, "tries", "lumail_event_id")
        deed = Deed(who, "replay event", identity)
        audit.record(connection, now, deed, before, {"status": Status.WAITING, "forced": force})
    return ReplayedEvent(identity, event.destination, event.status, now)


@dataclass(frozen=True)
class Outlook:
    """What sending an event would do: None in `refusal` where nothing stands against it."""

    id: str
    status: str
    refusal: Refusal | None

    @property
    def by_force(self) -> bool:
        """Whether it would be sent with `force`."""
        return self.refusal is not None and self.refusal.cause in FORCIBLE


def preview_event(connection: Connection, identity: str) -> Outlook:
    """What `replay_event` would do. Raises CommandError where there is no such event."""
    event = known_event(connection, identity)
    return Outlook(identity, event.status, refusal(event, duplicates.duplicates_of(connection, event)))


def known_event(connection: Connection, identity: str) -> Event:
    event = events_of(connection, [identity]).get(identity)
    if event is None:
        raise CommandError(f"no event {identity}: `lumail-gateway events list` shows those that are kept")
    return event


_NEEDLESS = {
    Status.WAITING: "waits already and will be sent by itself",
    Status.DELIVERING: "is on its way to Lumail now",
    Status.UNKNOWN: (
        "was sent and its answer lost: it is looked up at Lumail and sent again by itself if it is not there"
    ),
}


def needless(event: Event) -> str:
    """Why nothing is to be done about an event that goes its way."""
    return _NEEDLESS.get(Status(event.status), f"is {event.status}")


def refusal(event: Event, duplicates: Sequence[Event]) -> Refusal | None:
    """Why the event must not be sent (again), None where it may. `duplicates` tell the same fact, and live."""
    identity, status = event.id, event.status
    if status in _NEEDLESS:
        return Refusal(Cause.MOVES, f"{identity} {needless(event)}")
    if is_final(status, event.reason, event.former_reason):
        return Refusal(
            Cause.FINAL,
            f"{identity} was dropped for good ({words.of_reason(*event.why)})",
        )
    if event.subscriber is None:
        return Refusal(
            Cause.NOBODYS,
            f"{identity} has no subscriber yet: it is sent by itself once a webhook tells whose it is "
            f"({event.waits_for or 'nobody knows which'})",
        )
    if status == Status.DELIVERED:
        return Refusal(
            Cause.DELIVERED,
            f"{identity} is delivered (as {event.lumail_event_id or 'an event of unknown id'}). Sent again, {TWICE}",
        )
    if status == Status.HELD and event.reason == Reason.ANSWER_LOST:
        return Refusal(
            Cause.UNCONFIRMED,
            f"{identity} was sent and its answer lost: Lumail may have it (see the subscriber's timeline there). "
            f"If it has and it is sent again, {TWICE}",
        )
    other = next(iter(duplicates), None)
    if other is not None:
        return Refusal(
            Cause.REPEATED,
            f"{identity} tells the same fact as {other.id}, which is {other.status}. Sent as well, {TWICE}",
        )
    return None


def stands(found: Refusal | None, *, force: bool) -> bool:
    """Whether a refusal holds."""
    return found is not None and not (force and found.cause in FORCIBLE)


def refuse(found: Refusal | None, *, force: bool) -> None:
    """Raise CommandError where the refusal holds, CountedTwiceError where `force` would have overcome it."""
    if found is None or not stands(found, force=force):
        return
    raise CountedTwiceError(found.text) if found.cause in FORCIBLE else CommandError(found.text)


def as_new(due_at: datetime) -> EventChange:
    """The columns of an event that waits as if nobody had tried to send it. It does not expire: somebody wants it."""
    return {
        "status": Status.WAITING,
        "reason": None,
        "reason_detail": None,
        "former_reason": None,
        "due_at": due_at,
        "tries": 0,
        "waits_for": None,
        "expires_at": None,
        "lumail_event_id": None,
        "settled_at": None,
        "step": "post",
        "unconfirmed_at": None,
        "reads": 0,
        "read_cursor": None,
        "candidates": None,
        "found_by_read": False,
    }


def stood(event: Event, *names: str) -> dict[str, Any]:
    """Where an event stood and why, in codes, with these of its columns besides: what the audit keeps of it."""
    more = {name: why for name in ("reason_detail", "former_reason") if (why := getattr(event, name)) is not None}
    return {**{name: getattr(event, name) for name in ("status", "reason", *names)}, **more}


def change(connection: Connection, event: Event, columns: EventChange, now: datetime) -> None:
    """What a person wants of an event is done, and nothing that was thought of its subscriber holds any more."""
    [after] = transitions.move(connection, event.destination, [(event, columns)], now, corrects=True)
    if after.subscriber is not None:
        unknown_subscribers.forget(connection, event.destination, after.subscriber)
