"""Brevo's transactional and marketing webhooks: one event, or an array where the webhook is batched.

events:   https://developers.brevo.com/docs/transactional-webhooks and https://developers.brevo.com/docs/marketing-webhooks
security: https://developers.brevo.com/docs/username-and-password-authentication

Nothing is signed: Brevo sends user and password, a bearer token or a header of one's own. Events have no id (`id` is
the webhook's), so their content names them. `ts_epoch` and `ts_event` are UTC; `date` and the like are of some other
zone and are not read. Both kinds of webhooks use the same words; what has a `camp_id` is about a campaign's e-mail and
has no message id.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gateway.errors import PayloadError
from gateway.translation import bounce, json_body, key, mail, moment
from gateway.translation.adapter import Adapter, Context, Docs, Handlers, SourceEvent, Translation, Unreadable
from gateway.translation.payload import Email, First, PayloadSchema, Text
from gateway.translation.shared_secret import SharedSecretOptions, shared_secret
from gateway.translation.webhook import VerifiedWebhook

TIMES = ("ts_epoch", "ts_event", "ts")
"""Where the time of an event may stand, the most exact first. The last is told of contacts, where it alone stands."""


class BrevoOptions(mail.MailOptions, SharedSecretOptions):
    """A token at Brevo is `auth: bearer`, a header of one's own `auth: header`."""


def split(verified: VerifiedWebhook) -> Sequence[SourceEvent | Unreadable]:
    told = verified.json
    if isinstance(told, list):
        return [_source_event(f"item {position}", item) for position, item in enumerate(told)]
    return [_source_event("the body", json_body.an_object(told, "the body"))]


def _source_event(place: str, item: object) -> SourceEvent | Unreadable:
    if not isinstance(item, dict) or not isinstance(item.get("event"), str):
        return Unreadable(f"{place} is no event: it has no `event`")
    try:
        return SourceEvent(None, item["event"], _time(item), item)
    except PayloadError as error:
        return Unreadable(f"{place}: time is {error}")


def _time(item: Mapping[str, Any]) -> datetime:
    return moment.from_unix(next((item[name] for name in TIMES if item.get(name)), None))


class TagField(First):
    """`tag` is bare text, or a JSON array of texts in a text: the first counts."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str | None:
        return super()._deserialize(_unpacked(value), attr, data, **kwargs)


def _unpacked(tag: object) -> object:
    if not isinstance(tag, str) or not tag.lstrip().startswith("["):
        return tag
    try:
        return json_body.load(tag.encode(errors="replace"))
    except PayloadError:
        return tag  # it only looks like an array


class MailSchema(PayloadSchema):
    email = Email(required=True)
    message_id = Text(data_key="message-id")
    subject = Text()
    tags = First()
    tag = TagField()
    camp_id = Text()
    campaign_name = Text(data_key="campaign name")
    ts_epoch = Text()
    ts_event = Text()
    ts = Text()


class ClickSchema(MailSchema):
    link = Text()  # transactional
    campaign_link = Text(data_key="URL")  # marketing


class BounceSchema(MailSchema):
    reason = Text()


handlers = Handlers()


@handlers.on("request", schema=MailSchema)
def sent(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.sent(_mail(told, event, "request"), context)


@handlers.on("delivered", schema=MailSchema)
def delivered(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delivered(_mail(told, event, "delivered"), context)


@handlers.on("deferred", schema=MailSchema)
def deferred(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delayed(_mail(told, event, "deferred"), context)


@handlers.on("opened", "unique_opened", schema=MailSchema)
def opened(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """The first opening is `unique_opened`, alone or besides `opened`: both name one fact."""
    return mail.opened(_mail(told, event, "opened"), context)


@handlers.on("proxy_open", "unique_proxy_open", schema=MailSchema)
def opened_by_proxy(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """A proxy loaded it, Apple's Mail Privacy Protection first of all."""
    return mail.opened(_mail(told, event, "proxy_open"), context, machine=True)


@handlers.on("click", schema=ClickSchema)
def clicked(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    url = told["link"] or told["campaign_link"]
    if not url:
        raise PayloadError("a click without `link` or `URL`")
    return mail.clicked(_mail(told, event, "click", url), context, url)


# What became of the address, and where the e-mail was stopped.
BOUNCES = {
    "hard_bounce": (bounce.HARD, "sent"),
    "soft_bounce": (bounce.SOFT, "sent"),
    "invalid_email": (bounce.HARD, "rejected"),  # not an address, or known not to exist
    "blocked": (bounce.UNDETERMINED, "rejected"),  # on Brevo's block list: bounced, complained or unsubscribed before
    "error": (bounce.SOFT, "rejected"),  # at Brevo
}


@handlers.on(*BOUNCES, schema=BounceSchema)
def bounced(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    label, stage = BOUNCES[event.type]
    kind, reason = bounce.judge(label, told["reason"]), told["reason"]
    return mail.bounced(_mail(told, event, event.type), context, kind=kind, reason=reason, stage=stage)


@handlers.on("spam", "complaint", schema=MailSchema)  # the second was seen, though the documentation has the first only
def complained(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.complained(_mail(told, event, "spam"), context)


@handlers.on("unsubscribed", "unsubscribe", schema=MailSchema)  # transactional, marketing
def unsubscribed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.unsubscribed(_mail(told, event, "unsubscribed"), context)


IGNORED = {
    "list_addition": "being put on a list at Brevo, which is no consent to mail",
    "contact_updated": "about a contact's attributes at Brevo",
    "contact_deleted": "about Brevo's own list of contacts",
}


def _mail(told: Mapping[str, Any], event: SourceEvent, happening: str, url: str | None = None) -> mail.Mail:
    """`happening` is one word where Brevo has two for one fact."""
    message_id = (told["message_id"] or "").strip("<>") or None
    campaign_mail = f"campaign-{told['camp_id']}" if told["camp_id"] else None  # e-mails of campaigns have no id
    times = (told["ts_epoch"], told["ts_event"]) if told["ts_epoch"] or told["ts_event"] else (told["ts"],)
    name = key.composed(happening, message_id or campaign_mail, told["email"], *times, url)
    return mail.Mail(
        subscriber=told["email"],
        email_id=message_id or campaign_mail or name,
        key=name,
        occurred_at=event.occurred_at,
        campaign=told["camp_id"] or told["tags"] or told["tag"],
        campaign_name=told["campaign_name"],
        subject=told["subject"],
    )


adapter = Adapter(
    name="brevo",
    title="Brevo",
    docs=Docs(
        events="https://developers.brevo.com/docs/transactional-webhooks",
        security="https://developers.brevo.com/docs/username-and-password-authentication",
    ),
    scheme=shared_secret,
    split=split,
    handlers=handlers,
    ignored=IGNORED,
    options=BrevoOptions,
)
