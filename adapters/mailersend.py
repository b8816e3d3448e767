"""MailerSend's webhooks: one activity of one e-mail in each request.

events:   https://developers.mailersend.com/api/v1/account/webhooks
security: https://developers.mailersend.com/api/v1/account/webhooks#security

Version 2 of the payload (https://www.mailersend.com/whats-new/webhooks-v2) is flat; version 1, sent until 2026-12-01,
nests the same under `email`. Where the reference calls the recipient `email`, real webhooks of version 2 say
`recipient` (https://github.com/symfony/symfony/pull/65589): both are read. A webhook can be saved at MailerSend only
if its URL takes a ping, signed with a secret that is printed in the reference, since the real one is not made yet.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from gateway.errors import PayloadError, SignatureError
from gateway.translation import bounce, json_body, mail, moment, schemes
from gateway.translation.adapter import Adapter, Context, Docs, Handlers, SourceEvent, Translation, Unreadable
from gateway.translation.payload import Email, First, Part, PayloadSchema, Text
from gateway.translation.webhook import VerifiedWebhook, Webhook

SCHEME = schemes.Hmac(header="Signature")

PING = "webhook.test"
PING_SECRET = "test_Am3L1GuOIc4blLUuHqAPxxwkZaJyEk8G"  # noqa: S105 - published by MailerSend, believed for pings only


def pinged(webhook: Webhook, secrets: Sequence[str], options: Mapping[str, Any]) -> bool:
    """Whether this is the look at the URL that MailerSend takes before it saves a webhook."""
    try:
        SCHEME.verify(webhook, PING_SECRET)
        return json_body.load_object(webhook.body).get("type") == PING
    except (SignatureError, PayloadError):
        return False


def split(verified: VerifiedWebhook) -> Sequence[SourceEvent | Unreadable]:
    told = json_body.an_object(verified.json, "the body")
    event_type, data = told.get("type"), told.get("data")
    if not isinstance(event_type, str):
        raise PayloadError("the body is no event: it has no `type`")
    activity = data if isinstance(data, dict) else {}
    email = activity.get("email")
    first_version = isinstance(email, dict)
    # an activity's own time where there is one; what is not about an e-mail has no zone: "2025-08-05 22:27:14"
    at = activity.get("created_at") if first_version else told.get("created_at")
    id_ = activity.get("id")
    event = SourceEvent(
        id=id_ if isinstance(id_, str) and id_ else None,
        type=event_type,
        occurred_at=moment.from_iso(at, naive=UTC),
        payload=_flat(activity, email) if isinstance(email, dict) else {"recipient": email, **activity},
    )
    return [event]


def _flat(activity: Mapping[str, Any], email: Mapping[str, Any]) -> Mapping[str, Any]:
    """An activity of version 1 in the form of version 2."""
    message, recipient, details = email.get("message"), email.get("recipient"), activity.get("morph")
    return {
        "message_id": message.get("id") if isinstance(message, dict) else None,
        "email_id": email.get("id"),
        "recipient": recipient.get("email") if isinstance(recipient, dict) else None,
        "subject": email.get("subject"),
        "tags": email.get("tags"),
        "meta": details,
    }


class DetailsSchema(PayloadSchema):
    """What version 2 calls `meta` and version 1 `morph`."""

    url = Text()
    bounce_code = Text()
    bounce_reason = Text()
    suppression_reason = Text()
    unsubscribe_reason = Text()
    readable_reason = Text()
    reason = Text()


class ActivitySchema(PayloadSchema):
    recipient = Email(required=True)
    message_id = Text()
    email_id = Text()
    subject = Text()
    tags = First()


class DetailedSchema(ActivitySchema):
    meta = Part(DetailsSchema)  # an empty one is an empty array


handlers = Handlers()


@handlers.on("activity.sent", schema=ActivitySchema)
def sent(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.sent(_mail(told, event), context)


@handlers.on("activity.delivered", schema=ActivitySchema)
def delivered(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delivered(_mail(told, event), context)


@handlers.on("activity.deferred", schema=ActivitySchema)
def deferred(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delayed(_mail(told, event), context)


@handlers.on("activity.opened", schema=ActivitySchema)
def opened(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.opened(_mail(told, event), context)


@handlers.on("activity.clicked", schema=DetailedSchema)
def clicked(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    url = told["meta"]["url"]
    if not url:
        raise PayloadError("a click without `url`")
    return mail.clicked(_mail(told, event), context, url)


BOUNCES = {"activity.soft_bounced": bounce.SOFT, "activity.hard_bounced": bounce.HARD}


@handlers.on(*BOUNCES, schema=DetailedSchema)
def bounced(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    details = told["meta"]
    words = details["bounce_reason"] or details["reason"]
    return mail.bounced(
        _mail(told, event),
        context,
        kind=bounce.judge(BOUNCES[event.type], details["bounce_code"], words),
        reason=bounce.reason(words, details["bounce_code"]),
    )


@handlers.on("activity.suppressed", schema=DetailedSchema)  # offered when saving a webhook, missing in the reference
def suppressed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    words = told["meta"]["suppression_reason"] or told["meta"]["reason"]
    kind = bounce.judge(bounce.UNDETERMINED, words)  # it may have bounced, complained or unsubscribed
    return mail.bounced(_mail(told, event), context, kind=kind, reason=words, stage="rejected")


@handlers.on("activity.unsubscribed", schema=DetailedSchema)
def unsubscribed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    details = told["meta"]
    reason = details["unsubscribe_reason"] or details["readable_reason"] or details["reason"]
    return mail.unsubscribed(_mail(told, event), context, reason or None)


@handlers.on("activity.spam_complaint", schema=ActivitySchema)
def complained(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.complained(_mail(told, event), context)


IGNORED = {
    PING: "MailerSend tries the URL",
    "activity.opened_unique": "the first opening, which activity.opened tells as well",
    "activity.clicked_unique": "the first click, which activity.clicked tells as well",
    "activity.survey_*": "answers to a survey, for which Lumail has no word",
    "recipient.on_hold_*": "MailerSend writes or writes not to an address for a while; nothing was sent",
    "bulk_email.completed": "about a request to send, not about one e-mail",
    "email_single.verified": "about a check of addresses, not about mail",
    "email_list.*": "about a check of addresses, not about mail",
    "sender_identity.verified": "about the MailerSend account, not about a subscriber",
    "maintenance.*": "about MailerSend itself",
    "inbound*": "mail that was received, not sent",
    "sms.*": "text messages, not mail",
}


def _mail(told: Mapping[str, Any], event: SourceEvent) -> mail.Mail:
    """The type stands in the key, so that nothing depends on MailerSend's ids differing from type to type."""
    if not event.id:
        raise PayloadError("an activity without `id`")
    return mail.Mail(
        subscriber=told["recipient"],
        email_id=told["message_id"] or told["email_id"] or event.id,
        key=f"{event.type}:{event.id}",
        occurred_at=event.occurred_at,
        campaign=told["tags"],
        subject=told["subject"],
    )


adapter = Adapter(
    name="mailersend",
    title="MailerSend",
    docs=Docs(
        events="https://developers.mailersend.com/api/v1/account/webhooks",
        security="https://developers.mailersend.com/api/v1/account/webhooks#security",
    ),
    scheme=lambda options: SCHEME,
    split=split,
    handlers=handlers,
    ignored=IGNORED,
    options=mail.MailOptions,
    probe=pinged,
)
