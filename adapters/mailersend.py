"""MailerSend's webhooks: one activity of one e-mail in each request.

Version 2 of the payload (https://www.mailersend.com/whats-new/webhooks-v2) is flat; version 1, sent until 2026-12-01,
nests the same under `email`. Where the reference calls the recipient `email`, real webhooks of version 2 say
`recipient` (https://github.com/symfony/symfony/pull/65589): both are read. A webhook can be saved at MailerSend only
if its URL takes a ping, signed with a secret that is printed in the reference, since the real one is not made yet.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from gateway.errors import PayloadError, SignatureError
from gateway.translation import json_body, mail, schemes
from gateway.translation.adapter import Adapter, Docs
from gateway.translation.batch import Batch
from gateway.translation.item import Item
from gateway.translation.mail import HARD, REJECTED, SOFT, UNDETERMINED, Acts, Bounce, Mail
from gateway.translation.webhook import Webhook

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


# Where a field stands: in version 2; in version 1, which calls `meta` of version 2 `morph`.
DETAILS = ("data.meta", "data.morph")


def read(item: Item) -> Mail:
    details = [f"{place}.{name}" for name in REASONS for place in DETAILS]
    return Mail(
        item.email("data.recipient", "data.email", "data.email.recipient.email"),
        id=item.id("data.message_id", "data.email.message.id", "data.email_id", "data.email.id"),
        campaign=item.first("data.tags", "data.email.tags"),
        subject=item.text("data.subject", "data.email.subject"),
        url=item.text(*(f"{place}.url" for place in DETAILS)),
        words=item.text(*details),
        status=item.text(*(f"{place}.bounce_code" for place in DETAILS)),
        reason=item.text(*details),
        keys=(f"{item.text('type')}:{item.id('data.id')}",)
        if item.id("data.id")
        else (),  # ids may differ by type only
    )


REASONS = ("bounce_reason", "suppression_reason", "unsubscribe_reason", "readable_reason", "reason")

TABLE: Acts = {
    "activity.sent": mail.sent,
    "activity.delivered": mail.delivered,
    "activity.deferred": mail.delayed,
    "activity.opened": mail.opened,
    "activity.clicked": mail.clicked,
    "activity.soft_bounced": Bounce(SOFT),
    "activity.hard_bounced": Bounce(HARD),
    # offered when saving a webhook, missing in the reference; it may have bounced, complained or unsubscribed before
    "activity.suppressed": Bounce(UNDETERMINED, REJECTED),
    "activity.unsubscribed": mail.unsubscribed,
    "activity.spam_complaint": mail.complained,
}

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

adapter = Adapter(
    name="mailersend",
    title="MailerSend",
    docs=Docs(
        events="https://developers.mailersend.com/api/v1/account/webhooks",
        security="https://developers.mailersend.com/api/v1/account/webhooks#security",
    ),
    scheme=lambda options: SCHEME,
    # an activity's own time where there is one; what is not about an e-mail has no zone: "2025-08-05 22:27:14"
    split=Batch("type", id=("data.id",), times=("data.created_at", "created_at"), zone=UTC),
    handlers=mail.handlers(read, TABLE),
    ignored=IGNORED,
    options=mail.MailOptions,
    probe=pinged,
    published_secrets=frozenset({PING_SECRET}),
)
