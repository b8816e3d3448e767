"""SendGrid's Event Webhook: arrays of what became of each e-mail.

events:   https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
security: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features

A POST is tried again for 24 hours (…/tracking-events/troubleshooting), and whether each try is signed anew is not
said: so that long a signature is believed, and `sg_event_id` stops what comes twice.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from marshmallow import Schema, fields

from gateway.errors import PayloadError
from gateway.events import EventType, LumailEvent
from gateway.translation import bounce, moment, schemes
from gateway.translation.adapter import (
    Adapter,
    Context,
    Docs,
    Handlers,
    SourceEvent,
    Translation,
    Unreadable,
    translated,
)
from gateway.translation.payload import Email, Flag, Part, PayloadSchema, Text
from gateway.translation.webhook import VerifiedWebhook

SCHEME = schemes.Ecdsa(
    header="X-Twilio-Email-Event-Webhook-Signature",
    timestamp_header="X-Twilio-Email-Event-Webhook-Timestamp",
    tolerance=timedelta(hours=24),
)


def split(verified: VerifiedWebhook) -> Sequence[SourceEvent | Unreadable]:
    batch = verified.json
    if not isinstance(batch, list):
        raise PayloadError("the body is not an array of events")
    return [_source_event(position, item) for position, item in enumerate(batch)]


def _source_event(position: int, item: object) -> SourceEvent | Unreadable:
    if not isinstance(item, dict) or not isinstance(item.get("event"), str):
        return Unreadable(f"item {position} is no event: it has no `event`")
    try:
        occurred_at = moment.from_unix(item.get("timestamp"))
    except PayloadError as error:
        return Unreadable(f"item {position}: timestamp is {error}")
    id_ = item.get("sg_event_id")
    return SourceEvent(
        id=id_ if isinstance(id_, str) and id_ else None,
        type=item["event"].lower(),  # the reference has "Processed" in one place
        occurred_at=occurred_at,
        payload=item,
    )


class CategoryField(fields.Field[str]):
    """`category` is a text or an array of texts: the first counts."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        first = value[0] if isinstance(value, list) and value else value
        return first if isinstance(first, str) and first else None


class MailSchema(PayloadSchema):
    email = Email(required=True)
    sg_message_id = Text()
    smtp_id = Text(data_key="smtp-id")
    subject = Text()  # only as a custom argument
    category = CategoryField(load_default=None, allow_none=True)
    marketing_campaign_id = Text()
    marketing_campaign_name = Text()
    singlesend_id = Text()
    singlesend_name = Text()


class OpenSchema(MailSchema):
    sg_machine_open = Flag()


class LinkSchema(PayloadSchema):
    index = Text()


class ClickSchema(MailSchema):
    url = Text(required=True)
    url_offset = Part(LinkSchema)


class BounceSchema(MailSchema):
    type = Text()
    bounce_classification = Text()
    reason = Text()
    status = Text()


class GroupSchema(MailSchema):
    asm_group_id = Text()


handlers = Handlers()


