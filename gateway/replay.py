"""Again: an event that was given up is sent after all, a webhook is translated with today's adapter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update

from gateway.errors import CommandError
from gateway.intake.accept import submission
from gateway.intake.route import Route
from gateway.ledger import audit, doubt, following, incidents, lines, search, strangers, superseding
from gateway.ledger.audit import Deed
from gateway.ledger.commit import record_group
from gateway.ledger.database import Ledger
from gateway.ledger.doubt import ANSWER_LOST
from gateway.ledger.known import FINAL_REASONS
from gateway.ledger.leases import wake
from gateway.ledger.remembering import reader
from gateway.ledger.schema import events
from gateway.ledger.telling import Recorded
from gateway.translation.webhook import Headers, VerifiedWebhook, Webhook

TWICE = "Lumail would count it twice and can't take it back"


class CountedTwiceError(CommandError):
    """Sending this event (again) may count a fact twice: whoever wants it all the same says `force`."""


@dataclass(frozen=True)
class ReplayedEvent:
    """An event that waits again, with the status that it had."""

    id: str
    destination: str
    was: str
    due_at: datetime


@dataclass(frozen=True)
class ReplayedWebhook:
    """A webhook that was translated again: `recorded` counts its source events, `was` is its former outcome."""

    was: str
    recorded: Recorded


def replay_event(ledger: Ledger, identity: str, who: str, *, force: bool = False) -> ReplayedEvent:
    """Make a failed, held or dropped event due now, under the identity that it has.

    `who` is kept with it. Raises CommandError for one that can't or need not be sent again, and CountedTwiceError
    for one that Lumail has or may have; that one `force` sends all the same.
    """
    with ledger.read() as connection:
        found = _known_event(connection, identity)
    with ledger.write([found["destination"]]) as connection:
        event = _known_event(connection, identity)
        _refuse(event, superseding.rivals(connection, event), force=force)
        now = ledger.now(connection)
        connection.execute(update(events).where(events.c.id == identity).values(_as_new(now)))
        _let_go_on(connection, event, now)
        before = {name: event[name] for name in ("status", "reason", "tries", "lumail_event_id")}
        deed = Deed(who, "replay event", identity)
        audit.note(connection, now, deed, before, {"status": "waiting", "forced": force})
    return ReplayedEvent(identity, event["destination"], event["status"], now)


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
        found = _known_event(connection, identity)
    with ledger.write([found["destination"]]) as connection:
        event = _known_event(connection, identity)
        incident = incidents.of_group(connection, event["group"])
        now = ledger.now(connection)
        _refuse_decision(connection, event, decision, incident)
        changes = _decided(event, decision, now)
        if changes:
            connection.execute(update(events).where(events.c.id == identity).values(changes))
            _let_go_on(connection, event, now)
        if incident is not None:
            incidents.end(connection, event["group"])
        status = str(changes.get("status", event["status"]))
        before = {name: event[name] for name in ("status", "reason", "lumail_event_id")} | {"incident": incident}
        after = {"status": status, "lumail_event_id": decision.lumail_id}
        audit.note(connection, now, Deed(who, f"decide {decision.word}", identity), before, after)
    return Decided(identity, event["status"], status, incident)


_BESIDES_HELD = {"recorded": ("delivered",), "send": (), "drop": ("delivered", "waiting")}
"""Statuses of an event, besides held, of which this can be said where Lumail heard of its fact twice."""


def _refuse_decision(connection: Connection, event: search.Row, decision: Decision, incident: str | None) -> None:
    identity, status = event["id"], event["status"]
    allowed = ("held",) if incident is None else ("held", *_BESIDES_HELD[decision.word])
    if status not in allowed:
        raise CommandError(f"{identity} {_NEEDLESS.get(status, f'is {status}')}; there is nothing to decide so")
    if decision.word == "send" and event["subscriber"] is None:
        raise CommandError(f"{identity} has no subscriber yet, so it can't be sent")
    if decision.word == "send":
        other = next(iter(superseding.rivals(connection, event)), None)
        if other is not None:
            raise CommandError(f"{identity} tells the same fact as {other['id']}, which is {other['status']}. {TWICE}")
    if decision.lumail_id is not None:
        owners = doubt.owners(connection, event["destination"], [decision.lumail_id])
        holder = owners.get(decision.lumail_id, identity)
        if holder != identity:
            raise CommandError(f"{decision.lumail_id} is what Lumail recorded for {holder}, not for {identity}")


def _decided(event: search.Row, decision: Decision, now: datetime) -> dict[str, Any]:
    """The columns of the event that a decision changes."""
    settled = {"settled_at": now, "waits_for": None, "candidates": None}
    if decision.word == "send":
        return _as_new(now)
    if decision.word == "drop":
        return {**settled, "status": "dropped", "reason": "cancelled"}
    if event["status"] == "delivered" and event["lumail_event_id"] is not None:
        return {}
    return {**settled, "status": "delivered", "reason": None, "lumail_event_id": decision.lumail_id}


def _let_go_on(connection: Connection, event: search.Row, now: datetime) -> None:
    """The event's line goes on with it, or without it; so do refunds that wait for it."""
    following.let_follow(connection, event["destination"], [event["id"]], now)
    if event["subscriber"] is not None:
        strangers.forget(connection, event["destination"], event["subscriber"])
        lines.refresh(connection, event["destination"], [(event["lane"], event["subscriber"])])
        wake(connection, event["destination"], now)


