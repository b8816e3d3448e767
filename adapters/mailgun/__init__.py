"""Mailgun: one event a webhook, signed inside the body; the forms of old accounts say the same.

The signature covers a time and a token, not the event. So the token is the delivery's id, and good for one event: a
second body under it is a duplicate if it names that event, and refused if not. An event's `id` is unique within a day
only, so the day belongs to the key.
`failed` is told apart by its severity, as the webhooks `permanent_fail` and `temporary_fail` are.
"""

from collections.abc import Iterable
from email.utils import getaddresses
from hashlib import sha256

from adapters.mailgun import legacy
from adapters.mailgun.body_signature import SIGNATURE_FIELDS, BodySignature, form_fields, token
from gateway.errors import PayloadError
from gateway.translation import json_body, mail
from gateway.translation.adapter import Adapter, Docs
from gateway.translation.batch import Batch
from gateway.translation.item import Item
from gateway.translation.mail import BLOCKED, HARD, REJECTED, SENT, SOFT, UNDETERMINED, Acts, Bounce, Mail
from gateway.translation.webhook import VerifiedWebhook

SCHEME = BodySignature()


def items(verified: VerifiedWebhook) -> Iterable[object]:
    """One; of a rejected message, whose recipients only the header tells, one for each. Raises PayloadError."""
    if not verified.body.lstrip().startswith(b"{"):
        return [legacy.event_data(form_fields(verified.webhook))]
    told = json_body.an_object(json_body.an_object(verified.json, "the body").get("event-data"), "event-data")
    item = Item(told)
    if item.text("event") != "rejected" or item.text("recipient"):
        return [told]
    people = dict.fromkeys(address for _, address in getaddresses([item.text("message.headers.to") or ""]))
    return [told | {"recipient": address} for address in people or [None]]


def kind(item: Item) -> str | None:
    if item.flag("flags.is-routed"):
        return "routed"
    event, severity = item.text("event"), item.text("severity")
    return BY_SEVERITY.get((severity or "").lower(), event) if event == "failed" else event


BY_SEVERITY = {"permanent": "permanent_fail", "temporary": "temporary_fail"}


def delivery_id(verified: VerifiedWebhook) -> str | None:
    return token(verified.webhook)


def single_use(verified: VerifiedWebhook) -> tuple[str, str] | None:
    unique = token(verified.webhook)
    return None if unique is None else (unique, _event_name(verified))


def _event_name(verified: VerifiedWebhook) -> str:
    """The event's id; of a form, which has none, and of whatever else what it says."""
    if not verified.body.lstrip().startswith(b"{"):
        said = [field for field in form_fields(verified.webhook) if field[0] not in SIGNATURE_FIELDS]
        return f"form:{sha256(repr(said).encode('utf-8', 'surrogatepass')).hexdigest()}"
    try:
        id_ = Item(json_body.an_object(verified.json, "the body")).id("event-data.id")
    except PayloadError:
        id_ = None
    return f"id:{id_}" if id_ else f"body:{sha256(verified.body).hexdigest()}"


def read(item: Item) -> Mail:
    recipient, status, campaign = item.email("recipient"), "delivery-status", next(item.parts("campaigns"), Item({}))
    id_, at, mailing_list = item.id("id"), item.time("timestamp"), item.text("mailing-list.address")
    named = f"event:{at:%Y-%m-%d}:{id_}" if at else f"event:{id_}"
    return Mail(
        recipient,
        id=(item.id("message.headers.message-id") or "").strip("<>") or None,
        # the tag `*` means all mail of a domain, of which somebody unsubscribes
        campaign=campaign.id("id") or item.first("tags", but="*"),
        campaign_name=campaign.text("name"),
        subject=item.text("message.headers.subject"),
        url=item.text("url"),
        # apple, gmail or generic (a scanner); empty where no machine was found out:
        # https://documentation.mailgun.com/docs/mailgun/user-manual/tracking-messages/open-click-bot-detect
        machine=bool(item.value("client-info.bot")),
        words=item.text(f"{status}.message", f"{status}.description"),
        status=item.id(f"{status}.code"),
        enhanced=item.text(f"{status}.enhanced-code"),
        reason=item.text("reject.reason", "reject.description", "reason")
        or (f"mailing list {mailing_list}" if mailing_list else None),
        keys=(f"{named}:{recipient}" if kind(item) == "rejected" else named,) if id_ else (),
    )


# Why Mailgun gave up, and how far it came; where it was sent, `bounce-type` knows better.
# https://github.com/mailgun/mailgun-go/blob/master/events/enums.go
REASONS = {
    "bounce": Bounce(HARD),
    "hardfail": Bounce(HARD),
    "old": Bounce(SOFT),  # tried until the time for it was over
    "greylisted": Bounce(SOFT),
    "generic": Bounce(UNDETERMINED),
    "espblock": Bounce(SOFT, BLOCKED),
    "blacklisted": Bounce(SOFT, BLOCKED),
    "suppress-bounce": Bounce(HARD, REJECTED),  # bounced before; not tried again
    "suppress-complaint": Bounce(UNDETERMINED, REJECTED),
    "suppress-unsubscribe": Bounce(UNDETERMINED, REJECTED),
    "hard": Bounce(HARD),
    "soft": Bounce(SOFT),
}


def stopped(item: Item) -> str | None:
    """The reason, where the message did not come as far as a mailbox."""
    reason = (item.text("reason") or "").lower()
    return reason if reason in REASONS and REASONS[reason].stage != SENT else None


TABLE: Acts = {
    "accepted": mail.sent,
    "delivered": mail.delivered,
    "temporary_fail": mail.delayed,
    "permanent_fail": mail.by((stopped, "delivery-status.bounce-type", "reason"), REASONS, Bounce(UNDETERMINED)),
    "rejected": Bounce(SOFT, REJECTED),  # Mailgun did not take the message: it, not the address, was at fault
    "opened": mail.opened,
    "clicked": mail.clicked,
    "complained": mail.complained,
    "unsubscribed": mail.unsubscribed,
}

IGNORED = {
    "routed": "mail that came in and was passed on by a route",
    "stored": "mail that came in",
    "list_member_uploaded": "an upload of addresses is no consent",
    "list_member_upload_error": "about an upload of addresses",
    "list_uploaded": "about an upload of addresses",
    "email_validation": "about the form of an address, not about an e-mail",
}

adapter = Adapter(
    name="mailgun",
    title="Mailgun",
    docs=Docs(
        events="https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads",
        security="https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks",
    ),
    scheme=lambda options: SCHEME,
    split=Batch(kind, id=("id",), times=("timestamp",), items=items, test="flags.is-test-mode"),
    handlers=mail.handlers(read, TABLE),
    ignored=IGNORED,
    options=mail.MailOptions,
    delivery_id=delivery_id,
    least_secret=32,
    single_use=single_use,
)
