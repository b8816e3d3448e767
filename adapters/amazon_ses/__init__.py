"""Amazon SES over Amazon SNS: event publishing and feedback notifications, one message each, for many recipients.

events:   https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
          https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
security: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html

A configuration set publishes events (`eventType`), an identity notifies of feedback (`notificationType`): the contents
are alike, and where both are set up one happening is told twice. A message is split by recipient. SNS sends JSON as
text/plain, in an envelope or raw.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import fields, validate

from adapters.amazon_ses import sns
from adapters.amazon_ses.contents import (
    BouncedSchema,
    ClickedSchema,
    ComplainedSchema,
    FailedSchema,
    MailSchema,
    OpenedSchema,
    RejectedSchema,
    SubscribedSchema,
)
from gateway.errors import PayloadError
from gateway.translation import bounce, json_body, key, mail, moment
from gateway.translation.adapter import (
    Adapter,
    Context,
    Docs,
    Handlers,
    SourceEvent,
    Translation,
    Unreadable,
    ignored,
)
from gateway.translation.certificates import CertificateFile
from gateway.translation.webhook import VerifiedWebhook


class TopicField(fields.String):
    """The ARN of a topic, or `*` for any."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        told = super()._deserialize(value, attr, data, **kwargs)
        if told != sns.ANY_TOPIC and not sns.TOPIC.fullmatch(told or ""):
            raise self.make_error("topic")
        return told

    default_error_messages = {"topic": 'must be a topic, like arn:aws:sns:eu-west-1:123456789012:mail, or "*" for any'}


class Options(mail.MailOptions):
    """`topics`: whose messages are taken. `signing_certificates`: PEM files; then nothing is downloaded."""

    topics = fields.List(TopicField(), required=True, validate=validate.Length(min=1, error="is empty"))
    signing_certificates = fields.List(CertificateFile(), load_default=list)


def scheme(options: Mapping[str, Any]) -> sns.Sns:
    return sns.Sns(tuple(options["topics"]), tuple(options["signing_certificates"]))


def delivery_id(verified: VerifiedWebhook) -> str | None:
    """SNS's id of the message, equal in its retries; raw deliveries have it in a header."""
    told = sns.envelope(verified.body)
    identity = verified.headers.get("x-amz-sns-message-id") if told is None else told.get("MessageId")
    return identity if isinstance(identity, str) and identity else None


def confirm(verified: VerifiedWebhook) -> str | None:
    """Where a subscription is confirmed; a sample, which is proven by a secret of ours, confirms nothing."""
    told = sns.envelope(verified.body)
    return None if told is None or verified.secret is not None else sns.address_to_confirm(told)


SETUP_CHECK = "Successfully validated SNS topic"
"""How the one message begins that is a sentence: SES tries a topic when it becomes an event destination."""


def split(verified: VerifiedWebhook) -> Sequence[SourceEvent | Unreadable]:
    told = sns.envelope(verified.body)
    published_at = verified.signed_at or verified.webhook.received_at
    if told is not None and told.get("Type") != sns.NOTIFICATION:
        return [SourceEvent(id=None, type=str(told.get("Type")), occurred_at=published_at, payload=told)]
    text = verified.body if told is None else str(told.get("Message")).encode("utf-8", "replace")
    if text.strip().startswith(SETUP_CHECK.encode()):
        return [SourceEvent(id=None, type=SETUP_CHECK, occurred_at=published_at, payload={})]
    message = json_body.load_object(text)
    kind = message.get("eventType", message.get("notificationType"))
    if not isinstance(kind, str):
        raise PayloadError("the message is not SES's: it has neither eventType nor notificationType")
    if kind not in PLACES:
        return [SourceEvent(id=None, type=kind, occurred_at=published_at, payload=message)]
    recipients = _recipients(kind, message)
    if kind in BY_A_READER and len(recipients) > 1:
        return [SourceEvent(id=None, type=f"{SEVERAL}: {kind}", occurred_at=published_at, payload=message)]
    return [_source_event(kind, message, recipient) for recipient in recipients]


