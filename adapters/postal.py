"""Postal's webhooks: one event of one e-mail in each request, from a mail server that the operator may run himself.

events:   https://docs.postalserver.io/developer/webhooks
security: https://github.com/postalserver/postal/blob/main/lib/postal/http.rb

The documentation shows the inner `payload` only; around it stand `event`, `timestamp` (seconds with a fraction) and
`uuid`, which is the same in each of the tries (app/services/webhook_delivery_service.rb). Since version 3 Postal signs
twice, with SHA-1 and with SHA-256; where there is the stronger signature, it alone counts.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

from gateway.errors import PayloadError
from gateway.translation import bounce, json_body, mail, moment, schemes
from gateway.translation.adapter import (
    Adapter,
    Context,
    Docs,
    Handlers,
    PayloadHandler,
    SourceEvent,
    Translation,
    Unreadable,
    ignored,
)
from gateway.translation.payload import Email, Part, PayloadSchema, Text
from gateway.translation.signature import HASHED, KeyPair, Signed, Unproven
from gateway.translation.webhook import VerifiedWebhook, Webhook

SHA1 = schemes.Rsa(header="X-Postal-Signature", digest="sha1")
SHA256 = schemes.Rsa(header="X-Postal-Signature-256", digest="sha256")


@dataclass(frozen=True)
class PostalSignature:
    """The same RSA key signs the body twice; an older Postal has only the SHA-1 signature."""

    @property
    def tolerance(self) -> timedelta | None:
        return None

    @property
    def proof_headers(self) -> tuple[str, ...]:
        return (SHA1.header, SHA256.header)

    @property
    def signs_body(self) -> bool:
        return True

    @property
    def unproven(self) -> Unproven:
        return HASHED

    def check_secret(self, secret: str) -> str | None:
        return SHA256.check_secret(secret)

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        strongest = SHA256 if SHA256.header in webhook.headers else SHA1
        return strongest.verify(webhook, secret)

    def sign(self, webhook: Webhook, signing: str, at: datetime) -> Webhook:
        return SHA256.sign(SHA1.sign(webhook, signing, at), signing, at)

    def generate(self) -> KeyPair:
        return SHA256.generate()


SCHEME = PostalSignature()


def split(verified: VerifiedWebhook) -> Sequence[SourceEvent | Unreadable]:
    told = json_body.an_object(verified.json, "the body")
    event_type, uuid, payload = told.get("event"), told.get("uuid"), told.get("payload")
    if not isinstance(event_type, str) or not isinstance(payload, dict):
        raise PayloadError("the body is no event: it has no `event` or no `payload`")
    bounced_later = isinstance(payload.get("bounce"), dict)  # whatever `event` says: MessageDelayed was seen with one
    event = SourceEvent(
        id=uuid if isinstance(uuid, str) and uuid else None,
        type="MessageBounced" if bounced_later else event_type,
        occurred_at=moment.from_unix(told.get("timestamp")),
        payload=payload,
    )
    return [event]


def delivery_id(verified: VerifiedWebhook) -> str | None:
    try:
        uuid = json_body.an_object(verified.json, "the body").get("uuid")
    except PayloadError:
        return None
    return uuid if isinstance(uuid, str) and uuid else None


class MessageSchema(PayloadSchema):
    to = Email(required=True)
    direction = Text()
    id = Text()
    message_id = Text()
    subject = Text()
    tag = Text()


class MailSchema(PayloadSchema):
    message = Part(MessageSchema)


class LinkSchema(MailSchema):
    url = Text(required=True)


class DeliverySchema(MailSchema):
    details = Text()
    output = Text()


class ReturnedSchema(PayloadSchema):
    subject = Text()


class BounceSchema(PayloadSchema):
    original_message = Part(MessageSchema)
    bounce = Part(ReturnedSchema)
    details = Text()
    output = Text()


def of_mail_sent(handler: PayloadHandler) -> PayloadHandler:
    """Postal tells the same of mail that it received and handed on; that is about nobody's mailbox."""

    @wraps(handler)
    def told_of_mail_sent(told: Any, event: SourceEvent, context: Context) -> Translation:
        if (told.get("original_message") or told["message"])["direction"] == "incoming":
            return ignored("mail that was received, not sent")
        return handler(told, event, context)

    return told_of_mail_sent


