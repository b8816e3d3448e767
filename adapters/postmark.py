"""Postmark: one event a webhook, proven by a shared secret; Postmark signs nothing.

What deactivates an address is told twice, as a bounce or complaint and as a change of the subscription, and is one
fact: both name it by message and recipient. The address stands in `Email` of some record types, in `Recipient` of the
others. Nothing tells a machine's open from a person's.
"""

from gateway.errors import PayloadError
from gateway.translation import mail
from gateway.translation.adapter import Adapter, Docs
from gateway.translation.batch import Batch
from gateway.translation.item import Item
from gateway.translation.mail import BLOCKED, HARD, REJECTED, SOFT, UNDETERMINED, Acts, Bounce, Mail
from gateway.translation.shared_secret import SharedSecretOptions, shared_secret
from gateway.translation.webhook import VerifiedWebhook

TIMES = ("DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt")


class OptionsSchema(mail.MailOptions, SharedSecretOptions):
    """`machine_opens` has no effect here: Postmark marks none."""


def kind(item: Item) -> str | None:
    """The record type; of a bounce the bounce's type belongs to it, of a change the reason."""
    record = item.text("RecordType")
    if record is None and "FromFull" in item.payload:
        return "Inbound"
    if record == "Bounce" or (record is None and item.text("Type")):  # servers made long ago post no record type
        return f"Bounce.{item.text('Type')}"
    if record != "SubscriptionChange":
        return record
    lifted = item.flag("SuppressSending") is False
    return f"SubscriptionChange.{'Reactivation' if lifted else item.text('SuppressionReason')}"


def delivery_id(verified: VerifiedWebhook) -> str | None:
    """`X-PM-Webhook-Trace-Id` stays the same in the retries of one event."""
    trace = verified.headers.get("X-PM-Webhook-Trace-Id", "").strip()
    try:
        record = Item(verified.json if isinstance(verified.json, dict) else {}).text("RecordType")
    except PayloadError:
        return None
    return f"{record}:{trace}" if trace and record else None


# What deactivates an address, told in two records.
FACTS = {
    "SpamComplaint": "SpamComplaint",
    "Bounce.SpamComplaint": "SpamComplaint",
    "SubscriptionChange.SpamComplaint": "SpamComplaint",
    "SubscriptionChange.HardBounce": "HardBounce",
}
REASONS = {
    "Bounce.Unsubscribe": "asked for by reply",
    "SubscriptionChange.HardBounce": "suppressed after a hard bounce",
}


def read(item: Item) -> Mail:
    word, message, recipient = kind(item) or "", item.id("MessageID"), item.email("Recipient", "Email")
    fact = FACTS.get(word) or ("HardBounce" if word.startswith("Bounce.") and item.flag("Inactive") else None)
    origin = item.text("Origin")
    return Mail(
        recipient,
        id=message,
        campaign=item.text("Tag"),
        subject=item.text("Subject"),
        url=item.text("OriginalLink"),
        words=item.text("Details"),
        # the customer is somebody at the sender's, or the API, an admin somebody at Postmark
        reason=REASONS.get(word) or (f"suppressed by the {origin.lower()}" if origin else item.text("Description")),
        # the time again, whose seventh decimal tells two opens apart
        names=(*map(item.text, ("ReceivedAt", "ClickLocation", "MessageStream")), item.flag("SuppressSending")),
        once=word == "Delivery" and message is not None,
        keys=(f"{fact}:{message}:{recipient}",) if fact and message else (),
        detail_rank=0 if word.startswith("SubscriptionChange.") else 1,  # which tells less than what it comes of
    )


# Bounces by `Type`: https://postmarkapp.com/developer/api/bounce-api#bounce-types
BOUNCES = {
    "HardBounce": Bounce(HARD),
    "SoftBounce": Bounce(SOFT),
    "DnsError": Bounce(SOFT),
    "Unknown": Bounce(UNDETERMINED),  # a bounce that Postmark can't classify
    "Blocked": Bounce(SOFT, BLOCKED),  # for its content or its sender's reputation
    "SpamNotification": Bounce(SOFT, BLOCKED),  # a filter's judgement, not a person's complaint
    "VirusNotification": Bounce(SOFT, BLOCKED),
    "DMARCPolicy": Bounce(SOFT, BLOCKED),
    "BadEmailAddress": Bounce(HARD, REJECTED),  # not an address
    "ManuallyDeactivated": Bounce(UNDETERMINED, REJECTED),
    "Unconfirmed": Bounce(UNDETERMINED, REJECTED),
    "SMTPApiError": Bounce(SOFT, REJECTED),
    "TemplateRenderingFailed": Bounce(SOFT, REJECTED),
}

TABLE: Acts = {
    "Delivery": mail.delivered,
    "Open": mail.opened,
    "Click": mail.clicked,
    **{f"Bounce.{word}": act for word, act in BOUNCES.items()},
    "Bounce.Transient": mail.delayed,
    "Bounce.Unsubscribe": mail.unsubscribed,
    "Bounce.SpamComplaint": mail.complained,
    "SpamComplaint": mail.complained,
    "SubscriptionChange.HardBounce": Bounce(HARD),
    "SubscriptionChange.SpamComplaint": mail.complained,
    "SubscriptionChange.ManualSuppression": mail.unsubscribed,
    "SubscriptionChange.Reactivation": mail.by(
        "Origin",
        {"Recipient": mail.subscribed},
        mail.left_out("the suppression was not lifted by the recipient himself, so it is no consent"),
    ),
}

IGNORED = {
    "Inbound": "mail that came in",
    "Bounce.AddressChange": "an answer by machine or by hand, not a failed delivery",
    "Bounce.AutoResponder": "an answer by machine, not a failed delivery",
    "Bounce.ChallengeVerification": "a filter asks the sender to prove himself; the message is not lost yet",
    "Bounce.InboundError": "mail that came in",
    "Bounce.OpenRelayTest": "a mail server's test of Postmark",
    "Bounce.Subscribe": "a reply that asks for mail is no confirmed consent",
}

adapter = Adapter(
    name="postmark",
    title="Postmark",
    docs=Docs(
        events="https://postmarkapp.com/developer/webhooks/bounce-webhook",
        security="https://postmarkapp.com/developer/webhooks/webhooks-overview",
    ),
    scheme=shared_secret,
    split=Batch(kind, id=("ID",), times=TIMES),
    handlers=mail.handlers(read, TABLE),
    ignored=IGNORED,
    options=OptionsSchema,
    delivery_id=delivery_id,
)
