"""What became of an e-mail, in Lumail's words: alike whichever provider tells it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marshmallow import Schema, fields, validate

from gateway.events import EventType, LumailEvent
from gateway.translation import moment
from gateway.translation.adapter import Context, Translation, ignored, translated


class MailOptions(Schema):
    """The options of every source that tells about e-mail.

    `machine_opens`: what to do with opens and clicks of which the provider says that no person made them (privacy
    proxies that load every picture, scanners that follow every link): `mark` them in the data, or `drop` them.
    """

    machine_opens = fields.String(load_default="mark", validate=validate.OneOf(["mark", "drop"]))


@dataclass(frozen=True)
class Mail:
    """The e-mail and recipient that a source event is about.

    `key` names the happening, `<kind>:<id>`, equal in every repetition of it. `campaign` is the provider's campaign,
    broadcast, tag or category; where it is None and Lumail demands one, the source's name stands in for it.
    """

    subscriber: str
    email_id: str
    key: str
    occurred_at: datetime
    campaign: str | None = None
    campaign_name: str | None = None
    subject: str | None = None


def sent(mail: Mail, context: Context) -> Translation:
    """The provider took it."""
    return _about(EventType.EMAIL_SENT, mail, campaignId=mail.campaign or context.source)


def delivered(mail: Mail, context: Context) -> Translation:
    """The recipient's mail server took it."""
    at = moment.to_iso(mail.occurred_at)
    return _about(EventType.EMAIL_RECEIVED, mail, campaignId=mail.campaign or context.source, receivedAt=at)


def delayed(mail: Mail, context: Context) -> Translation:
    """Not taken yet; the provider goes on trying."""
    return _about(EventType.EMAIL_DELIVERY_DELAYED, mail)


def opened(mail: Mail, context: Context, *, machine: bool = False) -> Translation:
    return _by_reader(EventType.EMAIL_OPENED, mail, context, machine)


def clicked(mail: Mail, context: Context, url: str, *, link: str | None = None, machine: bool = False) -> Translation:
    """`link` is the provider's id of the link, where it has one."""
    return _by_reader(EventType.EMAIL_CLICKED, mail, context, machine, targetUrl=url, linkId=link)


def bounced(mail: Mail, context: Context, *, kind: str, reason: str | None, stage: str = "sent") -> Translation:
    """`kind` is one of `bounce`'s, `reason` the mail server's own words.

    `stage`: `sent`, the recipient's server gave it back; `blocked`, it was refused for what the sender or the message
    is; `rejected`, the provider did not even try.
    """
    told = reason or "no reason told"
    return _about(EventType.EMAIL_BOUNCED, mail, reason=told, bounceType=kind, bounceStage=stage)


def complained(mail: Mail, context: Context) -> Translation:
    return _about(EventType.EMAIL_COMPLAINED, mail)


def unsubscribed(mail: Mail, context: Context, reason: str | None = None) -> Translation:
    data = {"reason": reason, "campaignId": mail.campaign, "campaignName": mail.campaign_name}
    return translated(_event(EventType.UNSUBSCRIBED, mail, data))


def subscribed(mail: Mail, context: Context) -> Translation:
    return translated(_event(EventType.SUBSCRIBED, mail, {}))


def _by_reader(kind: EventType, mail: Mail, context: Context, machine: bool, **data: Any) -> Translation:
    if machine and context.options.get("machine_opens") == "drop":
        return ignored("no person did it, and machine_opens is drop")
    return _about(kind, mail, **data, machine=True if machine else None)


def _about(kind: EventType, mail: Mail, **data: Any) -> Translation:
    named = {"emailId": mail.email_id, "campaignId": mail.campaign, "subject": mail.subject or ""}
    return translated(_event(kind, mail, named | data))


def _event(kind: EventType, mail: Mail, data: Mapping[str, Any]) -> LumailEvent:
    """Members of `data` that are None are left out."""
    return LumailEvent(
        type=kind,
        subscriber=mail.subscriber,
        data={name: value for name, value in data.items() if value is not None},
        occurred_at=mail.occurred_at,
        keys=(mail.key,),
    )
