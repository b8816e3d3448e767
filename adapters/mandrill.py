"""Mandrill (Mailchimp Transactional): forms with batches of events, signed together with the URL that they are sent to.

events:   https://mailchimp.com/developer/transactional/docs/webhooks/
security: https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/#authenticating-webhook-requests

No time is signed and a request has no id: what an event says of itself is its key. The `_id` of an event is that of
the message to one recipient.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_urlsafe
from typing import Any

from marshmallow import fields, validate

from gateway.errors import PayloadError, RejectionCause, SignatureError
from gateway.translation import bounce, form, json_body, key, mail, moment
from gateway.translation.adapter import (
    Adapter,
    Context,
    Docs,
    Handlers,
    SourceEvent,
    Translation,
    Unreadable,
)
from gateway.translation.payload import Email, First, Part, PayloadSchema, Text, Whole
from gateway.translation.schemes import reading
from gateway.translation.signature import KeyPair, Reads, Signed, Unproven
from gateway.translation.webhook import VerifiedWebhook, Webhook

HEADER = "X-Mandrill-Signature"
FIELD = "mandrill_events"
URL_CHECK_KEY = "test-webhook"
"""Signs the look at a URL for which Mandrill has not made a key yet."""

MOST_FIELDS = 100


class Options(mail.MailOptions):
    """`url`: the URL as it was entered at Mandrill, to the letter, where it is not the gateway's own address."""

    url = fields.String(load_default=None, validate=validate.Regexp(r"https?://\S+\Z"))


@dataclass(frozen=True)
class FormSignature:
    """Base64 HMAC-SHA1 of the URL and each form field's name and value, sorted by name, with nothing between them."""

    url: str | None = None

    @property
    def tolerance(self) -> None:
        return None

    @property
    def signs_body(self) -> bool:
        return True

    @property
    def unproven(self) -> Unproven:
        return Unproven(Reads.CONTENT)

    @property
    def proof_headers(self) -> tuple[str, ...]:
        return (HEADER,)

    def check_secret(self, secret: str) -> str | None:
        return reading.check_text(secret)

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        given = reading.decoded(reading.header(webhook, HEADER), "base64")
        reading.match(self._signature(webhook, secret), [given], HEADER)
        return Signed()

    def sign(self, webhook: Webhook, signing: str, at: datetime) -> Webhook:
        return webhook.with_headers({HEADER: reading.encoded(self._signature(webhook, signing), "base64")})

    def generate(self) -> KeyPair:
        return reading.symmetric(token_urlsafe(16))

    def _signature(self, webhook: Webhook, secret: str) -> bytes:
        try:
            told = dict(form.pairs(webhook.body, MOST_FIELDS))
        except PayloadError as error:
            raise SignatureError(RejectionCause.MALFORMED, str(error)) from error
        signing = hmac.new(secret.encode(), (self.url or webhook.url).encode(), "sha1")
        for name in sorted(told):
            signing.update(name)
            signing.update(told[name])
        return signing.digest()


def probe(webhook: Webhook, secrets: Sequence[str], options: Mapping[str, Any]) -> bool:
    """Whether this is Mandrill's look at the URL: an empty batch, signed with the source's key or the common one."""
    told = webhook.body.strip()
    if len(told) > 100 or not re.fullmatch(rb"mandrill_events=(?:\[|%5B)(?:\]|%5D)", told, re.IGNORECASE):
        return False
    scheme = FormSignature(options.get("url"))
    return any(_is_signed(scheme, webhook, secret) for secret in (*secrets, URL_CHECK_KEY) if secret)


def _is_signed(scheme: FormSignature, webhook: Webhook, secret: str) -> bool:
    try:
        scheme.verify(webhook, secret)
    except SignatureError:
        return False
    return True


def split(verified: VerifiedWebhook) -> Sequence[SourceEvent | Unreadable]:
    if FIELD not in verified.form:
        raise PayloadError(f"the form has no field {FIELD}")
    batch = json_body.load(verified.form[FIELD].encode("utf-8", "replace"))
    if not isinstance(batch, list):
        raise PayloadError(f"{FIELD} is not an array of events")
    return [_source_event(position, item) for position, item in enumerate(batch)]


def _source_event(position: int, item: object) -> SourceEvent | Unreadable:
    # what is about a list of the account, and not about a message, has a `type` in the place of `event`
    kind = item.get("event", item.get("type")) if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(kind, str):
        return Unreadable(f"item {position} is no event: it has neither `event` nor `type`")
    try:
        occurred_at = moment.from_unix(item.get("ts"))
    except PayloadError as error:
        return Unreadable(f"item {position}: ts is {error}")
    return SourceEvent(id=None, type=kind, occurred_at=occurred_at, payload=item)


