"""A kept webhook translated once more with today's adapter: what would come of it, and doing it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from gateway.errors import CommandError
from gateway.events import LumailEvent, decode_data
from gateway.intake.accept import submission
from gateway.intake.route import Route
from gateway.ledger import words
from gateway.ledger.accounts import audit
from gateway.ledger.accounts.audit import Deed
from gateway.ledger.database import Ledger
from gateway.ledger.facts.memory import reader
from gateway.ledger.facts.submission import Item, Recorded, Submission
from gateway.ledger.recording.commit import record_group
from gateway.ledger.status import LIVE, Outcome, Status, is_final
from gateway.ledger.views import search
from gateway.translation.webhook import Headers, VerifiedWebhook, Webhook


@dataclass(frozen=True)
class ReplayedWebhook:
    """A webhook that was translated again: `recorded` counts its source events, `was` is its former outcome."""

    was: str
    recorded: Recorded


def replay_webhook(ledger: Ledger, routes: Mapping[str, Route], identity: str, who: str) -> ReplayedWebhook:
    """Translate a kept webhook again with today's adapter and add what was missing.

    It goes where it went at first. Raises CommandError where it can't be translated any more.
    """
    row = kept(ledger, identity)
    again = translated_again(ledger, routes, row)
    with ledger.write([row["destination"]]) as connection:
        (recorded,) = record_group(connection, ledger, [again])
        before = {name: row[name] for name in ("outcome", "quarantined")}
        after = {"outcome": recorded.word, "quarantined": recorded.quarantined, "events": list(recorded.events)}
        audit.record(connection, ledger.now(connection), Deed(who, "replay webhook", identity), before, after)
    return ReplayedWebhook(row["outcome"], recorded)


def translated_again(ledger: Ledger, routes: Mapping[str, Route], row: search.Row) -> Submission:
    """What the ledger is to record of a kept webhook (`row`) by today's adapter and configuration.

    Raises CommandError where it can't be translated any more.
    """
    identity = row["id"]
    if row["body"] is None:
        raise CommandError(f"the body of {identity} is not kept any more, so it can't be translated again")
    route = routes.get(row["source"])
    if route is None:
        raise CommandError(f"{identity} came to the source {row['source']}, which is not configured or not enabled")
    route = replace(route, source=replace(route.source, destination=row["destination"]))
    return submission(route, _as_it_came(row), reader(ledger, row["destination"]), existing_webhook=identity)


class Verdict(StrEnum):
    """What a second translation does with one source event, or with one event that it makes of it."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    DELIVERED = "already delivered"
    NEVER = "dropped for good"
    TAUGHT = Outcome.TAUGHT
    IGNORED = Outcome.IGNORED
    NOT_UNDERSTOOD = "still not understood"


@dataclass(frozen=True)
class Difference:
    """A field that is told otherwise than it was; None where it is missing."""

    field: str
    was: Any
    now: Any


@dataclass(frozen=True)
class Foreseen:
    """What becomes of one source event, or of one of its events.

    `source_event` is its position in the webhook, `type` the provider's word for it, `event` the event concerned with
    its Lumail type. Of a changed event `differences` are taken over; of one that is delivered, or on its way, they are
    what today's adapter says otherwise, and nothing is sent.
    """

    source_event: int
    type: str
    verdict: Verdict
    reason: str | None = None
    reason_code: str | None = None
    event: str | None = None
    lumail_type: str | None = None
    lane: int | None = None
    subscriber: str | None = None
    data: Mapping[str, Any] | None = None
    status: str | None = None
    differences: tuple[Difference, ...] = ()


def preview_webhook(ledger: Ledger, routes: Mapping[str, Route], identity: str) -> tuple[Foreseen, ...]:
    """What `replay_webhook` would do: it is done and taken back, so nothing stays and nothing is guessed.

    Raises CommandError where it can't be translated any more.
    """
    return foresee(ledger, translated_again(ledger, routes, kept(ledger, identity)))


