"""Resend: one event a webhook, signed by Standard Webhooks in Svix's spelling.

events:   https://resend.com/docs/webhooks/event-types
security: https://resend.com/docs/webhooks/verify-webhooks-requests

`to` names all recipients that an event is about: each is told of by itself. Who of several opened or clicked is not
told. A permanent bounce and a complaint are told a second time as `suppression.added`: message and recipient name
both. `contact.updated` tells a state whatever changed in it, so memory knows whether the subscription did.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import fields, validate

from gateway.errors import PayloadError
from gateway.events import MemoryKey
from gateway.translation import bounce, json_body, mail, moment, schemes
from gateway.translation.adapter import (
    Adapter,
    Context,
    Docs,
    Handlers,
    Memo,
    SourceEvent,
    Translation,
    ignored,
    taught,
    translated,
)
from gateway.translation.payload import Email, First, Flag, Part, PayloadSchema, Text
from gateway.translation.webhook import VerifiedWebhook

SCHEME = schemes.StandardWebhooks(prefix="svix-")

_BY_READERS = ("email.opened", "email.clicked")


def split(verified: VerifiedWebhook) -> Sequence[SourceEvent]:
    """One source event for each recipient of an e-mail's event. Raises PayloadError."""
    told = json_body.an_object(verified.json, "the body")
    data = json_body.an_object(told.get("data"), "data")
    event = told.get("type")
    if not isinstance(event, str):
        raise PayloadError("the webhook names no type")
    at = moment.from_iso(told.get("created_at"))
    id_ = delivery_id(verified)
    recipients = data.get("to")
    if not event.startswith("email.") or event in _BY_READERS or not isinstance(recipients, list) or not recipients:
        return [SourceEvent(id_, event, at, data)]
    return [SourceEvent(id_, event, at, {**data, "to": [recipient]}) for recipient in recipients]


def delivery_id(verified: VerifiedWebhook) -> str | None:
    """`svix-id`, which the signature covers."""
    return SCHEME.message_id(verified.webhook)


class Tags(fields.Field[dict[str, str]]):
    """Tags as an object, or as the array of name and value that they were sent as."""

    def __init__(self) -> None:
        super().__init__(load_default=dict, allow_none=True)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, str]:
        if isinstance(value, list):
            pairs = [(tag.get("name"), tag.get("value")) for tag in value if isinstance(tag, dict)]
        else:
            pairs = list(value.items()) if isinstance(value, dict) else []
        return {name: text for name, text in pairs if isinstance(name, str) and isinstance(text, str) and text}


class MailSchema(PayloadSchema):
    email_id = Text(required=True)
    to = fields.List(Email(required=True), required=True, validate=validate.Length(min=1))
    subject = Text()
    broadcast_id = Text()
    tags = Tags()


class BounceSchema(PayloadSchema):
    type = Text()
    sub_type = Text(data_key="subType")
    message = Text()
    diagnostic = First(data_key="diagnosticCode")


class BouncedSchema(MailSchema):
    bounce = Part(BounceSchema)


class SuppressedSchema(MailSchema):
    suppressed = Part(BounceSchema)


class FailureSchema(PayloadSchema):
    reason = Text()


class FailedSchema(MailSchema):
    failed = Part(FailureSchema)


class LinkSchema(PayloadSchema):
    link = Text()


class ClickedSchema(MailSchema):
    click = Part(LinkSchema)


class ContactSchema(PayloadSchema):
    id = Text(required=True)
    email = Email(required=True)
    unsubscribed = Flag(required=True)


class TopicSchema(PayloadSchema):
    id = Text(required=True)
    subscription = fields.String(required=True, validate=validate.OneOf(["opt_in", "opt_out"]))


class TopicsSchema(PayloadSchema):
    email = Email(required=True)
    topics = fields.List(fields.Nested(TopicSchema), required=True)


class SuppressionSchema(PayloadSchema):
    email = Email(required=True)
    origin = Text(required=True)
    source_id = Text()


handlers = Handlers()


