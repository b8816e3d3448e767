"""Mailjet's Event API: one event, or an array of what happened in a second where events are grouped.

events:   https://dev.mailjet.com/email/guides/webhooks/
security: https://documentation.mailjet.com/hc/en-us/articles/360043578154-Event-Tracking-API

Nothing is signed: user and password stand in the URL. Events have no id, so their content names them.
`sent` means that the receiving server took the e-mail; there is no event for Mailjet's having taken it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.errors import PayloadError
from gateway.translation import bounce, json_body, key, mail, moment, schemes
from gateway.translation.adapter import Adapter, Context, Docs, Handlers, SourceEvent, Translation, Unreadable
from gateway.translation.payload import Email, Flag, PayloadSchema, Text
from gateway.translation.webhook import VerifiedWebhook

SCHEME = schemes.Basic()


def split(verified: VerifiedWebhook) -> Sequence[SourceEvent | Unreadable]:
    told = verified.json
    if isinstance(told, list):
        return [_source_event(f"item {position}", item) for position, item in enumerate(told)]
    return [_source_event("the body", json_body.an_object(told, "the body"))]


def _source_event(place: str, item: object) -> SourceEvent | Unreadable:
    if not isinstance(item, dict) or not isinstance(item.get("event"), str):
        return Unreadable(f"{place} is no event: it has no `event`")
    try:
        return SourceEvent(None, item["event"], moment.from_unix(item.get("time")), item)
    except PayloadError as error:
        return Unreadable(f"{place}: time is {error}")


class MailSchema(PayloadSchema):
    email = Email(required=True)
    message_id = Text(data_key="MessageID")  # an integer of more than 53 bits
    former_message_id = Text(data_key="mj_message_id")
    custom_campaign = Text(data_key="customcampaign")
    campaign_id = Text(data_key="mj_campaign_id")


class ClickSchema(MailSchema):
    url = Text(required=True)


class BounceSchema(MailSchema):
    hard_bounce = Flag()
    error = Text()
    comment = Text()


class ListSchema(MailSchema):
    list_id = Text(data_key="mj_list_id")


handlers = Handlers()


@handlers.on("sent", schema=MailSchema)
def delivered(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delivered(_mail(told, event), context)


@handlers.on("open", schema=MailSchema)
def opened(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.opened(_mail(told, event), context)


@handlers.on("click", schema=ClickSchema)
def clicked(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.clicked(_mail(told, event, told["url"]), context, told["url"])


GREYLISTED = "greylisted"

# What each `error` says of the address, and where the e-mail was stopped; in the order of the reference's table.
ERRORS = {
    "user unknown": (bounce.HARD, "sent"),
    "mailbox inactive": (bounce.HARD, "sent"),
    "quota exceeded": (bounce.SOFT, "sent"),
    "blacklisted": (bounce.UNDETERMINED, "rejected"),  # by the sender's own doing, or because of what was before
    "spam reporter": (bounce.UNDETERMINED, "rejected"),  # complained before
    "invalid domain": (bounce.HARD, "sent"),
    "no mail host": (bounce.HARD, "sent"),
    "relay/access denied": (bounce.SOFT, "blocked"),
    GREYLISTED: (bounce.SOFT, "sent"),
    "typofix": (bounce.HARD, "rejected"),
    "sender blocked": (bounce.SOFT, "blocked"),
    "content blocked": (bounce.SOFT, "blocked"),
    "policy issue": (bounce.SOFT, "blocked"),
    "system issue": (bounce.SOFT, "sent"),
    "protocol issue": (bounce.SOFT, "sent"),
    "connection issue": (bounce.SOFT, "sent"),
    "preblocked": (bounce.HARD, "rejected"),  # bounced lately or repeatedly
    "duplicate in campaign": (bounce.SOFT, "rejected"),
}
PERMANENCE = {True: bounce.HARD, False: bounce.SOFT, None: bounce.UNDETERMINED}


@handlers.on("bounce", schema=BounceSchema)
def bounced(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """An `error` that is not in the table says no more than `hard_bounce` does."""
    if told["error"] == GREYLISTED and not told["hard_bounce"]:
        return mail.delayed(_mail(told, event), context)  # Mailjet tries again
    label, stage = ERRORS.get(told["error"], (PERMANENCE[told["hard_bounce"]], "sent"))
    return _bounced(told, event, context, label, stage)


@handlers.on("blocked", schema=BounceSchema)
def blocked(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    """Not even tried, unless the receiving server took offence at sender or content."""
    label, stage = ERRORS.get(told["error"], (bounce.UNDETERMINED, "rejected"))
    return _bounced(told, event, context, label, "blocked" if stage == "blocked" else "rejected")


@handlers.on("spam", schema=MailSchema)
def complained(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.complained(_mail(told, event), context)


@handlers.on("unsub", schema=ListSchema)
def unsubscribed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    list_id = told["list_id"]
    reason = f"contact list {list_id}" if list_id and list_id != "0" else None
    return mail.unsubscribed(_mail(told, event, list_id), context, reason)


def _bounced(told: Mapping[str, Any], event: SourceEvent, context: Context, label: str, stage: str) -> Translation:
    kind, reason = bounce.judge(label, told["comment"]), told["comment"] or told["error"]
    return mail.bounced(_mail(told, event), context, kind=kind, reason=reason, stage=stage)


def _mail(told: Mapping[str, Any], event: SourceEvent, *besides: str | None) -> mail.Mail:
    """`besides` is what tells this happening from others of the same e-mail, type and second."""
    message_id = told["message_id"] or told["former_message_id"]
    name = key.composed(event.type, message_id, told["email"], event.occurred_at.isoformat(), *besides)
    campaign_id = told["campaign_id"] if told["campaign_id"] != "0" else None
    return mail.Mail(
        subscriber=told["email"],
        email_id=message_id or name,
        key=name,
        occurred_at=event.occurred_at,
        campaign=told["custom_campaign"] or campaign_id,
    )


adapter = Adapter(
    name="mailjet",
    title="Mailjet",
    docs=Docs(
        events="https://dev.mailjet.com/email/guides/webhooks/",
        security="https://documentation.mailjet.com/hc/en-us/articles/360043578154-Event-Tracking-API",
    ),
    scheme=lambda options: SCHEME,
    split=split,
    handlers=handlers,
    options=mail.MailOptions,
)
