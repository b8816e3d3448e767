"""SparkPost's event webhooks: arrays in which each event is wrapped twice, in `msys` and in the name of its class.

Nothing is signed: SparkPost sends user and password, a bearer token or a header of one's own. Most numbers are texts;
some times are ISO 8601 (generation failures). `[{"msys": {}}]` is how SparkPost tries a URL.
An opening is told as `initial_open` (the picture at the top) and as `open` (the one at the end), where both are ticked:
an `open` teaches that it is, and from then on the first of the two is left out. One that was told before is one fact
with the `open` of the same message.
"""

from collections.abc import Iterable
from dataclasses import replace

from gateway.errors import PayloadError
from gateway.events import MemoryKey
from gateway.translation import mail
from gateway.translation.adapter import Adapter, Docs, Memo, Translation, ignored
from gateway.translation.batch import Batch
from gateway.translation.item import Item
from gateway.translation.mail import BLOCKED, HARD, REJECTED, SOFT, UNDETERMINED, Acts, Bounce, Happening, Mail
from gateway.translation.shared_secret import SharedSecretOptions, shared_secret
from gateway.translation.webhook import VerifiedWebhook


class SparkPostOptions(mail.MailOptions, SharedSecretOptions):
    """`auth: basic` is what SparkPost calls basic; its own headers are `header`, or `bearer` for Authorization."""


INBOUND = "relay_message"
INITIAL = "initial_open"


def items(verified: VerifiedWebhook) -> Iterable[object]:
    """One for each class in `msys`: there is one, or none where SparkPost tries the URL. First openings come last, so
    that the others of a batch have taught by then.
    """
    if not isinstance(verified.json, list):
        raise PayloadError("the body is not an array of events")
    found = [told for wrapped in verified.json for told in _unwrapped(wrapped)]
    return sorted(found, key=lambda told: isinstance(told, dict) and str(told.get("type")).endswith(INITIAL))


def _unwrapped(wrapped: object) -> Iterable[object]:
    classes = wrapped.get("msys") if isinstance(wrapped, dict) else None
    if not isinstance(classes, dict):
        return [None]
    return [{"type": INBOUND} if name == INBOUND else told for name, told in classes.items()]  # mail itself has no type


def delivery_id(verified: VerifiedWebhook) -> str | None:
    return verified.headers.get("X-MessageSystems-Batch-ID") or None


def read(item: Item) -> Mail:
    return Mail(
        item.email("raw_rcpt_to", "rcpt_to"),  # as it was written, and in lower case; either may be missing
        id=item.id("transmission_id", "message_id"),
        campaign=item.text("campaign_id"),
        subject=item.text("subject"),
        url=item.text("target_link_url"),
        link=item.text("target_link_name"),
        machine=item.flag("user_agent_parsed.is_prefetched") is True,  # loaded before anybody looked
        words=item.text("raw_reason", "reason"),
        status=item.text("error_code"),
        feedback=item.text("fbtype"),
        names=(item.id("message_id"),),
    )


def opened(of: Happening) -> Translation:
    """Where the top of the message was told of as an opening, the first of these is the same one."""
    memos = [Memo(MemoryKey("ticked", of.event.type), {"told": True}, of.event.occurred_at)]
    top = top_of(of, of.event.type)
    known = of.context.memory.recall(top) if top else None
    if top and known and known.get("with", of.keys[0]) == of.keys[0]:
        memos.append(Memo(top, {"with": of.keys[0]}, of.event.occurred_at))
        of = of.with_mail(replace(of.mail, keys=(*of.keys, known["key"])))
    return replace(mail.opened(of), memos=tuple(memos))


def opened_at_the_top(of: Happening) -> Translation:
    fully = of.event.type.replace(INITIAL, "open")
    if of.context.memory.recall(MemoryKey("ticked", fully)):
        return ignored(f"the top of an e-mail that `{fully}` tells of as well")
    top = top_of(of, fully)
    told = {"key": of.keys[0], "subscriber": of.mail.subscriber}
    return replace(mail.opened(of), memos=(Memo(top, told, of.event.occurred_at),) if top else ())


def top_of(of: Happening, fully: str) -> MemoryKey | None:
    """Under what the opening of a message's top is remembered."""
    message = of.item.id("message_id", "transmission_id")
    return MemoryKey("top", f"{fully}:{message}:{of.mail.subscriber}") if message else None


# `bounce_class`: https://support.sparkpost.com/docs/deliverability/bounce-classification-codes
CLASSES: Acts = {
    "1": Bounce(UNDETERMINED),
    "10": Bounce(HARD),  # invalid recipient
    "20": Bounce(SOFT),
    "21": Bounce(SOFT),  # DNS failure
    "22": Bounce(SOFT),  # mailbox full
    "23": Bounce(SOFT),  # too large
    "24": Bounce(SOFT),  # timeout
    "25": Bounce(UNDETERMINED, REJECTED),  # SparkPost's policies, the suppression list among them
    "26": Bounce(SOFT, REJECTED),  # held back as not worth sending
    "30": Bounce(HARD),  # no such recipient
    "40": Bounce(SOFT),  # for an unspecified reason
    "50": Bounce(SOFT, BLOCKED),  # by the receiver
    "51": Bounce(SOFT, BLOCKED),  # known as a source of spam
    "52": Bounce(SOFT, BLOCKED),  # looks like spam
    "53": Bounce(SOFT, BLOCKED),  # prohibited attachment
    "54": Bounce(SOFT, BLOCKED),  # relaying denied
    "60": mail.left_out("an automatic answer: the e-mail arrived"),
    "70": Bounce(SOFT),
    "80": mail.left_out("a mail that asks to be subscribed, which is no consent"),
    "90": lambda of: mail.unsubscribed(of.with_mail(replace(of.mail, reason="a mail that asks to be unsubscribed"))),
    "100": mail.left_out("an automatic question back: the e-mail arrived"),
}

TABLE: Acts = {
    "injection": mail.sent,
    "delivery": mail.delivered,
    "delay": mail.delayed,
    "open": opened,
    "amp_open": opened,
    "initial_open": opened_at_the_top,
    "amp_initial_open": opened_at_the_top,
    "click": mail.clicked,
    "amp_click": mail.clicked,
    "bounce": mail.by("bounce_class", CLASSES, Bounce(UNDETERMINED)),
    "out_of_band": mail.by("bounce_class", CLASSES, Bounce(UNDETERMINED)),
    # SparkPost tells the suppression list and its other policies apart in words only
    "policy_rejection": Bounce(UNDETERMINED, REJECTED),
    "generation_rejection": Bounce(UNDETERMINED, REJECTED),
    "generation_failure": Bounce(SOFT, REJECTED),  # the template could not be filled in
    "spam_complaint": mail.complained,
    "list_unsubscribe": mail.unsubscribed,
    "link_unsubscribe": mail.unsubscribed,
}

IGNORED = {
    "sms_status": "text messages, not mail",
    "relay_*": "mail that was received, not sent",
    "ab_test_*": "about a test of templates, not about a subscriber",
    "success": "about an upload of events, not about a subscriber",
    "error": "about an upload of events, not about a subscriber",
}

adapter = Adapter(
    name="sparkpost",
    title="SparkPost",
    docs=Docs(
        events="https://developers.sparkpost.com/api/webhooks/",
        security="https://support.sparkpost.com/docs/tech-resources/webhook-authentication",
    ),
    scheme=shared_secret,
    split=Batch("type", id=("event_id",), times=("timestamp",), items=items),
    handlers=mail.handlers(read, TABLE),
    ignored=IGNORED,
    options=SparkPostOptions,
    delivery_id=delivery_id,
)