# Where each type says when it happened, and whom it is about (None: whoever the message was sent to).
PLACES: Mapping[str, tuple[str, str | None]] = {
    "Bounce": ("bounce", "bouncedRecipients"),
    "Complaint": ("complaint", "complainedRecipients"),
    "Delivery": ("delivery", "recipients"),
    "DeliveryDelay": ("deliveryDelay", "delayedRecipients"),
    "Send": ("mail", None),
    "Reject": ("mail", None),
    "Rendering Failure": ("mail", None),
    "Open": ("open", None),
    "Click": ("click", None),
    "Subscription": ("subscription", None),
}

BY_A_READER = frozenset({"Open", "Click", "Subscription"})
SEVERAL = "several recipients"
"""What somebody did with a message to several: SES does not say who it was."""


def _recipients(kind: str, message: Mapping[str, Any]) -> Sequence[object]:
    place, name = PLACES[kind]
    part = message.get("mail" if name is None else place)
    found = part.get(name or "destination") if isinstance(part, dict) else None
    if not isinstance(found, list) or not found:
        raise PayloadError(f"{kind}: the message names no recipient")
    return found


def _source_event(kind: str, message: Mapping[str, Any], recipient: object) -> SourceEvent | Unreadable:
    """`recipient` is an address, or an object with `emailAddress`."""
    part = message.get(PLACES[kind][0])
    try:
        occurred_at = moment.from_iso(part.get("timestamp") if isinstance(part, dict) else None)
    except PayloadError as error:
        return Unreadable(f"{kind}: timestamp is {error}")
    told = recipient if isinstance(recipient, dict) else {"emailAddress": recipient}
    return SourceEvent(id=None, type=kind, occurred_at=occurred_at, payload={**message, "recipient": told})


handlers = Handlers()


