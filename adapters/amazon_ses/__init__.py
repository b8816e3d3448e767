"""Amazon SES over Amazon SNS or EventBridge: event publishing and feedback notifications, one message each, for many
recipients.

A configuration set publishes events (`eventType`), an identity notifies of feedback (`notificationType`): the contents
are alike, and where both are set up one happening is told twice. A message is split by recipient. SNS sends JSON as
text/plain, in an envelope or raw; EventBridge sends the same as `detail`:
https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-ses.html
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from marshmallow import fields, validate

from adapters.amazon_ses import sns
from gateway.errors import PayloadError
from gateway.translation import json_body, mail
from gateway.translation.adapter import Adapter, Docs, Translation, ignored
from gateway.translation.batch import Batch
from gateway.translation.certificates import CertificateFile
from gateway.translation.item import Item
from gateway.translation.mail import BLOCKED, HARD, REJECTED, SOFT, UNDETERMINED, Acts, Bounce, Happening, Mail
from gateway.translation.shared_secret import SharedSecretOptions, shared_secret
from gateway.translation.webhook import VerifiedWebhook


class TopicField(fields.String):
    """The ARN of a topic, or `*` for any."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        told = super()._deserialize(value, attr, data, **kwargs)
        if told != sns.ANY_TOPIC and not sns.TOPIC.fullmatch(told or ""):
            raise self.make_error("topic")
        return told

    default_error_messages = {"topic": 'must be a topic, like arn:aws:sns:eu-west-1:123456789012:mail, or "*" for any'}


class Options(mail.MailOptions, SharedSecretOptions):
    """`topics`: whose messages are taken. `signing_certificates`: PEM files; then nothing is downloaded. `auth` is how
    raw deliveries and EventBridge prove themselves.
    """

    topics = fields.List(TopicField(), required=True, validate=validate.Length(min=1, error="is empty"))
    signing_certificates = fields.List(CertificateFile(), load_default=list)


def scheme(options: Mapping[str, Any]) -> sns.Sns:
    pinned = tuple(options.get("signing_certificates", ()))
    return sns.Sns(tuple(options.get("topics", ())), pinned, raw=shared_secret(options))


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
# The `detail-type` of EventBridge, which `detail` says once more as `eventType`.
BRIDGED = {
    "Email Bounced": "Bounce",
    "Email Complaint Received": "Complaint",
    "Email Delivered": "Delivery",
    "Email Delivery Delayed": "DeliveryDelay",
    "Email Sent": "Send",
    "Email Rejected": "Reject",
    "Email Rendering Failed": "Rendering Failure",
    "Email Opened": "Open",
    "Email Clicked": "Click",
    "Email Subscribed": "Subscription",
}
BY_A_READER = frozenset({"Open", "Click", "Subscription"})
SEVERAL = "several recipients"
"""What somebody did with a message to several: SES does not say who it was."""


def items(verified: VerifiedWebhook) -> Iterable[Mapping[str, Any]]:
    """The message once for each recipient, each with `type`, `at` and `recipient`. Raises PayloadError."""
    told = sns.envelope(verified.body)
    if told is not None and told.get("Type") != sns.NOTIFICATION:
        return [{"type": told.get("Type")}]
    text = verified.body if told is None else str(told.get("Message")).encode("utf-8", "replace")
    if text.strip().startswith(SETUP_CHECK.encode()):
        return [{"type": SETUP_CHECK}]
    message = json_body.load_object(text)
    if isinstance(message.get("detail"), dict):
        name = Item(message).text("detail-type") or ""
        message = {"at": message.get("time"), "notificationType": BRIDGED.get(name, name), **message["detail"]}
    kind = Item(message).text("eventType", "notificationType")
    if kind is None:
        raise PayloadError("the message is not SES's: it has neither eventType nor notificationType")
    return [message | {"type": kind}] if kind not in PLACES else _by_recipient(kind, message)


