"""What a person writes in place of what a webhook told: checked as a translation is, kept beside the original, sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from gateway.errors import CommandError
from gateway.events import DATA_SCHEMAS, EventType, decode_data, encode_data, lane_of
from gateway.ledger.accounts import audit
from gateway.ledger.accounts.audit import Deed
from gateway.ledger.database import Ledger
from gateway.ledger.event import EventChange
from gateway.ledger.identity import new_id
from gateway.ledger.outbox import duplicates
from gateway.ledger.schema import edits
from gateway.ledger.status import Status
from gateway.ledger.views import search
from gateway.replay.sending import as_new, change, known_event, needless, refusal, refuse, stood

EDITABLE = (Status.HELD, Status.FAILED)


@dataclass(frozen=True)
class Edit:
    """What an event is to say from now on; None leaves the subscriber, or the data, as it is."""

    subscriber: str | None = None
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Edited:
    """An event that waits as it was edited; `before` and `after` hold its subscriber and data."""

    id: str
    was: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    due_at: datetime


class EditError(CommandError):
    """What was written can't be sent; `faults` are texts by the name of the field."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{name}: {text}" for name, text in faults.items()))


def edit_event(ledger: Ledger, identity: str, edit: Edit, who: str, *, force: bool = False) -> Edited:
    """Let a held or failed event say something else, and send it.

    Its identity, type, keys and group stay, so the webhooks that told its fact are known still; the original is kept.
    Raises EditError where Lumail would refuse it, CommandError where the event can't be edited, and
    CountedTwiceError where Lumail has or may have it; that one `force` sends all the same.
    """
    with ledger.read() as connection:
        found = known_event(connection, identity)
    with ledger.write([found.destination]) as connection:
        event = known_event(connection, identity)
        if event.status not in EDITABLE:
            raise CommandError(f"{identity} {needless(event)}; only a held or failed event can be edited")
        before = {"subscriber": event.subscriber, "data": decode_data(event.data)}
        after = _checked(event.type, edit, before)
        refuse(
            refusal(replace(event, subscriber=after["subscriber"]), duplicates.duplicates_of(connection, event)),
            force=force,
        )
        now = ledger.now(connection)
        columns: EventChange = {
            **as_new(now),
            "subscriber": after["subscriber"],
            "data": encode_data(after["data"]),
            "lane": lane_of(event.type, after["data"]),
            "edited_at": now,
            "named_by": None,
            "after": None,
            "release_at": None,
        }
        change(connection, event, columns, now)
        connection.execute(
            insert(edits).values(id=new_id("ed"), event=identity, at=now, who=who[:200], before=before, after=after)
        )
        was = {**stood(event), **before}
        audit.record(connection, now, Deed(who, "edit event", identity), was, {"status": Status.WAITING, **after})
    return Edited(identity, event.status, before, after, now)


def faults_of_edit(event_type: EventType, edit: Edit, before: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with an edit of an event that said `before`, by field; empty where nothing is."""
    found: dict[str, str] = {}
    subscriber = before["subscriber"] if edit.subscriber is None else _address(edit.subscriber)
    if subscriber is None:
        found["subscriber"] = "an event is about somebody: write the e-mail address"
    elif not _is_address(subscriber):
        found["subscriber"] = "not an e-mail address"
    return found if edit.data is None else found | _faults_of_data(event_type, edit.data)


def _faults_of_data(event_type: EventType, data: Mapping[str, Any]) -> dict[str, str]:
    try:
        written = _as_stored(data)
    except (TypeError, ValueError) as error:
        return {"data": str(error)}
    schema = DATA_SCHEMAS[event_type]
    wrong: dict[str, Any] = schema.validate(written)
    if wrong:
        return {name: " ".join(map(str, texts)) for name, texts in wrong.items()}
    loaded = schema.load(written)
    return {
        name: "write it without quotation marks" for name, value in written.items() if loaded.get(name, value) != value
    }


def _as_stored(data: Mapping[str, Any]) -> dict[str, Any]:
    return decode_data(encode_data(data))


def edits_of(connection: Connection, identity: str) -> Sequence[search.Row]:
    """The edits of an event, the oldest first: its `before` is what the webhook told."""
    query = select(edits).where(edits.c.event == identity).order_by(edits.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def _checked(event_type: EventType, edit: Edit, before: Mapping[str, Any]) -> dict[str, Any]:
    faults = faults_of_edit(event_type, edit, before)
    if faults:
        raise EditError(faults)
    return {
        "subscriber": before["subscriber"] if edit.subscriber is None else _address(edit.subscriber),
        "data": before["data"] if edit.data is None else _as_stored(edit.data),
    }


def _address(text: str) -> str:
    return text.strip().lower()


def _is_address(text: str) -> bool:
    name, _, host = text.partition("@")
    return bool(name) and bool(host) and "@" not in host and text.isprintable() and " " not in text