class MessageSchema(PayloadSchema):
    _id = Text()
    email = Email(required=True)
    subject = Text()
    tags = First()
    diag = Text()
    bounce_description = Text()
    bgtools_code = Whole()


class EventSchema(PayloadSchema):
    _id = Text()
    msg = Part(MessageSchema)
    ip = Text()
    user_agent = Text()


class UserAgentSchema(PayloadSchema):
    type = Text()


class OpenSchema(EventSchema):
    user_agent_parsed = Part(UserAgentSchema)


class ClickSchema(OpenSchema):
    url = Text(required=True)


handlers = Handlers()


@handlers.on("send", schema=EventSchema)
def sent(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.sent(_mail(told, event), context)


@handlers.on("delivered", schema=EventSchema)
def delivered(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delivered(_mail(told, event), context)


@handlers.on("deferral", schema=EventSchema)
def deferred(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delayed(_mail(told, event), context)


@handlers.on("open", schema=OpenSchema)
def opened(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.opened(_mail(told, event), context, machine=_is_robot(told))


@handlers.on("click", schema=ClickSchema)
def clicked(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.clicked(_mail(told, event), context, told["url"], machine=_is_robot(told))


LABELS = {"hard_bounce": bounce.HARD, "soft_bounce": bounce.SOFT}

# bgtools_code, what Mandrill's reader of bounces made of it:
# https://boogietools.com/Products/Linux/BounceStudioAPI/Email-Bounce-Boogie-Bounce-API-Categories.asp
BLOCKS = frozenset({50, 51, 52, 53, 54})  # refused for the sender, spam, an attachment, relaying


@handlers.on("hard_bounce", "soft_bounce", schema=EventSchema)
def bounced(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    words = bounce.diagnostic(told["msg"]["diag"])
    return mail.bounced(
        _mail(told, event),
        context,
        kind=bounce.judge(LABELS[event.type], words),
        reason=words or told["msg"]["bounce_description"],
        stage="blocked" if told["msg"]["bgtools_code"] in BLOCKS else "sent",
    )


@handlers.on("reject", schema=EventSchema)
def rejected(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    # why is not told: an earlier bounce, complaint or unsubscription, a rule of the account, an unsigned sender …
    words = bounce.diagnostic(told["msg"]["diag"]) or told["msg"]["bounce_description"]
    reason = words or "rejected by Mandrill before sending"
    return mail.bounced(_mail(told, event), context, kind=bounce.UNDETERMINED, reason=reason, stage="rejected")


@handlers.on("spam", schema=EventSchema)
def complained(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.complained(_mail(told, event), context)


@handlers.on("unsub", schema=EventSchema)
def unsubscribed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.unsubscribed(_mail(told, event), context)


_OF_THE_ACCOUNT = "about a list of the account; what led to it is told by events of its own"

# The lists were renamed in the documentation, not in every request.
IGNORED = {
    "blacklist": _OF_THE_ACCOUNT,
    "denylist": _OF_THE_ACCOUNT,
    "whitelist": _OF_THE_ACCOUNT,
    "safelist": _OF_THE_ACCOUNT,
    "allowlist": _OF_THE_ACCOUNT,
    "inbound": "mail that came in, not mail that was sent",
}


def _is_robot(told: Mapping[str, Any]) -> bool:
    return (told["user_agent_parsed"]["type"] or "").lower() == "robot"


def _mail(told: Mapping[str, Any], event: SourceEvent) -> mail.Mail:
    message = told["msg"]
    email_id = message["_id"] or told["_id"]
    facts = (event.type, email_id, message["email"], event.occurred_at, message["diag"])
    name = key.composed(*facts, told.get("url"), told["ip"], told["user_agent"])
    return mail.Mail(
        subscriber=message["email"],
        email_id=email_id or name,
        key=name,
        occurred_at=event.occurred_at,
        campaign=message["tags"],
        subject=message["subject"],
    )


adapter = Adapter(
    name="mandrill",
    title="Mandrill",
    docs=Docs(
        events="https://mailchimp.com/developer/transactional/docs/webhooks/",
        security="https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/#authenticating-webhook-requests",
    ),
    scheme=lambda options: FormSignature(options.get("url")),
    split=split,
    handlers=handlers,
    ignored=IGNORED,
    options=Options,
    probe=probe,
)
