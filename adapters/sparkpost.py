"""SparkPost's event webhooks: arrays in which each event is wrapped twice, in `msys` and in the name of its class.

events:   https://developers.sparkpost.com/api/webhooks/
security: https://support.sparkpost.com/docs/tech-resources/webhook-authentication

Nothing is signed: SparkPost sends user and password, a bearer token or a header of one's own. Most numbers are texts;
some times are ISO 8601 (generation failures). `[{"msys": {}}]` is how SparkPost tries a URL.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from gateway.errors import PayloadError
from gateway.translation import bounce, key, mail, moment, person
from gateway.translation.adapter import Adapter, Context, Docs, Handlers, SourceEvent, Translation, Unreadable, ignored
from gateway.translation.payload import Flag, Part, PayloadSchema, Text
from gateway.translation.shared_secret import SharedSecretOptions, shared_secret
from gateway.translation.webhook import VerifiedWebhook


class SparkPostOptions(mail.MailOptions, SharedSecretOptions):
    """`auth: basic` is what SparkPost calls basic; its own headers are `header`, or `bearer` for Authorization."""


INBOUND = "relay_message"


def split(verified: VerifiedWebhook) -> Sequence[SourceEvent | Unreadable]:
    batch = verified.json
    if not isinstance(batch, list):
        raise PayloadError("the body is not an array of events")
    return [made for position, item in enumerate(batch) for made in _source_events(position, item, verified)]


def _source_events(position: int, item: object, verified: VerifiedWebhook) -> Iterator[SourceEvent | Unreadable]:
    """One for each class in `msys`: there is one, or none where SparkPost tries the URL."""
    wrapped = item.get("msys") if isinstance(item, dict) else None
    if not isinstance(wrapped, dict):
        yield Unreadable(f"item {position} is no event: it has no `msys`")
        return
    for event_class, told in wrapped.items():
        if event_class == INBOUND:  # has neither type nor time
            yield SourceEvent(None, INBOUND, verified.webhook.received_at, {})
        else:
            yield _source_event(position, told)


def _source_event(position: int, told: object) -> SourceEvent | Unreadable:
    if not isinstance(told, dict) or not isinstance(told.get("type"), str):
        return Unreadable(f"item {position} is no event: it has no `type`")
    try:
        occurred_at = _time(told.get("timestamp"))
    except PayloadError as error:
        return Unreadable(f"item {position}: timestamp is {error}")
    id_ = told.get("event_id")
    return SourceEvent(id_ if isinstance(id_, str) and id_ else None, told["type"], occurred_at, told)


def _time(told: object) -> datetime:
    return moment.from_iso(told) if isinstance(told, str) and "T" in told else moment.from_unix(told)


def delivery_id(verified: VerifiedWebhook) -> str | None:
    return verified.headers.get("X-MessageSystems-Batch-ID") or None


class MailSchema(PayloadSchema):
    rcpt_to = Text()  # in lower case
    raw_rcpt_to = Text()  # as it was written; either may be missing
    transmission_id = Text()
    message_id = Text()
    campaign_id = Text()
    subject = Text()


class AgentSchema(PayloadSchema):
    is_prefetched = Flag()  # loaded before anybody looked: Apple's Mail Privacy Protection and the like


class ReaderSchema(MailSchema):
    user_agent_parsed = Part(AgentSchema)


class ClickSchema(ReaderSchema):
    target_link_url = Text(required=True)
    target_link_name = Text()


class BounceSchema(MailSchema):
    bounce_class = Text()
    error_code = Text()
    reason = Text()
    raw_reason = Text()


handlers = Handlers()


@handlers.on("injection", schema=MailSchema)
def sent(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.sent(_mail(told, event), context)


@handlers.on("delivery", schema=MailSchema)
def delivered(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delivered(_mail(told, event), context)


@handlers.on("delay", schema=MailSchema)
def delayed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delayed(_mail(told, event), context)


@handlers.on("open", "amp_open", schema=ReaderSchema)
def opened(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.opened(_mail(told, event), context, machine=_by_machine(told))


@handlers.on("click", "amp_click", schema=ClickSchema)
def clicked(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    url, link = told["target_link_url"], told["target_link_name"]
    return mail.clicked(_mail(told, event, url), context, url, link=link or None, machine=_by_machine(told))


# https://support.sparkpost.com/docs/deliverability/bounce-classification-codes
CLASSES = {
    "1": (bounce.UNDETERMINED, "sent"),
    "10": (bounce.HARD, "sent"),  # invalid recipient
    "20": (bounce.SOFT, "sent"),
    "21": (bounce.SOFT, "sent"),  # DNS failure
    "22": (bounce.SOFT, "sent"),  # mailbox full
    "23": (bounce.SOFT, "sent"),  # too large
    "24": (bounce.SOFT, "sent"),  # timeout
    "25": (bounce.UNDETERMINED, "rejected"),  # SparkPost's policies, the suppression list among them
    "26": (bounce.SOFT, "rejected"),  # held back as not worth sending
    "30": (bounce.HARD, "sent"),  # no such recipient
    "40": (bounce.SOFT, "sent"),  # for an unspecified reason
    "50": (bounce.SOFT, "blocked"),  # by the receiver
    "51": (bounce.SOFT, "blocked"),  # known as a source of spam
    "52": (bounce.SOFT, "blocked"),  # looks like spam
    "53": (bounce.SOFT, "blocked"),  # prohibited attachment
    "54": (bounce.SOFT, "blocked"),  # relaying denied
    "70": (bounce.SOFT, "sent"),
}
NO_BOUNCES = {
    "60": "an automatic answer: the e-mail arrived",
    "80": "a mail that asks to be subscribed, which is no consent",
    "100": "an automatic question back: the e-mail arrived",
}
UNSUBSCRIBED = "90"


@handlers.on("bounce", "out_of_band", schema=BounceSchema)
def bounced(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """What came back, and what of it is no bounce; a class that is not known says nothing."""
    bounce_class = told["bounce_class"]
    if bounce_class in NO_BOUNCES:
        return ignored(NO_BOUNCES[bounce_class])
    if bounce_class == UNSUBSCRIBED:
        return mail.unsubscribed(_mail(told, event), context, "a mail that asks to be unsubscribed")
    label, stage = CLASSES.get(bounce_class, (bounce.UNDETERMINED, "sent"))
    return _bounced(told, event, context, label, stage)


@handlers.on("policy_rejection", "generation_rejection", schema=BounceSchema)
def rejected(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """Not even tried; SparkPost tells the suppression list and its other policies apart in words only."""
    return _bounced(told, event, context, bounce.UNDETERMINED, "rejected")


@handlers.on("generation_failure", schema=BounceSchema)
def failed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """The template could not be filled in, which says nothing of the address."""
    return _bounced(told, event, context, bounce.SOFT, "rejected")


@handlers.on("spam_complaint", schema=MailSchema)
def complained(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.complained(_mail(told, event), context)


@handlers.on("list_unsubscribe", "link_unsubscribe", schema=MailSchema)
def unsubscribed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.unsubscribed(_mail(told, event), context)


IGNORED = {
    "initial_open": "the top of an e-mail that `open` tells of as well",
    "amp_initial_open": "the top of an e-mail that `amp_open` tells of as well",
    "sms_status": "text messages, not mail",
    "relay_*": "mail that was received, not sent",
    "ab_test_*": "about a test of templates, not about a subscriber",
    "success": "about an upload of events, not about a subscriber",
    "error": "about an upload of events, not about a subscriber",
}


def _by_machine(told: Mapping[str, Any]) -> bool:
    return told["user_agent_parsed"]["is_prefetched"] is True


def _bounced(told: Mapping[str, Any], event: SourceEvent, context: Context, label: str, stage: str) -> Translation:
    words = told["raw_reason"] or told["reason"]
    kind, reason = bounce.judge(label, words, told["error_code"]), bounce.reason(words, told["error_code"])
    return mail.bounced(_mail(told, event), context, kind=kind, reason=reason, stage=stage)


def _mail(told: Mapping[str, Any], event: SourceEvent, url: str | None = None) -> mail.Mail:
    subscriber = person.first_email(told["raw_rcpt_to"], told["rcpt_to"])
    if subscriber is None:
        raise PayloadError("neither `raw_rcpt_to` nor `rcpt_to` is an e-mail address")
    email_id = told["transmission_id"] or told["message_id"]
    at = event.occurred_at.isoformat()
    name = f"event:{event.id}" if event.id else key.composed(event.type, told["message_id"], subscriber, at, url)
    return mail.Mail(
        subscriber=subscriber,
        email_id=email_id or name,
        key=name,
        occurred_at=event.occurred_at,
        campaign=told["campaign_id"] or None,
        subject=told["subject"],
    )


adapter = Adapter(
    name="sparkpost",
    title="SparkPost",
    docs=Docs(
        events="https://developers.sparkpost.com/api/webhooks/",
        security="https://support.sparkpost.com/docs/tech-resources/webhook-authentication",
    ),
    scheme=shared_secret,
    split=split,
    handlers=handlers,
    ignored=IGNORED,
    options=SparkPostOptions,
    delivery_id=delivery_id,
)