@handlers.on("Send", schema=MailSchema)
def sent(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.sent(_mail(told, event, "send"), context)


@handlers.on("Delivery", schema=MailSchema)
def delivered(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delivered(_mail(told, event, "delivery"), context)


@handlers.on("DeliveryDelay", schema=MailSchema)
def delayed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delayed(_mail(told, event, "delay", event.occurred_at), context)


@handlers.on("Open", schema=OpenedSchema)
def opened(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.opened(_mail(told, event, "open", event.occurred_at, *told["read"].values()), context)


@handlers.on("Click", schema=ClickedSchema)
def clicked(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    link = told["read"]["link"]
    if not link:
        raise PayloadError("a click without a link")
    return mail.clicked(_mail(told, event, "click", event.occurred_at, *told["read"].values()), context, link)


KINDS = {"Permanent": bounce.HARD, "Transient": bounce.SOFT, "Undetermined": bounce.UNDETERMINED}

# bounceSubType, where SES did not try; an address gets on its lists by a hard bounce, or unsubscribes.
REJECTED = {
    "Suppressed": bounce.HARD,
    "OnAccountSuppressionList": bounce.HARD,
    "OnTenantSuppressionList": bounce.HARD,
    "EmailValidationSuppressed": bounce.UNDETERMINED,  # a forecast of SES
    "UnsubscribedRecipient": bounce.UNDETERMINED,
}
BLOCKED = frozenset({"ContentRejected", "AttachmentRejected"})  # for what the message is


@handlers.on("Bounce", schema=BouncedSchema)
def bounced(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    label, detail = told["bounce"]["type"], told["bounce"]["sub_type"]
    if label not in KINDS:
        raise PayloadError(f"unknown bounceType {label[:40]!r}")
    status, words = told["recipient"]["status"], bounce.diagnostic(told["recipient"]["words"])
    tried = detail not in REJECTED
    return mail.bounced(
        _feedback(told, event, "bounce"),
        context,
        kind=bounce.judge(KINDS[label], status, words) if tried else REJECTED[detail],
        reason=bounce.reason(words, status) or f"{label}: {detail or 'no more is told'}",
        stage="rejected" if not tried else "blocked" if detail in BLOCKED else "sent",
    )


# complaintFeedbackType, where no person complained
NO_COMPLAINTS = {
    "not-spam": "not a complaint: it takes back that a message was spam",
    "auth-failure": "not a complaint: a server reports that a message could not be authenticated",
}


@handlers.on("Complaint", schema=ComplainedSchema)
def complained(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    reason = NO_COMPLAINTS.get(told["complaint"]["type"] or "")
    return ignored(reason) if reason else mail.complained(_feedback(told, event, "complaint"), context)


@handlers.on("Reject", schema=RejectedSchema)
def rejected(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    # a virus: of the message, not of the address
    about = _mail(told, event, "reject")
    return mail.bounced(about, context, kind=bounce.SOFT, reason=told["reject"]["reason"], stage="rejected")


@handlers.on("Rendering Failure", schema=FailedSchema)
def failed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    about = _mail(told, event, "failure")
    return mail.bounced(about, context, kind=bounce.SOFT, reason=told["failure"]["message"], stage="rejected")


@handlers.on("Subscription", schema=SubscribedSchema)
def changed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """Somebody's preferences in SES's subscription management: less mail than before counts before more."""
    old, new = told["subscription"]["old"], told["subscription"]["new"]
    about = _mail(told, event, "subscription", event.occurred_at)
    if new["unsubscribed"]:
        return mail.unsubscribed(about, context, f"contact list {told['subscription']['contacts']}")
    left = sorted(_topics(new, "OptOut") - _topics(old, "OptOut"))
    if left:
        return mail.unsubscribed(about, context, f"topic {', '.join(left)}")
    if old["unsubscribed"] or _topics(new, "OptIn") - _topics(old, "OptIn"):
        return mail.subscribed(about, context)
    return ignored("no preference has changed")


def _topics(preferences: Mapping[str, Any], status: str) -> set[str]:
    return {topic["name"] for topic in preferences["topics"] or () if topic["name"] and topic["status"] == status}


IGNORED = {
    "AmazonSnsSubscriptionSucceeded": "SES tries the topic when feedback is set up",
    SETUP_CHECK: "SES tries the topic when event publishing is set up",
    "Received": "mail that came in, not mail that was sent",
    sns.SUBSCRIPTION: "the subscription of this source to the topic was confirmed",
    sns.UNSUBSCRIPTION: "the subscription of this source to the topic was ended",
    f"{SEVERAL}*": "a message to several recipients: SES does not say which of them did it",
}


def _feedback(told: Mapping[str, Any], event: SourceEvent, kind: str) -> mail.Mail:
    """`feedbackId` names a bounce or complaint however often it is told; without one its time does."""
    return _mail(told, event, kind, told[kind]["id"] or event.occurred_at)


def _mail(told: Mapping[str, Any], event: SourceEvent, kind: str, *named_by: object) -> mail.Mail:
    """`named_by` is what tells this happening from others of its kind, to this message and recipient."""
    message, subscriber = told["mail"], told["recipient"]["email"]
    return mail.Mail(
        subscriber=subscriber,
        email_id=message["id"],
        key=key.composed(kind, message["id"], subscriber, *named_by),
        occurred_at=event.occurred_at,
        campaign=message["tags"]["campaign"],
        subject=message["headers"]["subject"],
    )


adapter = Adapter(
    name="amazon_ses",
    title="Amazon SES",
    docs=Docs(
        events="https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html",
        security="https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html",
    ),
    scheme=scheme,
    split=split,
    handlers=handlers,
    ignored=IGNORED,
    options=Options,
    delivery_id=delivery_id,
    confirm=confirm,
    needs_secret=False,
)
