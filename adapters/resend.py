"""Resend: one event a webhook, signed by Standard Webhooks in Svix's spelling.

`to` names all recipients that an event is about: each is told of by itself. Who of several opened or clicked is not
told. A permanent bounce and a complaint are told a second time as `suppression.added`: message and recipient name
both. `contact.updated` tells a state whatever changed in it, so memory knows whether the subscription did; who changed
it, the person or somebody at the sender's, is told nowhere, so that nothing here is a consent.
"""

from collections.abc import Iterable
from dataclasses import replace

from gateway.errors import PayloadError
from gateway.events import MemoryKey
from gateway.translation import json_body, mail, moment, schemes
from gateway.translation.adapter import Adapter, Docs, Memo, Translation, ignored, taught, translated
from gateway.translation.batch import Batch
from gateway.translation.item import Item
from gateway.translation.mail import BLOCKED, HARD, REJECTED, SOFT, UNDETERMINED, Acts, Bounce, Happening, Mail
from gateway.translation.webhook import VerifiedWebhook

SCHEME = schemes.StandardWebhooks(prefix="svix-")

SEVERAL = "several recipients"
BY_A_READER = ("email.opened", "email.clicked")


def items(verified: VerifiedWebhook) -> Iterable[object]:
    """One for each recipient of an e-mail's event, with the webhook's id. Raises PayloadError."""
    body = json_body.an_object(verified.json, "the body")
    data = json_body.an_object(body.get("data"), "data")
    body, recipients = body | {"id": delivery_id(verified)}, data.get("to")
    if not isinstance(recipients, list) or (body.get("type") in BY_A_READER and len(recipients) > 1):
        return [body]
    return [body | {"data": data | {"to": recipient}} for recipient in recipients or [None]]


def kind(item: Item) -> str | None:
    several = isinstance(item.value("data.to"), list)
    return f"{SEVERAL}: {item.text('type')}" if several else item.text("type")


def delivery_id(verified: VerifiedWebhook) -> str | None:
    """`svix-id`, which the signature covers."""
    return SCHEME.message_id(verified.webhook)


def read(item: Item) -> Mail:
    message, recipient, happening = (
        item.id("data.email_id", "data.source_id"),
        item.email("data.to", "data.email"),
        once(item),
    )
    name = f"{happening}:{message}:{recipient}" if happening and message else None
    webhook = f"event:{item.text('id')}:{recipient}" if item.text("id") else None
    return Mail(
        recipient,
        id=message,
        campaign=item.text("data.broadcast_id") or tag(item, "campaign") or tag(item, "category"),
        subject=item.text("data.subject"),
        url=item.text("data.click.link"),
        words=item.first("data.bounce.diagnosticCode", "data.suppressed.diagnosticCode", "data.bounce.message"),
        reason=item.text("data.suppressed.message", "data.suppressed.type", "data.failed.reason")
        or ORIGINS.get(item.text("data.origin") or ""),
        keys=tuple(filter(None, [name or webhook])),
    )


def tag(item: Item, name: str) -> str | None:
    """A tag of an object of tags, or of the array of name and value that they were sent as."""
    of_array = (one.text("value") for one in item.parts("data.tags") if one.text("name") == name)
    return item.text(f"data.tags.{name}") or next(of_array, None)


def once(item: Item) -> str | None:
    """What happens to a message once for each recipient, however often it is told."""
    permanent = item.text("type") == "email.bounced" and item.text("data.bounce.type") in (None, "Permanent")
    if permanent or item.text("data.origin") == "bounce":
        return "bounced"
    if item.text("type") == "email.complained" or item.text("data.origin") == "complaint":
        return "complained"
    return "suppressed" if item.text("type") == "suppression.added" else None


ORIGINS = {"bounce": "suppressed after a bounce", "manual": "suppressed by hand"}


def unknown_origin(of: Happening) -> Translation:
    raise PayloadError(f"suppressed for an unknown cause {(of.item.text('data.origin') or '')[:40]!r}")


