"""SendGrid's Event Webhook: arrays of what became of each e-mail.

A POST is tried again for 24 hours (…/tracking-events/troubleshooting), and whether each try is signed anew is not
said: so that long a signature is believed. `sg_event_id` names a happening, but one may be told under several: where
message and time are told as well, they name it, too. Old accounts leave the id out.
"""

import re
from datetime import timedelta

from gateway.translation import mail, schemes
from gateway.translation.adapter import Adapter, Docs
from gateway.translation.batch import Batch
from gateway.translation.item import Item
from gateway.translation.mail import BLOCKED, HARD, REJECTED, SOFT, UNDETERMINED, Acts, Bounce, Mail

SCHEME = schemes.Ecdsa(
    header="X-Twilio-Email-Event-Webhook-Signature",
    timestamp_header="X-Twilio-Email-Event-Webhook-Timestamp",
    tolerance=timedelta(hours=24),
)


def kind(item: Item) -> str | None:
    return (item.text("event") or "").lower()  # the reference has "Processed" in one place


def read(item: Item) -> Mail:
    group = item.id("asm_group_id")
    return Mail(
        item.email("email"),
        id=message_id(item),
        campaign=item.id("singlesend_id", "marketing_campaign_id") or item.first("category"),
        campaign_name=item.text("singlesend_name", "marketing_campaign_name"),
        subject=item.text("subject"),  # only as a custom argument
        url=item.text("url"),
        link=item.text("url_offset.index"),
        machine=item.flag("sg_machine_open") is True,  # Apple Mail Privacy Protection
        words=item.text("reason"),
        status=item.text("status"),
        reason=f"unsubscribe group {group}" if group else item.text("bounce_classification"),
        names=(item.text("ip"), item.text("useragent"), item.text("url_offset.index"), item.text("attempt")),
        named_twice=True,
    )


# `14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0`, `euo2iKxdSayPF4YE4--I7A.recvd-5f54b5d587-pczjm-1-67BADEEA-6.0`:
# what stands before the sending machine is the X-Message-Id of the request; one id for all recipients and events.
_MACHINE = re.compile(r"\.[a-z]*(?:filter|recvd|recv|ismtpd)")


def message_id(item: Item) -> str | None:
    """An asynchronous bounce has none (see the reference), at most that of the SMTP conversation."""
    full = item.id("sg_message_id")
    if full:
        machine = _MACHINE.search(full)
        return full[: machine.start()] if machine else full.partition(".")[0]
    return (item.id("smtp-id") or "").strip("<>").partition("@")[0] or None


# Bounces of `type` bounce, which the reference calls permanent, by their `bounce_classification`.
# https://www.twilio.com/docs/sendgrid/ui/analytics-and-reporting/bounce-and-block-classifications
CLASSIFICATIONS = {
    "invalid address": Bounce(HARD),
    "mailbox unavailable": Bounce(SOFT),  # full, suspended or over its quota
    "content": Bounce(SOFT, BLOCKED),
    "reputation": Bounce(SOFT, BLOCKED),
    "frequency or volume too high": Bounce(SOFT, BLOCKED),
    "frequency/volume": Bounce(SOFT, BLOCKED),
    "technical": Bounce(UNDETERMINED),
    "technical failure": Bounce(UNDETERMINED),
    "unclassified": Bounce(UNDETERMINED),
}
TYPES = {
    "bounce": Bounce(HARD),  # where no classification is told
    "blocked": Bounce(SOFT, BLOCKED),  # refused for now; SendGrid goes on sending to such an address
    "expired": Bounce(UNDETERMINED),  # tried for 72 hours
}


def bounced(item: Item) -> str | None:
    """The type of what is no plain bounce; else the classification, and the type where there is none."""
    plain = item.text("type") in (None, "bounce")
    return item.text("bounce_classification", "type") if plain else item.text("type")


# Why SendGrid did not even try; a reason that is not here leaves open what is wrong with the address.
# https://docs.sendgrid.com/glossary/drops
DROPS = {
    "bounced address": Bounce(HARD, REJECTED),  # bounced before, and is on the suppression list since
    "invalid address": Bounce(HARD, REJECTED),
    "invalid": Bounce(HARD, REJECTED),
    "spam content": Bounce(SOFT, REJECTED),
    "invalid smtpapi header": Bounce(SOFT, REJECTED),
    "recipient list over package quota": Bounce(SOFT, REJECTED),
    "duplicate message": Bounce(SOFT, REJECTED),  # on several lists of one campaign: it had the message once
    "unsubscribed address": Bounce(UNDETERMINED, REJECTED),
    "spam reporting address": Bounce(UNDETERMINED, REJECTED),  # complained of an earlier message
}

TABLE: Acts = {
    "processed": mail.sent,
    "delivered": mail.delivered,
    "deferred": mail.delayed,
    "open": mail.opened,
    "click": mail.clicked,
    "bounce": mail.by(bounced, CLASSIFICATIONS | TYPES, Bounce(UNDETERMINED)),
    "dropped": mail.by("reason", DROPS, Bounce(UNDETERMINED, REJECTED)),
    "spamreport": mail.complained,
    "unsubscribe": mail.unsubscribed,
    "group_unsubscribe": mail.unsubscribed,
    "group_resubscribe": mail.subscribed,  # "by updating their subscription preferences", says the reference
}

IGNORED = {
    "account_status_change": "about the SendGrid account, not about a subscriber",
}

adapter = Adapter(
    name="sendgrid",
    title="Twilio SendGrid",
    docs=Docs(
        events="https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event",
        security="https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features",
    ),
    scheme=lambda options: SCHEME,
    split=Batch(kind, id=("sg_event_id",), times=("timestamp",)),
    handlers=mail.handlers(read, TABLE),
    ignored=IGNORED,
    options=mail.MailOptions,
)
