"""Postal's webhooks: one event of one e-mail in each request, from a mail server that the operator may run himself.

The documentation shows the inner `payload` only; around it stand `event`, `timestamp` (seconds with a fraction) and
`uuid`, which is the same in each of the tries (app/services/webhook_delivery_service.rb). Since version 3 Postal signs
twice, with SHA-1 and with SHA-256; where there is the stronger signature, it alone counts.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.errors import PayloadError
from gateway.translation import json_body, mail, schemes
from gateway.translation.adapter import Adapter, Docs, Translation, ignored
from gateway.translation.batch import Batch
from gateway.translation.item import Item
from gateway.translation.mail import HARD, REJECTED, SOFT, UNDETERMINED, Act, Acts, Bounce, Happening, Mail
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


def kind(item: Item) -> str | None:
    if isinstance(item.value("payload.bounce"), dict):
        return "MessageBounced"  # whatever `event` says: MessageDelayed was seen with one
    return item.text("event") if isinstance(item.value("payload"), dict) else None


def delivery_id(verified: VerifiedWebhook) -> str | None:
    try:
        return Item(json_body.an_object(verified.json, "the body")).id("uuid")
    except PayloadError:
        return None


def read(item: Item) -> Mail:
    message = "payload.original_message" if kind(item) == "MessageBounced" else "payload.message"
    return Mail(
        item.email(f"{message}.to"),
        id=item.id(f"{message}.message_id", f"{message}.id"),
        campaign=item.text(f"{message}.tag"),
        subject=item.text(f"{message}.subject"),
        url=item.text("payload.url"),
        words=item.text("payload.output", "payload.details"),
        reason=item.text("payload.details", "payload.bounce.subject"),
    )


# How the details of a failure begin, see app/lib/message_dequeuer of Postal. It has no label of its own: what is not
# here is judged by what the mail server said.
FAILURES = {
    "Maximum number of delivery attempts": Bounce(SOFT),
    "Message is likely spam": Bounce(SOFT, REJECTED),
    "Message's domain no longer exist": Bounce(SOFT, REJECTED),  # the sender's
    "Raw message has been removed": Bounce(SOFT, REJECTED),  # kept too short a time for another try
}


def failure(item: Item) -> str | None:
    details = item.text("payload.details") or ""
    return next((opening for opening in FAILURES if details.startswith(opening)), None)


# Why an address is on the suppression list; it can be put there for any reason.
SUPPRESSIONS = {
    "too many hard fails": Bounce(HARD, REJECTED),
    "too many soft fails": Bounce(SOFT, REJECTED),
}
_SUPPRESSED = re.compile(r"Recipient \(.*\) is on the suppression list(?: \(reason: ([^)]*)\))?")


def held(of: Happening) -> Translation:
    """Held back until a person releases it, which nobody does for an address that Postal suppresses."""
    suppressed = _SUPPRESSED.match(of.item.text("payload.details") or "")
    if suppressed is None:
        return mail.delayed(of)
    return SUPPRESSIONS.get(suppressed[1], Bounce(UNDETERMINED, REJECTED))(of)


def of_mail_sent(act: Act) -> Act:
    """Postal tells the same of mail that it received and handed on; that is about nobody's mailbox."""

    def judged(of: Happening) -> Translation:
        if "incoming" in (
            of.item.text("payload.message.direction"),
            of.item.text("payload.original_message.direction"),
        ):
            return ignored("mail that was received, not sent")
        return act(of)

    return judged


TABLE: Acts = {
    "MessageSent": mail.delivered,
    "MessageDelayed": mail.delayed,
    "MessageDeliveryFailed": mail.by(failure, FAILURES, Bounce(UNDETERMINED)),
    "MessageBounced": Bounce(UNDETERMINED),  # given back after it had been taken; that is all Postal tells
    "MessageHeld": held,
    "MessageLoaded": mail.opened,
    "MessageLinkClicked": mail.clicked,
}

IGNORED = {
    "DomainDNSError": "about a domain of the Postal server, not about a subscriber",
    "SendLimitApproaching": "about the Postal server, not about a subscriber",
    "SendLimitExceeded": "about the Postal server, not about a subscriber",
}

adapter = Adapter(
    name="postal",
    title="Postal",
    docs=Docs(
        events="https://docs.postalserver.io/developer/webhooks",
        security="https://github.com/postalserver/postal/blob/main/lib/postal/http.rb",
    ),
    scheme=lambda options: SCHEME,
    split=Batch(kind, id=("uuid",), times=("timestamp",)),
    handlers=mail.handlers(read, {word: of_mail_sent(act) for word, act in TABLE.items()}),
    ignored=IGNORED,
    options=mail.MailOptions,
    delivery_id=delivery_id,
)
