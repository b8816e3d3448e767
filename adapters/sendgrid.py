"""SendGrid's Event Webhook: arrays of what became of each e-mail.

events:   https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
security: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features

A POST is tried again for 24 hours (…/tracking-events/troubleshooting), and whether each try is signed anew is not
said: so that long a signature is believed, and `sg_event_id` stops what comes twice.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from marshmallow import fields

from gateway.errors import PayloadError
from gateway.translation import bounce, key, mail, moment, schemes
from gateway.translation.adapter import (
    Adapter,
    Context,
    Docs,
    Handlers,
    SourceEvent,
    Translation,
    Unreadable,
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
def processed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.sent(_mail(told, event), context)


@handlers.on("delivered", schema=MailSchema)
def delivered(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delivered(_mail(told, event), context)


@handlers.on("deferred", schema=MailSchema)
def deferred(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delayed(_mail(told, event), context)


@handlers.on("open", schema=OpenSchema)
def opened(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    # a machine open is Apple Mail Privacy Protection's
    return mail.opened(_mail(told, event), context, machine=bool(told["sg_machine_open"]))


@handlers.on("click", schema=ClickSchema)
def clicked(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.clicked(_mail(told, event), context, told["url"], link=told["url_offset"]["index"])


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
def bounced(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    blocked = told["type"] == "blocked"  # refused for now; SendGrid goes on sending to such an address
    label = bounce.SOFT if blocked else CLASSIFICATIONS.get((told["bounce_classification"] or "").lower(), bounce.HARD)
    return mail.bounced(
        _mail(told, event),
        context,
        kind=bounce.judge(label, told["status"], told["reason"]),
        reason=bounce.reason(told["reason"], told["status"]) or told["bounce_classification"],
        stage="blocked" if blocked else "sent",
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
def dropped(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.bounced(
        _mail(told, event),
        context,
        kind=DROP_REASONS.get((told["reason"] or "").lower(), bounce.UNDETERMINED),
        reason=bounce.reason(told["reason"], told["status"]),
        stage="rejected",
    )


@handlers.on("spamreport", schema=MailSchema)
def complained(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.complained(_mail(told, event), context)


@handlers.on("unsubscribe", schema=MailSchema)
def unsubscribed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.unsubscribed(_mail(told, event), context)


@handlers.on("group_unsubscribe", schema=GroupSchema)
def left_group(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    group = told["asm_group_id"]
    return mail.unsubscribed(_mail(told, event), context, f"unsubscribe group {group}" if group else None)


@handlers.on("group_resubscribe", schema=MailSchema)
def resubscribed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.subscribed(_mail(told, event), context)


IGNORED = {
    "account_status_change": "about the SendGrid account, not about a subscriber",
}


def _mail(told: Mapping[str, Any], event: SourceEvent) -> mail.Mail:
    return mail.Mail(
        subscriber=told["email"],
        email_id=_email_id(told, event),
        key=_key(told, event),
        occurred_at=event.occurred_at,
        campaign=told["singlesend_id"] or told["marketing_campaign_id"] or told["category"] or None,
        campaign_name=told["singlesend_name"] or told["marketing_campaign_name"],
        subject=told["subject"],
    )


def _key(told: Mapping[str, Any], event: SourceEvent) -> str:
    """`sg_event_id` names the happening in every repetition; old accounts leave it out, then its content does."""
    if event.id:
        return f"event:{event.id}"
    at = event.occurred_at.isoformat()
    return key.composed(event.type, told["email"], at, told["sg_message_id"], told.get("url"))


# `14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0`, `euo2iKxdSayPF4YE4--I7A.recvd-5f54b5d587-pczjm-1-67BADEEA-6.0`:
# what stands before the sending machine is the X-Message-Id of the request; one id for all recipients and events.
_MACHINE = re.compile(r"\.[a-z]*(?:filter|recvd|recv|ismtpd)")


def _email_id(told: Mapping[str, Any], event: SourceEvent) -> str:
    """The message's id. An asynchronous bounce has none (see the reference), at most that of the SMTP conversation."""
    full: str | None = told["sg_message_id"]
    if full:
        machine = _MACHINE.search(full)
        return full[: machine.start()] if machine else full.partition(".")[0]
    smtp_id: str = told["smtp_id"] or ""
    return smtp_id.strip("<>").partition("@")[0] or event.id or _key(told, event)


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
    options=mail.MailOptions,
)