def foresee(ledger: Ledger, again: Submission) -> tuple[Foreseen, ...]:
    """What recording this would do, one entry for each event, or for a source event that makes none."""
    names = [key for told in again.translated_items for fact in told.events for key in fact.keys]
    with ledger.write([again.destination]) as connection:
        before = _by_id(search.events_by_keys(connection, again.destination, names))
        with connection.begin_nested() as trial:
            (recorded,) = record_group(connection, ledger, [again])
            found = [
                one
                for position, item in enumerate(recorded.items)
                for one in _foreseen(connection, again, position, item, before)
            ]
            trial.rollback()
    return tuple(found)


_WITHOUT_EVENTS = {
    Outcome.TAUGHT: Verdict.TAUGHT,
    Outcome.IGNORED: Verdict.IGNORED,
    Outcome.QUARANTINED: Verdict.NOT_UNDERSTOOD,
}


def _foreseen(
    connection: Connection, again: Submission, position: int, item: Item, before: Mapping[str, search.Row]
) -> list[Foreseen]:
    told = again.translated_items[position]
    if item.word in _WITHOUT_EVENTS:
        return [Foreseen(position, told.type, _WITHOUT_EVENTS[item.word], item.reason)]
    made = [search.event(connection, identity) for identity in item.events]
    found = [_about(Foreseen(position, told.type, Verdict.NEW), event) for event in made if event is not None]
    for fact in told.events:
        known = search.events_by_keys(connection, again.destination, fact.keys)
        if not any(event["id"] in item.events for event in known):
            found.append(_merged(Foreseen(position, told.type, Verdict.UNCHANGED), fact, known, before))
    return found


def _merged(
    one: Foreseen, fact: LumailEvent, known: Sequence[search.Row], before: Mapping[str, search.Row]
) -> Foreseen:
    """What becomes of a fact that is known."""
    final = next((one for one in known if is_final(one["status"], one["reason"], one["former_reason"])), None)
    live = next((event for event in known if event["status"] in LIVE), final)
    if live is None:
        return one
    one = _about(one, live)
    was = before.get(live["id"], live)
    changed = _differences(was["subscriber"], was["data"], live["subscriber"], live["data"])
    if changed:
        return replace(one, verdict=Verdict.CHANGED, differences=changed)
    otherwise = _differences(live["subscriber"], live["data"], fact.subscriber or live["subscriber"], fact.encoded)
    if live is final:
        return replace(one, verdict=Verdict.NEVER)
    if live["status"] == Status.DELIVERED:
        return replace(one, verdict=Verdict.DELIVERED, differences=otherwise)
    return replace(one, differences=otherwise)


def _about(one: Foreseen, event: search.Row) -> Foreseen:
    return replace(
        one,
        event=event["id"],
        lumail_type=event["type"],
        lane=event["lane"],
        subscriber=event["subscriber"],
        data=decode_data(event["data"]),
        status=event["status"],
        reason=words.of_event(event),
        reason_code=event["reason"],
    )


def _differences(
    subscriber: str | None, data: str, subscriber_now: str | None, data_now: str
) -> tuple[Difference, ...]:
    was, now = decode_data(data), decode_data(data_now)
    found = [Difference("subscriber", subscriber, subscriber_now)] if subscriber != subscriber_now else []
    names = dict.fromkeys([*was, *now])
    found += [Difference(name, was.get(name), now.get(name)) for name in names if was.get(name) != now.get(name)]
    return tuple(found)


def _by_id(found: Sequence[search.Row]) -> dict[str, search.Row]:
    return {event["id"]: event for event in found}


def kept(ledger: Ledger, identity: str) -> search.Row:
    with ledger.read() as connection:
        row = search.webhook(connection, identity)
    if row is None:
        raise CommandError(f"no webhook {identity}: `lumail-gateway webhooks list` shows those that are kept")
    return row


def _as_it_came(row: search.Row) -> VerifiedWebhook:
    """A kept webhook: its signature was proven when it came, and is not kept."""
    webhook = Webhook(row["source"], row["url"], Headers(row["headers"]), row["body"], row["received_at"])
    return VerifiedWebhook(webhook, secret=None, signed_at=None)