@handlers.on("processed", schema=MailSchema)
def processed(mail: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return _told(EventType.EMAIL_SENT, mail, event, campaignId=_campaign(mail) or context.source)


@handlers.on("delivered", schema=MailSchema)
def delivered(mail: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return _told(
        EventType.EMAIL_RECEIVED,
        mail,
        event,
        campaignId=_campaign(mail) or context.source,
        receivedAt=moment.to_iso(event.occurred_at),
    )


@handlers.on("deferred", schema=MailSchema)
def deferred(mail: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return _told(EventType.EMAIL_DELIVERY_DELAYED, mail, event, campaignId=_campaign(mail))


@handlers.on("open", schema=OpenSchema)
def opened(mail: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    machine = True if mail["sg_machine_open"] else None  # Apple Mail Privacy Protection
    return _told(EventType.EMAIL_OPENED, mail, event, campaignId=_campaign(mail), machine=machine)


@handlers.on("click", schema=ClickSchema)
def clicked(mail: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return _told(
        EventType.EMAIL_CLICKED,
        mail,
        event,
        campaignId=_campaign(mail),
        targetUrl=mail["url"],
        linkId=mail["url_offset"]["index"],
    )


# Bounces of `type` bounce, which the reference calls permanent; what is not here says no more than that.
# https://www.twilio.com/docs/sendgrid/ui/analytics-and-reporting/bounce-and-block-classifications
CLASSIFICATIONS = {
    "invalid address": bounce.HARD,
    "mailbox unavailable": bounce.SOFT,  # full, suspended or over its quota
    "content": bounce.SOFT,  # this message, not the address
    "reputation": bounce.SOFT,  # the sender, not the address
    "frequency or volume too high": bounce.SOFT,
    "frequency/volume": bounce.SOFT,
}


@handlers.on("bounce", schema=BounceSchema)
def bounced(mail: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    blocked = mail["type"] == "blocked"  # refused for now; SendGrid goes on sending to such an address
    label = bounce.SOFT if blocked else CLASSIFICATIONS.get((mail["bounce_classification"] or "").lower(), bounce.HARD)
    return _told(
        EventType.EMAIL_BOUNCED,
        mail,
        event,
        campaignId=_campaign(mail),
        reason=bounce.reason(mail["reason"], mail["status"]) or mail["bounce_classification"] or "no reason told",
        bounceType=bounce.judge(label, mail["status"], mail["reason"]),
        bounceStage="blocked" if blocked else "sent",
    )


# Why SendGrid did not even try; a reason that is not here leaves open what is wrong with the address.
DROP_REASONS = {
    "bounced address": bounce.HARD,  # bounced before, and is on the suppression list since
    "invalid address": bounce.HARD,
    "invalid": bounce.HARD,
    "spam content": bounce.SOFT,
    "invalid smtpapi header": bounce.SOFT,
    "recipient list over package quota": bounce.SOFT,
}


@handlers.on("dropped", schema=BounceSchema)
def dropped(mail: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return _told(
        EventType.EMAIL_BOUNCED,
        mail,
        event,
        campaignId=_campaign(mail),
        reason=bounce.reason(mail["reason"], mail["status"]) or "no reason told",
        bounceType=DROP_REASONS.get((mail["reason"] or "").lower(), bounce.UNDETERMINED),
        bounceStage="rejected",
    )


@handlers.on("spamreport", schema=MailSchema)
def complained(mail: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return _told(EventType.EMAIL_COMPLAINED, mail, event, campaignId=_campaign(mail))


@handlers.on("unsubscribe", "group_unsubscribe", schema=GroupSchema)
def unsubscribed(mail: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    group = mail["asm_group_id"] if event.type == "group_unsubscribe" else None
    data = {
        "reason": f"unsubscribe group {group}" if group else None,
        "campaignId": _campaign(mail),
        "campaignName": mail["singlesend_name"] or mail["marketing_campaign_name"],
    }
    return translated(_event(EventType.UNSUBSCRIBED, mail, event, data))


@handlers.on("group_resubscribe", schema=MailSchema)
def resubscribed(mail: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return translated(_event(EventType.SUBSCRIBED, mail, event, {}))


IGNORED = {
    "account_status_change": "about the SendGrid account, not about a subscriber",
}


def _told(kind: EventType, mail: Mapping[str, Any], event: SourceEvent, **data: Any) -> Translation:
    """One event about an e-mail; members of `data` that are None are left out."""
    named = {"emailId": _email_id(mail, event), "subject": mail["subject"] or ""}
    return translated(_event(kind, mail, event, named | data))


def _event(kind: EventType, mail: Mapping[str, Any], event: SourceEvent, data: Mapping[str, Any]) -> LumailEvent:
    return LumailEvent(
        type=kind,
        subscriber=mail["email"],
        data={name: value for name, value in data.items() if value is not None},
        occurred_at=event.occurred_at,
        keys=(_key(mail, event),),
    )


def _key(mail: Mapping[str, Any], event: SourceEvent) -> str:
    """`sg_event_id` names the happening in every repetition; old accounts leave it out, then its content does."""
    if event.id:
        return f"event:{event.id}"
    told = (event.type, mail["email"], event.occurred_at.isoformat(), mail["sg_message_id"], mail.get("url"))
    return "event:" + hashlib.sha256(repr(told).encode()).hexdigest()[:32]


# `14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0`, `euo2iKxdSayPF4YE4--I7A.recvd-5f54b5d587-pczjm-1-67BADEEA-6.0`:
# what stands before the sending machine is the X-Message-Id of the request; one id for all recipients and events.
_MACHINE = re.compile(r"\.[a-z]*(?:filter|recvd|recv|ismtpd)")


def _email_id(mail: Mapping[str, Any], event: SourceEvent) -> str:
    """The message's id. An asynchronous bounce has none (see the reference), at most that of the SMTP conversation."""
    full: str | None = mail["sg_message_id"]
    if full:
        machine = _MACHINE.search(full)
        return full[: machine.start()] if machine else full.partition(".")[0]
    smtp_id: str = mail["smtp_id"] or ""
    return smtp_id.strip("<>").partition("@")[0] or event.id or _key(mail, event)


def _campaign(mail: Mapping[str, Any]) -> str | None:
    campaign: str | None = mail["singlesend_id"] or mail["marketing_campaign_id"] or mail["category"]
    return campaign or None


adapter = Adapter(
    name="sendgrid",
    title="Twilio SendGrid",
    docs=Docs(
        events="https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event",
        security="https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features",
    ),
    scheme=lambda options: SCHEME,
    split=split,
    handlers=handlers,
    ignored=IGNORED,
    options=Schema,
)
