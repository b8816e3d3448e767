"""Mailgun: one event a webhook, signed inside the body; the forms of old accounts say the same.

events:   https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads
security: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks

The signature covers a time and a token, not the event. So the token is the delivery's id, and good for one event: a
second body under it is a duplicate if it names that event, and refused if not. An event's `id` is unique within a day
only, so the day belongs to the key.
`failed` is told apart by its severity, as the webhooks `permanent_fail` and `temporary_fail` are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from email.utils import getaddresses
from hashlib import sha256
from typing import Any

from marshmallow import fields

from adapters.mailgun import legacy
from adapters.mailgun.body_signature import SIGNATURE_FIELDS, BodySignature, form_fields, token
from gateway.errors import PayloadError, SignatureError
from gateway.translation import bounce, json_body, key, mail, moment, person
from gateway.translation.adapter import Adapter, Context, Docs, Handlers, SourceEvent, Translation, translated
from gateway.translation.payload import Email, Part, PayloadSchema, Text
from gateway.translation.webhook import VerifiedWebhook

SCHEME = BodySignature()

_BY_SEVERITY = {"permanent": "permanent_fail", "temporary": "temporary_fail"}


def split(verified: VerifiedWebhook) -> Sequence[SourceEvent]:
    """A webhook is one event. Raises PayloadError."""
    told = _event_data(verified)
    event = told.get("event")
    if not isinstance(event, str):
        raise PayloadError("the webhook names no event")
    severity = told.get("severity")
    if event == "failed" and isinstance(severity, str) and severity in _BY_SEVERITY:
        event = _BY_SEVERITY[severity]
    flags = told.get("flags")
    flags = flags if isinstance(flags, dict) else {}
    id_ = told.get("id")
    return [
        SourceEvent(
            id=id_ if isinstance(id_, str) and id_ else None,
            type="routed" if flags.get("is-routed") is True else event,
            occurred_at=moment.from_unix(told.get("timestamp")),
            payload=told,
            test=flags.get("is-test-mode") is True,
        )
    ]


def _event_data(verified: VerifiedWebhook) -> Mapping[str, Any]:
    if verified.body.lstrip().startswith(b"{"):
        return json_body.an_object(json_body.an_object(verified.json, "the body").get("event-data"), "event-data")
    told = form_fields(verified.webhook)
    if any(name == "body-plain" for name, _ in told) and all(name != "event" for name, _ in told):
        return {"event": "routed", "timestamp": dict(told).get("timestamp")}  # a message that a route forwards
    return legacy.event_data(told)


def delivery_id(verified: VerifiedWebhook) -> str | None:
    return token(verified.webhook)


def single_use(verified: VerifiedWebhook) -> tuple[str, str] | None:
    unique = token(verified.webhook)
    return None if unique is None else (unique, _event_name(verified))


def _event_name(verified: VerifiedWebhook) -> str:
    """The event's id; of a form, which has none, and of whatever else what it says."""
    try:
        told = _event_data(verified)
    except (PayloadError, SignatureError):
        told = {}
    id_ = told.get("id")
    if verified.body.lstrip().startswith(b"{"):
        return f"id:{id_}" if isinstance(id_, str) and id_ else f"body:{sha256(verified.body).hexdigest()}"
    said = [field for field in form_fields(verified.webhook) if field[0] not in SIGNATURE_FIELDS]
    return f"form:{sha256(repr(said).encode('utf-8', 'surrogatepass')).hexdigest()}"


class HeadersSchema(PayloadSchema):
    message_id = Text(data_key="message-id")
    subject = Text()
    to = Text()


class MessageSchema(PayloadSchema):
    headers = Part(HeadersSchema)


class CampaignSchema(PayloadSchema):
    id = Text()
    name = Text()


class EventSchema(PayloadSchema):
    recipient = Email()
    message = Part(MessageSchema)
    campaigns = fields.List(fields.Nested(CampaignSchema), load_default=list, allow_none=True)
    tags = fields.List(Text(), load_default=list, allow_none=True)


class MailSchema(EventSchema):
    recipient = Email(required=True)


class ClientSchema(PayloadSchema):
    bot = fields.Raw(load_default=None, allow_none=True)


class OpenSchema(MailSchema):
    client = Part(ClientSchema, data_key="client-info")


class ClickSchema(OpenSchema):
    url = Text(required=True)


class StatusSchema(PayloadSchema):
    code = Text()
    enhanced_code = Text(data_key="enhanced-code")
    message = Text()
    description = Text()
    bounce_type = Text(data_key="bounce-type")


class FailSchema(MailSchema):
    reason = Text()
    status = Part(StatusSchema, data_key="delivery-status")


class RefusalSchema(PayloadSchema):
    reason = Text()
    description = Text()


class RejectSchema(EventSchema):
    reject = Part(RefusalSchema)


class ListSchema(PayloadSchema):
    address = Text()


class UnsubscribeSchema(MailSchema):
    mailing_list = Part(ListSchema, data_key="mailing-list")


handlers = Handlers()


