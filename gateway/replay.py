"""Again: an event that was given up is sent after all, a webhook is translated with today's adapter."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, update

from gateway.errors import CommandError
from gateway.intake.accept import submission
from gateway.intake.route import Route
from gateway.ledger import lines, search, strangers
from gateway.ledger.claims import ANSWER_LOST
from gateway.ledger.commit import record_group
from gateway.ledger.database import Ledger
from gateway.ledger.identity import new_id
from gateway.ledger.leases import wake
from gateway.ledger.recording import FINAL_REASONS, LIVE, Recorded
from gateway.ledger.remembering import reader
from gateway.ledger.schema import audit, events
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
        told = [other for other in search.told_by(connection, event["group"]) if other["id"] != identity]
        _refuse(event, told, force=force)
        now = ledger.now(connection)
        after = {
            "status": "waiting",
            "reason": None,
            "due_at": now,
            "tries": 0,
            "waits_for": None,
            "lumail_event_id": None,
            "settled_at": None,
            "step": "post",
            "doubted_at": None,
            "reads": 0,
            "read_cursor": None,
            "candidates": None,
            "found_by_read": False,
        }
        connection.execute(update(events).where(events.c.id == identity).values(after))
        strangers.forget(connection, event["destination"], event["subscriber"])
        lines.refresh(connection, event["destination"], [(event["lane"], event["subscriber"])])
        wake(connection, event["destination"], now)
        before = {name: event[name] for name in ("status", "reason", "tries", "lumail_event_id")}
        _note(connection, now, who, "replay event", identity, before, {"status": "waiting", "forced": force})
    return ReplayedEvent(identity, event["destination"], event["status"], now)


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
        _note(connection, ledger.now(connection), who, "replay webhook", identity, before, after)
    return ReplayedWebhook(row["outcome"], recorded)


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


def _refuse(event: search.Row, told: list[search.Row], *, force: bool) -> None:
    """Raise CommandError where the event must not be sent (again). `told` are the other events of its fact."""
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
    other = next((one for one in told if one["status"] in LIVE), None)
    if other is not None:
        raise CountedTwiceError(
            f"{identity} tells the same fact as {other['id']}, which is {other['status']}. Sent as well, {TWICE}"
        )


def _as_it_came(row: search.Row) -> VerifiedWebhook:
    """A kept webhook: its signature was proven when it came, and is not kept."""
    webhook = Webhook(row["source"], row["url"], Headers(row["headers"]), row["body"], row["received_at"])
    return VerifiedWebhook(webhook, secret=None, signed_at=None)


def _note(
    connection: Connection,
    at: datetime,
    who: str,
    action: str,
    subject: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> None:
    connection.execute(
        insert(audit).values(
            id=new_id("au"),
            at=at,
            who=who[:200],
            action=action,
            subject=subject,
            before=dict(before),
            after=dict(after),
        )
    )
