"""What became of an e-mail, in Lumail's words: alike whichever provider tells it.

An adapter reads each item into a `Mail` and has a table that says, for each of the provider's words, which of the acts
below it is. Nothing but an address and a word of the table is needed for an event: what else is missing is left out,
and what names a happening is what was told of it, never the time at which it was heard.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from marshmallow import Schema, fields, validate

from gateway.events import EventType, LumailEvent
from gateway.translation import bounce, key, moment
from gateway.translation.adapter import Context, Handler, SourceEvent, Translation, ignored, translated
from gateway.translation.bounce import BLOCKED, HARD, REJECTED, SENT, SOFT, UNDETERMINED
from gateway.translation.item import Item

__all__ = ["BLOCKED", "HARD", "REJECTED", "SENT", "SOFT", "UNDETERMINED"]


class MailOptions(Schema):
    """The options of every source that tells about e-mail.

    `machine_opens`: what to do with opens and clicks of which the provider says that no person made them (privacy
    proxies that load every picture, scanners that follow every link): `mark` them in the data, or `drop` them.
    """

    machine_opens = fields.String(load_default="mark", validate=validate.OneOf(["mark", "drop"]))


@dataclass(frozen=True)
class Mail:
    """What an item tells of an e-mail and its recipient.

    `id` is the provider's id of the message. `campaign` is its campaign, broadcast, tag or category; where it is None
    and Lumail demands one, the source's name stands in for it. `words` are the mail server's own, `status` its code
    (and `enhanced` its enhanced code, where that stands by itself); `reason` is why, in the provider's words.
    `feedback` is the type of a complaint (RFC 5965). `detail_rank` ranks two tellings of one fact.

    A happening is named by the provider's id of it. Where there is none, by type (or `happening`, one word where the
    provider has two for one fact), message, recipient, time, URL and `names`, whatever else tells it from others;
    `once` leaves out the time, of what happens to a message and recipient once; `named_twice` says that the id alone
    does not do, since one happening is told under several. `keys` replace all that.
    """

    subscriber: str
    id: str | None = None
    campaign: str | None = None
    campaign_name: str | None = None
    subject: str | None = None
    url: str | None = None
    link: str | None = None
    machine: bool = False
    words: str | None = None
    status: str | None = None
    enhanced: str | None = None
    reason: str | None = None
    feedback: str | None = None
    happening: str | None = None
    names: tuple[object, ...] = ()
    once: bool = False
    named_twice: bool = False
    keys: tuple[str, ...] = ()
    detail_rank: int = 0


@dataclass(frozen=True)
class Happening:
    """What an act is given: an item of a webhook, and the e-mail that it tells of."""

    mail: Mail
    item: Item
    event: SourceEvent
    context: Context

    def with_mail(self, mail: Mail) -> "Happening":
        return replace(self, mail=mail)

    @property
    def keys(self) -> tuple[str, ...]:
        if self.mail.keys or self.event.id is None:
            return self.mail.keys or (composed(self.mail, self.event),)
        named = f"event:{self.event.id}"
        whole = self.mail.named_twice and self.mail.id is not None and self.event.reported_at is not None
        return (named, composed(self.mail, self.event)) if whole else (named,)


Act = Callable[[Happening], Translation]
"""What a word of the provider means."""

Acts = Mapping[str, Act]
"""Words of the provider, and what each of them means."""


def handlers(read: Callable[[Item], Mail], table: Acts) -> Mapping[str, Handler]:
    """An adapter's handlers, by source event type. `read` raises PayloadError where an item does not say whose it is;
    a word may end in `*`.
    """

    def handler(act: Act) -> Handler:
        def translate(event: SourceEvent, context: Context) -> Translation:
            item = Item(event.payload)
            return act(Happening(read(item), item, event, context))

        return translate

    return {word: handler(act) for word, act in table.items()}


Word = str | Callable[[Item], str | None]
"""Where an item tells a word, or a function that finds it."""


def by(words: Word | tuple[Word, ...], acts: Acts, otherwise: Act) -> Act:
    """The act for a second word of the provider, whatever its case; of several, the first that is listed counts. A flag
    is `true` or `false`, however it is told.
    """
    known = {name.casefold(): act for name, act in acts.items()}
    places = words if isinstance(words, tuple) else (words,)

    def chosen(of: Happening) -> Translation:
        told = (word for place in places for word in _told(of.item, place))
        return next((known[word.casefold()] for word in told if word and word.casefold() in known), otherwise)(of)

    return chosen


def _told(item: Item, place: Word) -> tuple[str | None, ...]:
    if not isinstance(place, str):
        return (place(item),)
    flag = item.flag(place)
    return (item.text(place), None if flag is None else str(flag))


def untried(acts: Acts) -> Acts:
    """The same words where the provider did not even try."""
    return {
        word: Bounce(act.kind, REJECTED) if isinstance(act, Bounce) and act.stage == SENT else act
        for word, act in acts.items()
    }


def sent(of: Happening) -> Translation:
    """The provider took it."""
    return _about(EventType.EMAIL_SENT, of, campaignId=of.mail.campaign or of.context.source)


def delivered(of: Happening) -> Translation:
    """The recipient's mail server took it."""
    at = None if of.event.reported_at is None else moment.to_iso(of.event.reported_at)
    return _about(EventType.EMAIL_RECEIVED, of, campaignId=of.mail.campaign or of.context.source, receivedAt=at)