def _by_recipient(kind: str, message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    place, name = PLACES[kind]
    item = Item(message)
    sent_to, found = item.value("mail.destination"), item.value(f"{place}.{name}") if name else None
    if not found and isinstance(sent_to, list) and (name is None or len(sent_to) == 1):
        found = sent_to  # to one alone: whom else could it be about
    if not isinstance(found, list) or not found:
        raise PayloadError(f"{kind}: the message names no recipient")
    if kind in BY_A_READER and len(found) > 1:
        return [{**message, "type": f"{SEVERAL}: {kind}"}]
    dated = {**message, "type": kind, "at": item.value(f"{place}.timestamp") or message.get("at")}
    # a recipient is an address, or an object with `emailAddress`
    return [{**dated, "recipient": one if isinstance(one, dict) else {"emailAddress": one}} for one in found]


ONCE = frozenset({"Send", "Delivery", "Reject", "Rendering Failure"})


def read(item: Item) -> Mail:
    place = PLACES[item.text("type") or ""][0]
    feedback = item.id(f"{place}.feedbackId")  # names a bounce or complaint however often it is told
    return Mail(
        item.email("recipient.emailAddress"),
        id=item.id("mail.messageId"),
        campaign=item.first("mail.tags.campaign"),  # the tag that SES's own guide uses as its example
        subject=item.text("mail.commonHeaders.subject"),
        url=item.text("click.link"),
        words=item.text("recipient.diagnosticCode"),
        status=item.text("recipient.status"),
        reason=item.text("reject.reason", "failure.errorMessage") or bounced(item),
        feedback=item.text("complaint.complaintFeedbackType"),
        names=(feedback, item.text(f"{place}.ipAddress"), item.text(f"{place}.userAgent")),
        once=feedback is not None or item.text("type") in ONCE,
    )


def bounced(item: Item) -> str | None:
    label, detail = item.text("bounce.bounceType"), item.text("bounce.bounceSubType")
    return f"{label}: {detail or 'no more is told'}" if label else item.text("complaint.complaintSubType")


# `bounceSubType`, where it says more than the `bounceType`, which stands behind.
BOUNCES = {
    # SES did not try; an address gets on its lists by a hard bounce, or unsubscribes
    "Suppressed": Bounce(HARD, REJECTED),
    "OnAccountSuppressionList": Bounce(HARD, REJECTED),
    "OnTenantSuppressionList": Bounce(HARD, REJECTED),
    "EmailValidationSuppressed": Bounce(UNDETERMINED, REJECTED),  # a forecast of SES
    "UnsubscribedRecipient": Bounce(UNDETERMINED, REJECTED),
    "ContentRejected": Bounce(SOFT, BLOCKED),
    "AttachmentRejected": Bounce(SOFT, BLOCKED),
    "Permanent": Bounce(HARD),
    "Transient": Bounce(SOFT),
    "Undetermined": Bounce(UNDETERMINED),
}
# `complaintSubType`: nobody complained of this message, it was not tried since somebody had complained before.
COMPLAINTS = {
    "OnAccountSuppressionList": Bounce(UNDETERMINED, REJECTED),
    "OnTenantSuppressionList": Bounce(UNDETERMINED, REJECTED),
}


def preferences(of: Happening) -> Translation:
    """Somebody's preferences in SES's subscription management: less mail than before counts before more."""
    old, new = "subscription.oldTopicPreferences", "subscription.newTopicPreferences"
    if of.item.flag(f"{new}.unsubscribeAll"):
        contacts = of.item.text("subscription.contactList")
        return mail.unsubscribed(of.with_mail(replace(of.mail, reason=f"contact list {contacts}")))
    left = sorted(_topics(of.item, new, "OptOut") - _topics(of.item, old, "OptOut"))
    if left:
        return mail.unsubscribed(of.with_mail(replace(of.mail, reason=f"topic {', '.join(left)}")))
    back = of.item.flag(f"{old}.unsubscribeAll") or _topics(of.item, new, "OptIn") - _topics(of.item, old, "OptIn")
    return mail.subscribed(of) if back else ignored("no preference has changed")


def _topics(item: Item, preferences: str, status: str) -> set[str]:
    found = item.parts(f"{preferences}.topicSubscriptionStatus")
    return {name for one in found if (name := one.text("topicName")) and one.text("subscriptionStatus") == status}


TABLE: Acts = {
    "Send": mail.sent,
    "Delivery": mail.delivered,
    "DeliveryDelay": mail.delayed,
    "Open": mail.opened,
    "Click": mail.clicked,
    "Bounce": mail.by(("bounce.bounceSubType", "bounce.bounceType"), BOUNCES, Bounce(UNDETERMINED)),
    "Complaint": mail.by("complaint.complaintSubType", COMPLAINTS, mail.complained),
    "Reject": Bounce(SOFT, REJECTED),  # a virus: of the message, not of the address
    "Rendering Failure": Bounce(SOFT, REJECTED),
    "Subscription": preferences,
}

_ACCOUNT = "about the SES account, not about a subscriber"

IGNORED = {
    "AmazonSnsSubscriptionSucceeded": "SES tries the topic when feedback is set up",
    SETUP_CHECK: "SES tries the topic when event publishing is set up",
    "Received": "mail that came in, not mail that was sent",
    sns.SUBSCRIPTION: "the subscription of this source to the topic was confirmed",
    sns.UNSUBSCRIPTION: "the subscription of this source to the topic was ended",
    f"{SEVERAL}*": "a message to several recipients: SES does not say which of them did it",
    "Sending Status *": _ACCOUNT,
    "Advisor Recommendation *": _ACCOUNT,
}

adapter = Adapter(
    name="amazon_ses",
    title="Amazon SES",
    docs=Docs(
        events="https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html",
        security="https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html",
    ),
    scheme=scheme,
    split=Batch("type", times=("at",), items=items),
    handlers=mail.handlers(read, TABLE),
    ignored=IGNORED,
    options=Options,
    delivery_id=delivery_id,
    confirm=confirm,
    needs_secret=False,
)
