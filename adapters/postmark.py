"""Postmark: one event a webhook, proven by a shared secret; Postmark signs nothing.

events:   https://postmarkapp.com/developer/webhooks/bounce-webhook (its neighbours have the other record types)
security: https://postmarkapp.com/developer/webhooks/webhooks-overview

What deactivates an address is told twice, as a bounce or complaint and as a change of the subscription, and is one
fact: both name it by message and recipient. The address stands in `Email` of some record types, in `Recipient` of the
others. Nothing tells a machine's open from a person's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.errors import PayloadError
from gateway.translation import bounce, json_body, key, mail, moment
from gateway.translation.adapter import Adapter, Context, Docs, Handlers, SourceEvent, Translation, translated
from gateway.translation.payload import Email, Flag, PayloadSchema, Text
from gateway.translation.shared_secret import SharedSecretOptions, shared_secret
from gateway.translation.webhook import VerifiedWebhook

_NO_MESSAGE = "00000000-0000-0000-0000-000000000000"

_TIMES = {
    "Delivery": "DeliveredAt",
    "Bounce": "BouncedAt",
    "SpamComplaint": "BouncedAt",
    "Open": "ReceivedAt",
    "Click": "ReceivedAt",
    "SubscriptionChange": "ChangedAt",
}


class OptionsSchema(mail.MailOptions, SharedSecretOptions):
    """`machine_opens` has no effect here: Postmark marks none."""


def split(verified: VerifiedWebhook) -> Sequence[SourceEvent]:
    """A webhook is one event; of a bounce the bounce's type belongs to its name, of a change the reason. Raises
    PayloadError.
    """
    told = json_body.an_object(verified.json, "the body")
    record = told.get("RecordType", "Inbound" if "FromFull" in told else None)
    if not isinstance(record, str):
        raise PayloadError("the webhook has no RecordType")
    at = moment.from_iso(told.get(_TIMES[record])) if record in _TIMES else verified.webhook.received_at
    id_ = told.get("ID")
    return [
        SourceEvent(
            id=str(id_) if isinstance(id_, int) and 0 < id_ < 10**40 else None,
            type=_type(record, told),
            occurred_at=at,
            payload=told,
        )
    ]


def _type(record: str, told: Mapping[str, Any]) -> str:
    if record == "Bounce":
        return f"Bounce.{told.get('Type')}"[:200]
    if record == "SubscriptionChange":
        change = told.get("SuppressionReason") if told.get("SuppressSending") is True else "Reactivation"
        return f"SubscriptionChange.{change}"[:200]
    return record


def delivery_id(verified: VerifiedWebhook) -> str | None:
    """`X-PM-Webhook-Trace-Id` stays the same in the retries of one event."""
    trace = verified.headers.get("X-PM-Webhook-Trace-Id", "").strip()
    try:
        told = verified.json
    except PayloadError:
        return None
    record = told.get("RecordType") if isinstance(told, dict) else None
    return f"{record}:{trace}" if trace and isinstance(record, str) else None


class MailSchema(PayloadSchema):
    recipient = Email(required=True, data_key="Recipient")
    message_id = Text(data_key="MessageID")
    tag = Text(data_key="Tag")
    received_at = Text(data_key="ReceivedAt")


class ClickSchema(MailSchema):
    url = Text(required=True, data_key="OriginalLink")
    location = Text(data_key="ClickLocation")


class ChangeSchema(MailSchema):
    changed_at = Text(required=True, data_key="ChangedAt")
    stream = Text(data_key="MessageStream")
    suppressed = Flag(required=True, data_key="SuppressSending")
    origin = Text(data_key="Origin")


class BounceSchema(PayloadSchema):
    recipient = Email(required=True, data_key="Email")
    message_id = Text(data_key="MessageID")
    tag = Text(data_key="Tag")
    subject = Text(data_key="Subject")
    details = Text(data_key="Details")
    description = Text(data_key="Description")
    inactive = Flag(data_key="Inactive")


handlers = Handlers()


@handlers.on("Delivery", schema=MailSchema)
def delivered(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delivered(_mail(told, event, _of_message(told, event, "delivery")), context)


@handlers.on("Open", schema=MailSchema)
def opened(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    name = key.composed("Open", told["message_id"], told["recipient"], told["received_at"])
    return mail.opened(_mail(told, event, name), context)


@handlers.on("Click", schema=ClickSchema)
def clicked(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    happening = (told["message_id"], told["recipient"], told["received_at"], told["url"], told["location"])
    return mail.clicked(_mail(told, event, key.composed("Click", *happening)), context, told["url"])


# Bounces by `Type`: what is wrong with the address, and how far the message came.
# https://postmarkapp.com/developer/api/bounce-api#bounce-types
BOUNCES = {
    "HardBounce": (bounce.HARD, "sent"),
    "SoftBounce": (bounce.SOFT, "sent"),
    "DnsError": (bounce.SOFT, "sent"),
    "Unknown": (bounce.UNDETERMINED, "sent"),  # a bounce that Postmark can't classify
    "Blocked": (bounce.SOFT, "blocked"),  # for its content or its sender's reputation
    "SpamNotification": (bounce.SOFT, "blocked"),  # a filter's judgement, not a person's complaint
    "VirusNotification": (bounce.SOFT, "blocked"),
    "DMARCPolicy": (bounce.SOFT, "blocked"),
    "BadEmailAddress": (bounce.HARD, "rejected"),  # not an address
    "ManuallyDeactivated": (bounce.UNDETERMINED, "rejected"),
    "Unconfirmed": (bounce.UNDETERMINED, "rejected"),
    "SMTPApiError": (bounce.SOFT, "rejected"),  # the message was at fault
    "TemplateRenderingFailed": (bounce.SOFT, "rejected"),
}


@handlers.on(*(f"Bounce.{name}" for name in BOUNCES), schema=BounceSchema)
def bounced(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    kind, stage = BOUNCES[event.type.removeprefix("Bounce.")]
    words = bounce.diagnostic(told["details"])
    name = _of_message(told, event, "HardBounce") if told["inactive"] else _of_bounce(told, event)
    translation = mail.bounced(
        _mail(told, event, name),
        context,
        kind=bounce.judge(kind, words),
        reason=words or told["description"],
        stage=stage,
    )
    return _richer(translation)


@handlers.on("Bounce.Transient", schema=BounceSchema)
def delayed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delayed(_mail(told, event, _of_bounce(told, event)), context)


@handlers.on("SpamComplaint", "Bounce.SpamComplaint", schema=BounceSchema)
def complained(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return _richer(mail.complained(_mail(told, event, _of_message(told, event, "SpamComplaint")), context))


@handlers.on("Bounce.Unsubscribe", schema=BounceSchema)
def unsubscribed_by_reply(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.unsubscribed(_mail(told, event, _of_bounce(told, event)), context, "asked for by reply")


@handlers.on("SubscriptionChange.HardBounce", schema=ChangeSchema)
def suppressed_after_bounce(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    about = _mail(told, event, _of_message(told, event, "HardBounce"))
    return mail.bounced(about, context, kind=bounce.HARD, reason="suppressed after a hard bounce")


@handlers.on("SubscriptionChange.SpamComplaint", schema=ChangeSchema)
def suppressed_after_complaint(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.complained(_mail(told, event, _of_message(told, event, "SpamComplaint")), context)


@handlers.on("SubscriptionChange.ManualSuppression", schema=ChangeSchema)
def unsubscribed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """By the recipient, the customer (somebody at the sender's, or the API) or an admin (somebody at Postmark)."""
    origin = f"suppressed by the {told['origin'].lower()}" if told["origin"] else None
    return mail.unsubscribed(_mail(told, event, _of_change(told)), context, origin)


@handlers.on("SubscriptionChange.Reactivation", schema=ChangeSchema)
def resubscribed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.subscribed(_mail(told, event, _of_change(told)), context)


IGNORED = {
    "Inbound": "mail that came in",
    "Bounce.AddressChange": "an answer by machine or by hand, not a failed delivery",
    "Bounce.AutoResponder": "an answer by machine, not a failed delivery",
    "Bounce.ChallengeVerification": "a filter asks the sender to prove himself; the message is not lost yet",
    "Bounce.InboundError": "mail that came in",
    "Bounce.OpenRelayTest": "a mail server's test of Postmark",
    "Bounce.Subscribe": "a reply that asks for mail is no confirmed consent",
}


def _mail(told: Mapping[str, Any], event: SourceEvent, name: str) -> mail.Mail:
    return mail.Mail(
        subscriber=told["recipient"],
        email_id=_message_id(told) or name,
        key=name,
        occurred_at=event.occurred_at,
        campaign=told["tag"] or None,
        subject=told.get("subject"),
    )


def _message_id(told: Mapping[str, Any]) -> str | None:
    """None where Postmark fills in zeros: a change that no message caused."""
    return told["message_id"] if told["message_id"] and told["message_id"] != _NO_MESSAGE else None


def _of_message(told: Mapping[str, Any], event: SourceEvent, what: str) -> str:
    """The key of what happens to a message once for each recipient."""
    message_id = _message_id(told)
    if message_id is None:
        return key.composed(what, told["recipient"], moment.to_iso(event.occurred_at))
    return f"{what}:{message_id}:{told['recipient']}"


def _of_bounce(told: Mapping[str, Any], event: SourceEvent) -> str:
    return f"bounce:{event.id}" if event.id else _of_message(told, event, event.type)


def _of_change(told: Mapping[str, Any]) -> str:
    return key.composed("change", told["stream"], told["recipient"], told["changed_at"], told["suppressed"])


def _richer(translation: Translation) -> Translation:
    """Bounce and complaint tell more (subject, the server's words) than the change of the subscription they cause."""
    return translated(*(replace(made, detail_rank=1) for made in translation.events))


adapter = Adapter(
    name="postmark",
    title="Postmark",
    docs=Docs(
        events="https://postmarkapp.com/developer/webhooks/bounce-webhook",
        security="https://postmarkapp.com/developer/webhooks/webhooks-overview",
    ),
    scheme=shared_secret,
    split=split,
    handlers=handlers,
    ignored=IGNORED,
    options=OptionsSchema,
    delivery_id=delivery_id,
)