def delayed(of: Happening) -> Translation:
    """Not taken yet; the provider goes on trying."""
    return _about(EventType.EMAIL_DELIVERY_DELAYED, of)


def opened(of: Happening) -> Translation:
    return _by_reader(EventType.EMAIL_OPENED, of)


def clicked(of: Happening) -> Translation:
    return _by_reader(EventType.EMAIL_CLICKED, of, targetUrl=of.mail.url or "", linkId=of.mail.link)


@dataclass(frozen=True)
class Bounce(bounce.Verdict):
    """It came back, or never left: what the provider's word says of the address (`kind`), and how far the message came
    (`stage`), unless the mail server's code or words know better.
    """

    def __call__(self, of: Happening) -> Translation:
        found = bounce.judge(self, of.mail.enhanced, of.mail.status, of.mail.words)
        reason = bounce.reason(bounce.diagnostic(of.mail.words) or of.mail.reason, of.mail.status) or "no reason told"
        return _about(EventType.EMAIL_BOUNCED, of, reason=reason, bounceType=found.kind, bounceStage=found.stage)


NO_COMPLAINTS = {
    "not-spam": "not a complaint: it takes back that a message was spam",
    "auth-failure": "not a complaint: a server reports that a message could not be authenticated",
}
"""Feedback of mail servers (RFC 5965, RFC 6591) for which nobody complained."""


def complained(of: Happening) -> Translation:
    reason = NO_COMPLAINTS.get((of.mail.feedback or "").lower())
    return ignored(reason) if reason else _about(EventType.EMAIL_COMPLAINED, of)


def unsubscribed(of: Happening) -> Translation:
    data = {"reason": of.mail.reason, "campaignId": of.mail.campaign, "campaignName": of.mail.campaign_name}
    return _event(EventType.UNSUBSCRIBED, of, data)


def subscribed(of: Happening) -> Translation:
    """The person opted in himself; that the sender lets mail through again is no consent."""
    return _event(EventType.SUBSCRIBED, of, {})


def left_out(reason: str) -> Act:
    """Nothing, on purpose."""
    return lambda of: ignored(reason)


def composed(about: Mail, event: SourceEvent) -> str:
    """The key of a happening for which the provider has no id."""
    at = None if about.once or event.reported_at is None else moment.to_iso(event.reported_at)
    return key.composed(about.happening or event.type, about.id, about.subscriber, at, about.url, *about.names)


def _by_reader(kind: EventType, of: Happening, **data: Any) -> Translation:
    if of.mail.machine and of.context.options.get("machine_opens") == "drop":
        return ignored("no person did it, and machine_opens is drop")
    return _about(kind, of, **data, machine=True if of.mail.machine else None)


def _about(kind: EventType, of: Happening, **data: Any) -> Translation:
    email_id = of.mail.id or of.event.id or of.keys[0]
    return _event(
        kind, of, {"emailId": email_id, "campaignId": of.mail.campaign, "subject": of.mail.subject or ""} | data
    )


def _event(kind: EventType, of: Happening, data: Mapping[str, Any]) -> Translation:
    """Members of `data` that are None are left out."""
    made = LumailEvent(
        type=kind,
        subscriber=of.mail.subscriber,
        data={name: value for name, value in data.items() if value is not None},
        occurred_at=of.event.occurred_at,
        keys=of.keys,
        detail_rank=of.mail.detail_rank,
    )
    return translated(made)