handlers = Handlers()


@handlers.on("MessageSent", schema=MailSchema)
@of_mail_sent
def delivered(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delivered(_mail(told["message"], event), context)


@handlers.on("MessageDelayed", schema=MailSchema)
@of_mail_sent
def delayed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delayed(_mail(told["message"], event), context)


# How the details of a failure begin that is none of the address, see app/lib/message_dequeuer of Postal.
FAILURES = {
    "Maximum number of delivery attempts": (bounce.SOFT, "sent"),
    "Message is likely spam": (bounce.SOFT, "rejected"),
    "Message's domain no longer exist": (bounce.SOFT, "rejected"),  # the sender's
}


@handlers.on("MessageDeliveryFailed", schema=DeliverySchema)
@of_mail_sent
def failed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    details = told["details"] or ""
    found = next((said for opening, said in FAILURES.items() if details.startswith(opening)), None)
    label, stage = found or (bounce.HARD, "sent")
    kind, reason = bounce.judge(label, told["output"], details), told["output"] or details
    return mail.bounced(_mail(told["message"], event), context, kind=kind, reason=reason, stage=stage)


@handlers.on("MessageBounced", schema=BounceSchema)
@of_mail_sent
def bounced(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """Given back after it had been taken. Postal tells no code, only that an e-mail came back and its subject."""
    reason = told["output"] or told["details"] or told["bounce"]["subject"]
    kind = bounce.judge(bounce.UNDETERMINED, told["output"], told["details"])
    return mail.bounced(_mail(told["original_message"], event), context, kind=kind, reason=reason)


_SUPPRESSED = re.compile(r"Recipient \(.*\) is on the suppression list(?: \(reason: ([^)]*)\))?")
SUPPRESSIONS = {"too many hard fails": bounce.HARD, "too many soft fails": bounce.SOFT}


@handlers.on("MessageHeld", schema=DeliverySchema)
@of_mail_sent
def held(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """Held back until a person releases it, which nobody does for an address that Postal suppresses."""
    about = _mail(told["message"], event)
    suppressed = _SUPPRESSED.match(told["details"] or "")
    if suppressed is None:
        return mail.delayed(about, context)
    kind = SUPPRESSIONS.get(suppressed[1], bounce.UNDETERMINED)  # an address can be put on the list for any reason
    return mail.bounced(about, context, kind=kind, reason=told["details"], stage="rejected")


@handlers.on("MessageLoaded", schema=MailSchema)
@of_mail_sent
def opened(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.opened(_mail(told["message"], event), context)


@handlers.on("MessageLinkClicked", schema=LinkSchema)
@of_mail_sent
def clicked(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.clicked(_mail(told["message"], event), context, told["url"])


IGNORED = {
    "DomainDNSError": "about a domain of the Postal server, not about a subscriber",
    "SendLimitApproaching": "about the Postal server, not about a subscriber",
    "SendLimitExceeded": "about the Postal server, not about a subscriber",
}


def _mail(message: Mapping[str, Any], event: SourceEvent) -> mail.Mail:
    if not event.id:
        raise PayloadError("an event without `uuid`")
    return mail.Mail(
        subscriber=message["to"],
        email_id=message["message_id"] or message["id"] or event.id,
        key=f"event:{event.id}",
        occurred_at=event.occurred_at,
        campaign=message["tag"] or None,
        subject=message["subject"],
    )


adapter = Adapter(
    name="postal",
    title="Postal",
    docs=Docs(
        events="https://docs.postalserver.io/developer/webhooks",
        security="https://github.com/postalserver/postal/blob/main/lib/postal/http.rb",
    ),
    scheme=lambda options: SCHEME,
    split=split,
    handlers=handlers,
    ignored=IGNORED,
    options=mail.MailOptions,
    delivery_id=delivery_id,
)
