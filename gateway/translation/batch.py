"""How a webhook of several items, or of one, splits into source events: alike for every provider, by parameters."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from gateway.errors import PayloadError
from gateway.translation.adapter import SourceEvent, TimedBy, Unreadable
from gateway.translation.item import Item
from gateway.translation.webhook import VerifiedWebhook

Kind = Callable[[Item], str | None]
"""The source event type of an item; None where it tells none."""


def in_body(verified: VerifiedWebhook) -> Iterable[object]:
    """The items of a body that is an array of them, or a single one. Raises PayloadError."""
    if isinstance(verified.json, list):
        return verified.json
    if isinstance(verified.json, dict):
        return [verified.json]
    raise PayloadError("the body is neither an event nor an array of events")


def under(name: str) -> Callable[[VerifiedWebhook], Iterable[object]]:
    """The items of an array that is a member of the body."""

    def found(verified: VerifiedWebhook) -> Iterable[object]:
        items = verified.json.get(name) if isinstance(verified.json, dict) else None
        if not isinstance(items, list):
            raise PayloadError(f"the body has no array `{name}`")
        return items

    return found


@dataclass(frozen=True)
class Batch:
    """What `Adapter.split` is for providers whose webhooks are items.

    `type` is where an item tells its type, or a function that does; `id` and `times` are where it may tell the id of
    the happening and when it was (in `zone`, where it tells no offset). An item without a time happened when the
    webhook was signed, else when it arrived.
    `items` gives the items, each an object or whatever stands in its place; it raises PayloadError where the body as a
    whole can't be read. `test` is where an item says that it is one of the provider's tests.
    """

    type: str | Kind
    id: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    zone: tzinfo | None = None
    items: Callable[[VerifiedWebhook], Iterable[object]] = in_body
    test: str | None = None

    def __call__(self, verified: VerifiedWebhook) -> Sequence[SourceEvent | Unreadable]:
        return [self._source_event(place, told, verified) for place, told in enumerate(self.items(verified))]

    def _source_event(self, place: int, told: object, verified: VerifiedWebhook) -> SourceEvent | Unreadable:
        item = Item(told if isinstance(told, dict) else {})
        kind = item.text(self.type) if isinstance(self.type, str) else self.type(item)
        if not kind:
            where = f"no `{self.type}`" if isinstance(self.type, str) else "no type"
            return Unreadable(f"item {place} is no event: it has {where}")
        at, timed_by = item.time(*self.times, zone=self.zone), TimedBy.ITEM
        if at is None:
            at, timed_by = verified.signed_at, TimedBy.ENVELOPE
        if at is None:
            at, timed_by = verified.webhook.received_at, TimedBy.ARRIVAL
        test = self.test is not None and item.flag(self.test) is True
        return SourceEvent(item.id(*self.id), kind[:200], at, item.payload, test=test, timed_by=timed_by)