@handlers.on("accepted", schema=MailSchema)
def accepted(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.sent(_mail(told, event), context)


@handlers.on("delivered", schema=MailSchema)
def delivered(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delivered(_mail(told, event), context)


@handlers.on("temporary_fail", schema=FailSchema)
def delayed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delayed(_mail(told, event), context)


# `client-info.bot` is apple, gmail or generic (a scanner); empty where no machine was found out.
# https://documentation.mailgun.com/docs/mailgun/user-manual/tracking-messages/open-click-bot-detect
@handlers.on("opened", schema=OpenSchema)
def opened(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.opened(_mail(told, event), context, machine=bool(told["client"]["bot"]))


@handlers.on("clicked", schema=ClickSchema)
def clicked(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.clicked(_mail(told, event), context, told["url"], machine=bool(told["client"]["bot"]))


# Why Mailgun gave up, and how far it came. A reason that is not here says only that it did.
# https://github.com/mailgun/mailgun-go/blob/master/events/enums.go
REASONS = {
    "bounce": (bounce.HARD, "sent"),
    "hardfail": (bounce.HARD, "sent"),
    "old": (bounce.SOFT, "sent"),  # tried until the time for it was over
    "greylisted": (bounce.SOFT, "sent"),
    "generic": (bounce.UNDETERMINED, "sent"),
    "espblock": (bounce.SOFT, "blocked"),
    "blacklisted": (bounce.SOFT, "blocked"),
    "suppress-bounce": (bounce.HARD, "rejected"),  # bounced before; not tried again
    "suppress-complaint": (bounce.UNDETERMINED, "rejected"),
    "suppress-unsubscribe": (bounce.UNDETERMINED, "rejected"),
}
BOUNCE_TYPES = {"hard": bounce.HARD, "soft": bounce.SOFT}


@handlers.on("permanent_fail", schema=FailSchema)
def bounced(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    status = told["status"]
    kind, stage = REASONS.get(told["reason"] or "", (bounce.UNDETERMINED, "sent"))
    label = BOUNCE_TYPES.get(status["bounce_type"] or "", kind) if stage == "sent" else kind
    words = bounce.diagnostic(status["message"] or status["description"])
    return mail.bounced(
        _mail(told, event),
        context,
        kind=bounce.judge(label, status["enhanced_code"], words, status["code"]),
        reason=bounce.reason(words or told["reason"], status["code"]),
        stage=stage,
    )


@handlers.on("rejected", schema=RejectSchema)
def rejected(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """Mailgun did not take the message: it, not the address, was at fault. Of recipients only the header tells."""
    addresses = [address for _, address in getaddresses([told["message"]["headers"]["to"] or ""])]
    people = dict.fromkeys(filter(None, map(person.email, [told["recipient"]] if told["recipient"] else addresses)))
    if not people:
        raise PayloadError("rejected, but no recipient is told")
    about, reason = _mail(told, event), bounce.reason(told["reject"]["reason"] or told["reject"]["description"])
    made = [
        mail.bounced(
            replace(about, subscriber=who, key=f"{about.key}:{who}"),
            context,
            kind=bounce.SOFT,
            reason=reason,
            stage="rejected",
        )
        for who in people
    ]
    return translated(*(one for translation in made for one in translation.events))


@handlers.on("complained", schema=MailSchema)
def complained(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.complained(_mail(told, event), context)


@handlers.on("unsubscribed", schema=UnsubscribeSchema)
def unsubscribed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """From a mailing list, a tag or, where the tag is `*`, from all mail of the domain."""
    address = told["mailing_list"]["address"]
    about = _mail({**told, "tags": [tag for tag in told["tags"] or [] if tag != "*"]}, event)
    return mail.unsubscribed(about, context, f"mailing list {address}" if address else None)


IGNORED = {
    "routed": "mail that came in and was passed on by a route",
    "stored": "mail that came in",
    "list_member_uploaded": "an upload of addresses is no consent",
    "list_member_upload_error": "about an upload of addresses",
    "list_uploaded": "about an upload of addresses",
    "email_validation": "about the form of an address, not about an e-mail",
}


def _mail(told: Mapping[str, Any], event: SourceEvent) -> mail.Mail:
    headers = told["message"]["headers"]
    campaign = told["campaigns"][0] if told["campaigns"] else {"id": None, "name": None}
    tag = next(filter(None, told["tags"] or []), None)
    name = _key(told, event)
    return mail.Mail(
        subscriber=told["recipient"],
        email_id=(headers["message_id"] or "").strip("<>") or event.id or name,
        key=name,
        occurred_at=event.occurred_at,
        campaign=campaign["id"] or tag,
        campaign_name=campaign["name"],
        subject=headers["subject"],
    )


def _key(told: Mapping[str, Any], event: SourceEvent) -> str:
    if event.id:
        return f"event:{event.occurred_at:%Y-%m-%d}:{event.id}"
    message_id = told["message"]["headers"]["message_id"]
    return key.composed(event.type, told["recipient"], event.occurred_at, message_id, told.get("url"))


adapter = Adapter(
    name="mailgun",
    title="Mailgun",
    docs=Docs(
        events="https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads",
        security="https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks",
    ),
    scheme=lambda options: SCHEME,
    split=split,
    handlers=handlers,
    ignored=IGNORED,
    options=mail.MailOptions,
    delivery_id=delivery_id,
    single_use=single_use,
)
