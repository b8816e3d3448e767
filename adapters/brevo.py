"""Brevo's transactional and marketing webhooks: one event, or an array where the webhook is batched.

Nothing is signed: Brevo sends user and password, a bearer token or a header of one's own. Events have no id (`id` is
the webhook's), so their content names them. `ts_epoch` and `ts_event` are UTC; `date` and the like are of some other
zone and are not read. Both kinds of webhooks use the same words; what has a `camp_id` is about a campaign's e-mail and
has no message id.
"""

from gateway.errors import PayloadError
from gateway.translation import json_body, mail
from gateway.translation.adapter import Adapter, Docs
from gateway.translation.batch import Batch
from gateway.translation.item import Item
from gateway.translation.mail import HARD, REJECTED, SOFT, UNDETERMINED, Acts, Bounce, Mail
from gateway.translation.shared_secret import SharedSecretOptions, shared_secret

TIMES = ("ts_epoch", "ts_event", "ts")
"""Where the time of an event may stand, the most exact first. The last is told of contacts, where it alone stands."""


class BrevoOptions(mail.MailOptions, SharedSecretOptions):
    """A token at Brevo is `auth: bearer`, a header of one's own `auth: header`."""


OF_A_PHONE = ("msg_status", "to", "contactNumber", "senderNumber")


def kind(item: Item) -> str | None:
    """`event`, but for what has none, and for text messages, which tell of a phone with the words of e-mail."""
    if isinstance(item.value("items"), list):
        return "inbound"
    if item.text("email") is None and item.text(*OF_A_PHONE):
        return "sms"
    return item.text("event")


def read(item: Item) -> Mail:
    message_id = (item.id("message-id") or "").strip("<>")
    campaign = item.id("camp_id")
    return Mail(
        item.email("email"),
        id=message_id or (f"campaign-{campaign}" if campaign else None),  # e-mails of campaigns have no id
        campaign=campaign or item.first("tags") or tag(item),
        campaign_name=item.text("campaign name"),
        subject=item.text("subject"),
        url=item.text("link", "URL"),  # transactional, marketing
        words=item.text("reason"),
        machine=item.text("event") in ("proxy_open", "unique_proxy_open"),
        happening=ONE_FACT.get(item.text("event") or ""),
    )


def tag(item: Item) -> str | None:
    """`tag` is bare text, or a JSON array of texts in a text: the first counts."""
    text = item.text("tag")
    if text is None or not text.startswith("["):
        return text or item.first("tag")
    try:
        return Item({"tag": json_body.load(text.encode(errors="replace"))}).first("tag")
    except PayloadError:
        return text  # it only looks like an array


# Where Brevo has two words for one fact, or tells the first of its kind twice.
ONE_FACT = {
    "unique_opened": "opened",
    "unique_proxy_open": "proxy_open",
    "complaint": "spam",
    "unsubscribe": "unsubscribed",
}

TABLE: Acts = {
    "request": mail.sent,
    "delivered": mail.delivered,
    "deferred": mail.delayed,
    "opened": mail.opened,
    "unique_opened": mail.opened,
    "proxy_open": mail.opened,  # a proxy loaded it, Apple's Mail Privacy Protection first of all
    "unique_proxy_open": mail.opened,
    "click": mail.clicked,
    "hard_bounce": Bounce(HARD),
    "soft_bounce": Bounce(SOFT),
    "invalid_email": Bounce(HARD, REJECTED),  # not an address, or known not to exist
    "blocked": Bounce(UNDETERMINED, REJECTED),  # on Brevo's block list: bounced, complained or unsubscribed before
    "error": Bounce(SOFT, REJECTED),  # at Brevo
    "spam": mail.complained,
    "complaint": mail.complained,  # was seen, though the documentation has the first only
    "unsubscribed": mail.unsubscribed,  # transactional
    "unsubscribe": mail.unsubscribed,  # marketing
}

IGNORED = {
    "list_addition": "being put on a list at Brevo, which is no consent to mail",
    "contact_updated": "about a contact's attributes at Brevo",
    "contact_deleted": "about Brevo's own list of contacts",
    "inbound*": "mail that was received, not sent",
    "reply": "an answer to an e-mail, not what became of it",
    "sms*": "messages to a phone, not mail",
    "whatsapp*": "messages to a phone, not mail",
}

adapter = Adapter(
    name="brevo",
    title="Brevo",
    docs=Docs(
        events="https://developers.brevo.com/docs/transactional-webhooks",
        security="https://developers.brevo.com/docs/username-and-password-authentication",
    ),
    scheme=shared_secret,
    split=Batch(kind, times=TIMES),
    handlers=mail.handlers(read, TABLE),
    ignored=IGNORED,
    options=BrevoOptions,
)