@handlers.on("email.sent", schema=MailSchema)
def sent(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.sent(_mail(told, event), context)


@handlers.on("email.delivered", schema=MailSchema)
def delivered(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delivered(_mail(told, event), context)


@handlers.on("email.delivery_delayed", schema=MailSchema)
def delayed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delayed(_mail(told, event), context)


@handlers.on("email.opened", schema=MailSchema)
def opened(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.opened(_mail(told, event), context) if len(told["to"]) == 1 else ignored(_WHO)


@handlers.on("email.clicked", schema=ClickedSchema)
def clicked(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    if len(told["to"]) > 1:
        return ignored(_WHO)
    if not told["click"]["link"]:
        raise PayloadError("clicked, but no link is told")
    return mail.clicked(_mail(told, event), context, told["click"]["link"])


_WHO = "the message has several recipients, and who of them it was is not told"

# https://resend.com/docs/dashboard/emails/email-bounces; without a type the event means a permanent one
BOUNCE_TYPES = {
    "": bounce.HARD,
    "Permanent": bounce.HARD,
    "Transient": bounce.SOFT,
    "Temporary": bounce.SOFT,
    "Undetermined": bounce.UNDETERMINED,
}
BOUNCE_STAGES = {
    "Suppressed": "rejected",
    "OnAccountSuppressionList": "rejected",
    "ContentRejected": "blocked",
    "AttachmentRejected": "blocked",
    "MessageRejected": "blocked",
}


@handlers.on("email.bounced", schema=BouncedSchema)
def bounced(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    about = told["bounce"]
    words = bounce.diagnostic(about["diagnostic"])
    label = BOUNCE_TYPES.get(about["type"] or "", bounce.UNDETERMINED)
    return mail.bounced(
        _mail(told, event, "bounced" if label == bounce.HARD else None),
        context,
        kind=bounce.judge(label, words),
        reason=words or about["message"],
        stage=BOUNCE_STAGES.get(about["sub_type"] or "", "sent"),
    )


@handlers.on("email.suppressed", schema=SuppressedSchema)
def suppressed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """On the suppression list, after a bounce, a complaint or by hand: which of them is not told."""
    about = told["suppressed"]
    reason = bounce.diagnostic(about["diagnostic"]) or about["message"] or about["type"]
    return mail.bounced(_mail(told, event), context, kind=bounce.UNDETERMINED, reason=reason, stage="rejected")


@handlers.on("email.failed", schema=FailedSchema)
def failed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """Resend could not send it, for the sender's or the message's sake."""
    return mail.bounced(
        _mail(told, event), context, kind=bounce.SOFT, reason=told["failed"]["reason"], stage="rejected"
    )


@handlers.on("email.complained", schema=MailSchema)
def complained(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.complained(_mail(told, event, "complained"), context)


@handlers.on("suppression.added", schema=SuppressionSchema)
def put_on_suppression_list(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    if told["origin"] not in _SUPPRESSED_BY:
        raise PayloadError(f"suppressed for an unknown cause {told['origin'][:40]!r}")
    return _SUPPRESSED_BY[told["origin"]](told, event, context)


def _after_bounce(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    about = _of_suppression(told, event, "bounced")
    return mail.bounced(about, context, kind=bounce.HARD, reason="suppressed after a bounce")


def _after_complaint(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.complained(_of_suppression(told, event, "complained"), context)


def _by_hand(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.unsubscribed(_of_suppression(told, event, "suppressed"), context, "suppressed by hand")


_SUPPRESSED_BY = {"bounce": _after_bounce, "complaint": _after_complaint, "manual": _by_hand}


@handlers.on("contact.created", "contact.updated", schema=ContactSchema)
def contact_told(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """Only a change makes an event. A new contact that is subscribed is no consent; one unsubscribed is an opt-out."""
    memory_key = MemoryKey("contact", told["id"])
    known = context.memory.recall(memory_key) or {"unsubscribed": False, "since": ""}
    since = moment.to_iso(event.occurred_at)
    memo = Memo(memory_key, {"unsubscribed": told["unsubscribed"], "since": since}, event.occurred_at)
    if known["unsubscribed"] == told["unsubscribed"] or known["since"] > since:
        return taught(memo)
    change = mail.unsubscribed if told["unsubscribed"] else mail.subscribed
    return translated(*change(_of_contact(told, event, event.id), context).events, memos=[memo])


@handlers.on("contact.topics.updated", schema=TopicsSchema)
def topics_changed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    made = [
        _topic_changed(topic, _of_contact(told, event, f"{event.id}:{topic['id']}"), context) for topic in _topics(told)
    ]
    return translated(*(one for translation in made for one in translation.events))


def _topics(told: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    topics: Sequence[Mapping[str, Any]] = told["topics"]
    if not topics:
        raise PayloadError("topics changed, but none is told")
    return topics


def _topic_changed(topic: Mapping[str, Any], about: mail.Mail, context: Context) -> Translation:
    if topic["subscription"] == "opt_in":
        return mail.subscribed(about, context)
    return mail.unsubscribed(about, context, f"topic {topic['id']}")


IGNORED = {
    "email.received": "mail that came in",
    "email.scheduled": "not sent yet",
    "contact.deleted": "to be taken off a list says nothing about consent",
    "suppression.removed": "that mail may be sent again is no consent",
    "domain.*": "about the Resend account, not about a subscriber",
    "topic.*": "about the Resend account, not about a subscriber",
    "inbox.*": "about a mailbox at Resend, not about mail to subscribers",
}


def _mail(told: Mapping[str, Any], event: SourceEvent, once: str | None = None) -> mail.Mail:
    """`once` names what happens to a message once for each recipient, however often it is told."""
    recipient = told["to"][0]
    tags = told["tags"] or {}
    return mail.Mail(
        subscriber=recipient,
        email_id=told["email_id"],
        key=f"{once}:{told['email_id']}:{recipient}" if once else f"event:{event.id}:{recipient}",
        occurred_at=event.occurred_at,
        campaign=told["broadcast_id"] or tags.get("campaign") or tags.get("category"),
        subject=told["subject"],
    )


def _of_suppression(told: Mapping[str, Any], event: SourceEvent, once: str) -> mail.Mail:
    email_id, recipient = told["source_id"] or event.id or "", told["email"]
    return mail.Mail(recipient, email_id, f"{once}:{email_id}:{recipient}", event.occurred_at)


def _of_contact(told: Mapping[str, Any], event: SourceEvent, happening: str | None) -> mail.Mail:
    """There is no e-mail: only whom it is about, and when."""
    return mail.Mail(told["email"], "", f"event:{happening}", event.occurred_at)


adapter = Adapter(
    name="resend",
    title="Resend",
    docs=Docs(
        events="https://resend.com/docs/webhooks/event-types",
        security="https://resend.com/docs/webhooks/verify-webhooks-requests",
    ),
    scheme=lambda options: SCHEME,
    split=split,
    handlers=handlers,
    ignored=IGNORED,
    options=mail.MailOptions,
    delivery_id=delivery_id,
)
