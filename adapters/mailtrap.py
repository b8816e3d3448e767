"""Mailtrap's webhooks: batches of what became of each e-mail, as one JSON object or one JSON text a line.

events:   https://docs.mailtrap.io/email-api-smtp/advanced/webhooks
security: https://docs.mailtrap.io/email-api-smtp/advanced/webhooks#verifying-the-signature

A soft bounce is tried ten more times and a suspended e-mail is looked at ten more times, so neither is final:
https://docs.mailtrap.io/email-api-smtp/analytics/statuses-and-events
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.errors import PayloadError
from gateway.translation import bounce, json_body, key, mail, moment, schemes
from gateway.translation.adapter import Adapter, Context, Docs, Handlers, SourceEvent, Translation, Unreadable
from gateway.translation.payload import Email, PayloadSchema, Text
from gateway.translation.webhook import VerifiedWebhook

SCHEME = schemes.Hmac(header="Mailtrap-Signature")


def split(verified: VerifiedWebhook) -> Sequence[SourceEvent | Unreadable]:
    return [_source_event(position, item) for position, item in enumerate(_items(verified))]


def _items(verified: VerifiedWebhook) -> Sequence[object]:
    """The events of a body in either of the two formats that can be chosen at Mailtrap."""
    try:
        told = json_body.an_object(verified.json, "the body")
    except PayloadError:
        lines = [_read(line) for line in verified.body.splitlines() if line.strip()]
        if any(map(_is_event, lines)):
            return lines
        raise
    if _is_event(told):
        return [told]
    events = told.get("events")
    if not isinstance(events, list):
        raise PayloadError("the body has no `events`")
    return events


def _read(line: bytes) -> object:
    """None for what is not JSON: it is quarantined alone."""
    try:
        return json_body.load(line)
    except PayloadError:
        return None


def _is_event(item: object) -> bool:
    return isinstance(item, dict) and isinstance(item.get("event"), str)


def _source_event(position: int, item: object) -> SourceEvent | Unreadable:
    if not isinstance(item, dict) or not isinstance(item.get("event"), str):
        return Unreadable(f"item {position} is no event: it has no `event`")
    try:
        occurred_at = moment.from_unix(item.get("timestamp"))
    except PayloadError as error:
        return Unreadable(f"item {position}: timestamp is {error}")
    id_ = item.get("event_id")
    return SourceEvent(
        id=id_ if isinstance(id_, str) and id_ else None,
        type=item["event"],
        occurred_at=occurred_at,
        payload=item,
    )


class MailSchema(PayloadSchema):
    email = Email(required=True)
    message_id = Text(required=True)
    category = Text()


class ClickSchema(MailSchema):
    url = Text(required=True)


class BounceSchema(MailSchema):
    bounce_category = Text()
    response = Text()
    response_code = Text()
    reason = Text()


handlers = Handlers()


@handlers.on("delivery", schema=MailSchema)
def delivered(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delivered(_mail(told, event), context)


@handlers.on("open", schema=MailSchema)
def opened(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.opened(_mail(told, event), context)


@handlers.on("click", schema=ClickSchema)
def clicked(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.clicked(_mail(told, event, told["url"]), context, told["url"])


# The reference writes the first where it shows payloads, the second where it lists what can be chosen.
@handlers.on("soft bounce", "soft_bounce", schema=MailSchema)
def deferred(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delayed(_mail(told, event), context)


@handlers.on("suspension", schema=MailSchema)
def suspended(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """The sending domain is not verified yet; Mailtrap looks again."""
    return mail.delayed(_mail(told, event), context)


# A `bounce` is final; these are the reasons that are none of the address. What is not here says no more than that.
# https://docs.mailtrap.io/email-api-smtp/deliverability/bounce-categorization
CATEGORIES = {
    "transientfail": (bounce.SOFT, "sent"),
    "greylisting": (bounce.SOFT, "sent"),
    "dnsfail": (bounce.SOFT, "sent"),
    "generalfail": (bounce.SOFT, "sent"),
    "badsender": (bounce.SOFT, "blocked"),
    "block": (bounce.SOFT, "blocked"),
    "content": (bounce.SOFT, "blocked"),
}


@handlers.on("bounce", schema=BounceSchema)
def bounced(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    label, stage = CATEGORIES.get((told["bounce_category"] or "").lower(), (bounce.HARD, "sent"))
    return mail.bounced(
        _mail(told, event),
        context,
        kind=bounce.judge(label, told["response"]),
        reason=bounce.reason(told["response"], told["response_code"]) or told["bounce_category"],
        stage=stage,
    )


@handlers.on("reject", schema=BounceSchema)
def rejected(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """On a suppression list, or the sending domain was not verified in time: Mailtrap does not tell which."""
    kind = bounce.judge(bounce.UNDETERMINED, told["response"])
    reason = told["reason"] or told["response"]
    return mail.bounced(_mail(told, event), context, kind=kind, reason=reason, stage="rejected")


@handlers.on("spam", schema=MailSchema)
def complained(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.complained(_mail(told, event), context)


@handlers.on("unsubscribe", schema=MailSchema)
def unsubscribed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.unsubscribed(_mail(told, event), context)


IGNORED = {
    "inbound.*": "mail that was received, not sent",
}


def _mail(told: Mapping[str, Any], event: SourceEvent, url: str | None = None) -> mail.Mail:
    at = event.occurred_at.isoformat()
    composed = key.composed(event.type, told["message_id"], told["email"], at, url)
    return mail.Mail(
        subscriber=told["email"],
        email_id=told["message_id"],
        key=f"event:{event.id}" if event.id else composed,
        occurred_at=event.occurred_at,
        campaign=told["category"] or None,
    )


adapter = Adapter(
    name="mailtrap",
    title="Mailtrap",
    docs=Docs(
        events="https://docs.mailtrap.io/email-api-smtp/advanced/webhooks",
        security="https://docs.mailtrap.io/email-api-smtp/advanced/webhooks#verifying-the-signature",
    ),
    scheme=lambda options: SCHEME,
    split=split,
    handlers=handlers,
    ignored=IGNORED,
    options=mail.MailOptions,
)
