"""What a person decides about an event that the gateway can't tell, and that one is not wanted any more."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.errors import CommandError
from gateway.ledger.accounts import audit
from gateway.ledger.accounts.audit import Deed
from gateway.ledger.database import Ledger
from gateway.ledger.event import Event, EventChange
from gateway.ledger.facts import incidents
from gateway.ledger.outbox import duplicates, uncertain
from gateway.ledger.status import Reason, Status
from gateway.replay.sending import TWICE, as_new, change, known_event, needless, stood


@dataclass(frozen=True)
class Decision:
    """What a person found out about an event: `word` is recorded, send or drop, `lumail_id` the record at Lumail."""

    word: str
    lumail_id: str | None = None


@dataclass(frozen=True)
class Decided:
    """What became of an event that a person decided about; `incident` is what was settled with it."""

    id: str
    was: str
    status: str
    incident: str | None


def decide(ledger: Ledger, identity: str, decision: Decision, who: str) -> Decided:
    """Do what a person decided about an event that is held, or whose fact Lumail heard twice.

    ``recorded``: Lumail has it as this record, so it is delivered. ``send``: Lumail has it not, so it is sent now.
    ``drop``: it is never sent, nor is its fact told again. Raises CommandError where there is nothing to decide.
    """
    with ledger.read() as connection:
        found = known_event(connection, identity)
    with ledger.write([found.destination]) as connection:
        event = known_event(connection, identity)
        incident = incidents.of_group(connection, event.group)
        now = ledger.now(connection)
        _refuse_decision(connection, event, decision, incident)
        columns = _decided(event, decision, now)
        if columns:
            change(connection, event, columns, now)
        if incident is not None:
            incidents.end(connection, event.group)
        status = str(columns.get("status", event.status))
        before = stood(event, "lumail_event_id") | {"incident": incident}
        after = {"status": status, "lumail_event_id": decision.lumail_id}
        audit.record(connection, now, Deed(who, f"decide {decision.word}", identity), before, after)
    return Decided(identity, event.status, status, incident)


_CANCELLED: EventChange = {
    "status": Status.DROPPED,
    "reason": Reason.CANCELLED,
    "waits_for": None,
    "candidates": None,
}

_BESIDES_HELD = {"recorded": (Status.DELIVERED,), "send": (), "drop": (Status.DELIVERED, Status.WAITING)}
"""Statuses of an event, besides held, of which this can be said where Lumail heard of its fact twice."""


def _refuse_decision(connection: Connection, event: Event, decision: Decision, incident: str | None) -> None:
    identity, status = event.id, event.status
    allowed = (Status.HELD,) if incident is None else (Status.HELD, *_BESIDES_HELD[decision.word])
    if status not in allowed:
        raise CommandError(f"{identity} {needless(event)}; there is nothing to decide so")
    if decision.word == "send" and event.subscriber is None:
        raise CommandError(f"{identity} has no subscriber yet, so it can't be sent")
    if decision.word == "send":
        other = next(iter(duplicates.duplicates_of(connection, event)), None)
        if other is not None:
            raise CommandError(f"{identity} tells the same fact as {other.id}, which is {other.status}. {TWICE}")
    if decision.lumail_id is not None:
        owners = uncertain.owners(connection, event.destination, [decision.lumail_id])
        holder = owners.get(decision.lumail_id, identity)
        if holder != identity:
            raise CommandError(f"{decision.lumail_id} is what Lumail recorded for {holder}, not for {identity}")


def _decided(event: Event, decision: Decision, now: datetime) -> EventChange:
    """The columns of the event that a decision changes."""
    if decision.word == "send":
        return as_new(now)
    if decision.word == "drop":
        return {**_CANCELLED, "settled_at": now}
    if event.status == Status.DELIVERED and event.lumail_event_id is not None:
        return {}
    recorded: EventChange = {"status": Status.DELIVERED, "reason": None, "lumail_event_id": decision.lumail_id}
    return {**recorded, "settled_at": now, "waits_for": None, "candidates": None}


@dataclass(frozen=True)
class Cancelled:
    """An event that is not sent any more, with the status that it had."""

    id: str
    was: str


CANCELLABLE = (Status.WAITING, Status.HELD, Status.FAILED)


def cancel_event(ledger: Ledger, identity: str, who: str) -> Cancelled:
    """Drop an event for good: it is not sent, nor is its fact told again by another webhook.

    Raises CommandError for one that is on its way, may have reached Lumail, or is settled.
    """
    with ledger.read() as connection:
        found = known_event(connection, identity)
    with ledger.write([found.destination]) as connection:
        event = known_event(connection, identity)
        if event.status not in CANCELLABLE:
            why = _TOO_LATE.get(Status(event.status), needless(event))
            raise CommandError(f"{identity} {why}; it can't be cancelled")
        now = ledger.now(connection)
        change(connection, event, _CANCELLED, now)
        before = stood(event, "tries")
        deed = Deed(who, "cancel event", identity)
        after = {"status": Status.DROPPED, "reason": Reason.CANCELLED}
        audit.record(connection, now, deed, before, after)
    return Cancelled(identity, event.status)


_TOO_LATE = {Status.UNKNOWN: "was sent and its answer lost: Lumail may have it, which is being looked up"}