def contact(of: Happening) -> Translation:
    """Only a change makes an event, and only one that ends a subscription: who began one again is not told."""
    unsubscribed = of.item.flag("data.unsubscribed")
    if unsubscribed is None:
        raise PayloadError("a contact that is neither subscribed nor unsubscribed")
    whose = of.mail.subscriber  # an address is one contact at Resend
    memory_key = MemoryKey("contact", whose)
    known = of.context.memory.recall(memory_key) or {"unsubscribed": False}
    since = moment.to_iso(of.event.occurred_at)
    state = {"subscriber": whose, "unsubscribed": unsubscribed, "since": since}
    memo = Memo(memory_key, state, of.event.occurred_at)
    late = of.event.reported_at is not None and known.get("since", "") > since
    if known["unsubscribed"] or not unsubscribed or late:
        return taught(memo)
    return replace(mail.unsubscribed(of), memos=(memo,))


def topics(of: Happening) -> Translation:
    """One event for each topic that somebody has left."""
    told = {one.text("subscription") for one in of.item.parts("data.topics")}
    if told.isdisjoint(("opt_in", "opt_out")):
        raise PayloadError("topics changed, but none is told")
    left = [place for place, one in enumerate(of.item.parts("data.topics")) if one.text("subscription") == "opt_out"]
    if not left:
        return ignored("who chose the topic, the person or the sender, is not told, so it is no consent")
    return translated(*(made for place in left for made in mail.unsubscribed(of_topic(of, place)).events))


def of_topic(of: Happening, place: int) -> Happening:
    topic = list(of.item.parts("data.topics"))[place].id("id")
    keys = tuple(f"{key}:{topic or place}" for key in of.keys)
    return of.with_mail(replace(of.mail, keys=keys, reason=f"topic {topic}" if topic else None))


# https://resend.com/docs/dashboard/emails/email-bounces; without a type the event means a permanent one
BOUNCES = {
    "Suppressed": Bounce(HARD, REJECTED),
    "OnAccountSuppressionList": Bounce(HARD, REJECTED),
    "ContentRejected": Bounce(SOFT, BLOCKED),
    "AttachmentRejected": Bounce(SOFT, BLOCKED),
    "MessageRejected": Bounce(SOFT, BLOCKED),
    "Permanent": Bounce(HARD),
    "Transient": Bounce(SOFT),
    "Temporary": Bounce(SOFT),
    "Undetermined": Bounce(UNDETERMINED),
}


def permanence(item: Item) -> str:
    return item.text("data.bounce.type") or "Permanent"


TABLE: Acts = {
    "email.sent": mail.sent,
    "email.delivered": mail.delivered,
    "email.delivery_delayed": mail.delayed,
    "email.opened": mail.opened,
    "email.clicked": mail.clicked,
    "email.bounced": mail.by(("data.bounce.subType", permanence), BOUNCES, Bounce(UNDETERMINED)),
    "email.suppressed": Bounce(UNDETERMINED, REJECTED),  # after a bounce, a complaint or by hand: it is not told which
    "email.failed": Bounce(SOFT, REJECTED),  # for the sender's or the message's sake
    "email.complained": mail.complained,
    "suppression.added": mail.by(
        "data.origin",
        {"bounce": Bounce(HARD), "complaint": mail.complained, "manual": mail.unsubscribed},
        unknown_origin,
    ),
    "contact.created": contact,
    "contact.updated": contact,
    "contact.topics.updated": topics,
}

IGNORED = {
    "email.received": "mail that came in",
    "email.scheduled": "not sent yet",
    "contact.deleted": "to be taken off a list says nothing about consent",
    "suppression.removed": "that mail may be sent again is no consent",
    "domain.*": "about the Resend account, not about a subscriber",
    "topic.*": "about the Resend account, not about a subscriber",
    "inbox.*": "about a mailbox at Resend, not about mail to subscribers",
    f"{SEVERAL}*": "the message has several recipients, and who of them it was is not told",
}

adapter = Adapter(
    name="resend",
    title="Resend",
    docs=Docs(
        events="https://resend.com/docs/webhooks/event-types",
        security="https://resend.com/docs/webhooks/verify-webhooks-requests",
    ),
    scheme=lambda options: SCHEME,
    split=Batch(kind, id=("id",), times=("created_at",), items=items),
    handlers=mail.handlers(read, TABLE),
    ignored=IGNORED,
    options=mail.MailOptions,
    delivery_id=delivery_id,
)