def replay_webhook(ledger: Ledger, routes: Mapping[str, Route], identity: str, who: str) -> ReplayedWebhook:
    """Translate a kept webhook again with today's adapter and add what was missing.

    It goes where it went at first. Raises CommandError where it can't be translated any more.
    """
    with ledger.read() as connection:
        row = search.webhook(connection, identity)
    if row is None:
        raise CommandError(f"no webhook {identity}: `lumail-gateway webhooks list` shows those that are kept")
    if row["body"] is None:
        raise CommandError(f"the body of {identity} is not kept any more, so it can't be translated again")
    route = routes.get(row["source"])
    if route is None:
        raise CommandError(f"{identity} came to the source {row['source']}, which is not configured or not enabled")
    route = replace(route, source=replace(route.source, destination=row["destination"]))
    again = submission(route, _as_it_came(row), reader(ledger, row["destination"]), known_as=identity)
    with ledger.write([row["destination"]]) as connection:
        (recorded,) = record_group(connection, ledger, [again])
        before = {name: row[name] for name in ("outcome", "quarantined")}
        after = {"outcome": recorded.word, "quarantined": recorded.quarantined, "events": list(recorded.events)}
        audit.note(connection, ledger.now(connection), Deed(who, "replay webhook", identity), before, after)
    return ReplayedWebhook(row["outcome"], recorded)


def _as_new(now: datetime) -> dict[str, Any]:
    """The columns of an event that waits as if nobody had tried to send it. It does not expire: somebody wants it."""
    return {
        "status": "waiting",
        "reason": None,
        "due_at": now,
        "tries": 0,
        "waits_for": None,
        "expires_at": None,
        "lumail_event_id": None,
        "settled_at": None,
        "step": "post",
        "doubted_at": None,
        "reads": 0,
        "read_cursor": None,
        "candidates": None,
        "found_by_read": False,
    }


def _known_event(connection: Connection, identity: str) -> search.Row:
    event = search.event(connection, identity)
    if event is None:
        raise CommandError(f"no event {identity}: `lumail-gateway events list` shows those that are kept")
    return event


_NEEDLESS = {
    "waiting": "waits already and will be sent by itself",
    "delivering": "is on its way to Lumail now",
    "unknown": "was sent and its answer lost: it is looked up at Lumail and sent again by itself if it is not there",
}


def _refuse(event: search.Row, rivals: Sequence[search.Row], *, force: bool) -> None:
    """Raise CommandError where the event must not be sent (again). `rivals` tell the same fact, and live."""
    identity, status = event["id"], event["status"]
    if status in _NEEDLESS:
        raise CommandError(f"{identity} {_NEEDLESS[status]}")
    if status == "dropped" and event["reason"] in FINAL_REASONS:
        raise CommandError(f"{identity} was dropped for good ({event['reason']})")
    if event["subscriber"] is None:
        raise CommandError(
            f"{identity} has no subscriber yet: it is sent by itself once a webhook tells whose it is "
            f"({event['waits_for'] or 'nobody knows which'})"
        )
    if force:
        return
    if status == "delivered":
        raise CountedTwiceError(
            f"{identity} is delivered (as {event['lumail_event_id'] or 'an event of unknown id'}). Sent again, {TWICE}"
        )
    if status == "held" and event["reason"] == ANSWER_LOST:
        raise CountedTwiceError(
            f"{identity} was sent and its answer lost: Lumail may have it (see the subscriber's timeline there). "
            f"If it has and it is sent again, {TWICE}"
        )
    other = next(iter(rivals), None)
    if other is not None:
        raise CountedTwiceError(
            f"{identity} tells the same fact as {other['id']}, which is {other['status']}. Sent as well, {TWICE}"
        )


def _as_it_came(row: search.Row) -> VerifiedWebhook:
    """A kept webhook: its signature was proven when it came, and is not kept."""
    webhook = Webhook(row["source"], row["url"], Headers(row["headers"]), row["body"], row["received_at"])
    return VerifiedWebhook(webhook, secret=None, signed_at=None)
