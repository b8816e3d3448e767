"""Unisender Go: batches by user, proven by an MD5 of the body with the API key in the place of that MD5.

events:   https://godocs.unisender.ru/web-api-ref#callback-format
security: https://godocs.unisender.ru/web-api-ref#callback-format

Its sister UniOne (https://docs.unione.io/en/web-api-ref#callback-format) says the same in English and more of it. A
request is tried again every 10 minutes for 24 hours. No time is signed and no id is equal in retries: what an event
says of itself is its key. `job_id` names one call of the sending method, which may go to many recipients.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from typing import Any

from adapters.unisender_go.body_digest import BodyDigest
from gateway.errors import PayloadError
from gateway.translation import bounce, json_body, key, mail, moment
from gateway.translation.adapter import (
    Adapter,
    Context,
    Docs,
    Handlers,
    SourceEvent,
    Translation,
    Unreadable,
)
from gateway.translation.payload import Email, Part, PayloadSchema, Text
from gateway.translation.webhook import VerifiedWebhook

SCHEME = BodyDigest()

STATUS = "transactional_email_status"


def split(verified: VerifiedWebhook) -> Sequence[SourceEvent | Unreadable]:
    """The events of all users; with the provider's setting "one event a request" the body itself is the event."""
    told = json_body.an_object(verified.json, "the body")
    if "events_by_user" not in told:
        return [_source_event("the body", told.get("event_name"), told, verified)]
    found: list[SourceEvent | Unreadable] = []
    for number, user in enumerate(_array(told["events_by_user"], "events_by_user")):
        events = user.get("events") if isinstance(user, dict) else None
        if not isinstance(events, list):
            found.append(Unreadable(f"user {number} has no array `events`"))
            continue
        for position, item in enumerate(events):
            event = item if isinstance(item, dict) else {}
            where = f"item {position} of user {number}"
            found.append(_source_event(where, event.get("event_name"), event.get("event_data"), verified))
    return found


def _array(value: object, what: str) -> Sequence[object]:
    if not isinstance(value, list):
        raise PayloadError(f"{what} is not an array")
    return value


def _source_event(where: str, name: object, data: object, verified: VerifiedWebhook) -> SourceEvent | Unreadable:
    if not isinstance(name, str) or not isinstance(data, dict):
        return Unreadable(f"{where} is no event: it has no `event_name`, or no data")
    if name != STATUS:  # about no e-mail: its time is of no use here
        return SourceEvent(id=None, type=name, occurred_at=verified.webhook.received_at, payload=data)
    status = data.get("status")
    if not isinstance(status, str):
        return Unreadable(f"{where} has no `status`")
    try:
        occurred_at = moment.from_iso(data.get("event_time"), UTC)
    except PayloadError as error:
        return Unreadable(f"{where}: event_time is {error}")
    return SourceEvent(id=None, type=status, occurred_at=occurred_at, payload=data)


class MetadataSchema(PayloadSchema):
    campaign_id = Text()  # the sender's; the one word in metadata that means something to the provider


class DeliverySchema(PayloadSchema):
    delivery_status = Text()
    destination_response = Text()
    traffic_type = Text()
    user_agent = Text()
    ip = Text()


class StatusSchema(PayloadSchema):
    job_id = Text(required=True)
    email = Email(required=True)
    metadata = Part(MetadataSchema)
    delivery_info = Part(DeliverySchema)
    url = Text()


class ClickSchema(StatusSchema):
    url = Text(required=True)


handlers = Handlers()


@handlers.on("accepted", "sent", schema=StatusSchema)
def sent(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    # one fact, should both be told: taken, and on its way
    return mail.sent(replace(_mail(told, event), key=f"sent:{told['job_id']}:{told['email']}"), context)


@handlers.on("delivered", schema=StatusSchema)
def delivered(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.delivered(_mail(told, event), context)


@handlers.on("opened", schema=StatusSchema)
def opened(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.opened(_mail(told, event), context, machine=_is_machine(told))


@handlers.on("clicked", schema=ClickSchema)
def clicked(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.clicked(_mail(told, event), context, told["url"], machine=_is_machine(told))


@handlers.on("soft_bounced", schema=StatusSchema)
def deferred(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    # still being tried: at the end comes `delivered` or `hard_bounced`
    return mail.delayed(_mail(told, event), context)


# delivery_status, https://godocs.unisender.ru/email-statuses. `hard_bounced` says only that nothing more will be
# tried, for a full mailbox too: what is not here says no more than that, unless the mail server's code does.
KINDS = {
    "err_user_unknown": bounce.HARD,
    "err_user_inactive": bounce.HARD,
    "err_mailbox_discarded": bounce.HARD,
    "err_unreachable": bounce.HARD,  # failed for months
    "skip_dup_unreachable": bounce.HARD,
    "err_mailbox_full": bounce.SOFT,
    "skip_dup_mailbox_full": bounce.SOFT,
    "skip_dup_temp_unreachable": bounce.SOFT,
    "err_skip_letter": bounce.SOFT,
    "err_too_large": bounce.SOFT,
    "err_destination_misconfigured": bounce.SOFT,
    "err_domain_inactive": bounce.SOFT,  # the provider tries such a domain again after some days
    "err_spam_rejected": bounce.SOFT,
    "err_spam_skipped": bounce.SOFT,
    "err_spam_removed": bounce.SOFT,
    "err_blacklisted": bounce.SOFT,
    "err_lost": bounce.SOFT,
    "err_internal": bounce.SOFT,
    "err_giveup": bounce.SOFT,
}

STAGES = {
    "err_spam_rejected": "blocked",
    "err_blacklisted": "blocked",
    "err_spam_skipped": "rejected",
    "err_spam_removed": "rejected",
    "err_skip_letter": "rejected",
    "err_unsubscribed": "rejected",
    "err_lost": "rejected",
    "err_internal": "rejected",
    "not_sent": "rejected",
    "skip_dup_unreachable": "rejected",
    "skip_dup_temp_unreachable": "rejected",
    "skip_dup_mailbox_full": "rejected",
}


@handlers.on("hard_bounced", schema=StatusSchema)
def bounced(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    status, words = told["delivery_info"]["delivery_status"], told["delivery_info"]["destination_response"]
    return mail.bounced(
        _mail(told, event),
        context,
        kind=bounce.judge(KINDS.get(status, bounce.UNDETERMINED), words),
        reason=words or status,
        stage=STAGES.get(status, "sent"),
    )


@handlers.on("spam", schema=StatusSchema)
def complained(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.complained(_mail(told, event), context)


@handlers.on("unsubscribed", schema=StatusSchema)
def unsubscribed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.unsubscribed(_mail(told, event), context)


@handlers.on("subscribed", schema=StatusSchema)
def resubscribed(told: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return mail.subscribed(_mail(told, event), context)


IGNORED = {
    "transactional_spam_block": "about the provider's servers at a recipient's domain, not about a subscriber",
}


def _is_machine(told: Mapping[str, Any]) -> bool:
    # `protected`, a privacy proxy, leaves open whether a person was there: Gmail's fetches what somebody opens
    return bool(told["delivery_info"]["traffic_type"] == "machine")


def _mail(told: Mapping[str, Any], event: SourceEvent) -> mail.Mail:
    facts = (event.type, told["job_id"], told["email"], event.occurred_at, told["url"])
    reader = told["delivery_info"]["ip"], told["delivery_info"]["user_agent"]
    return mail.Mail(
        subscriber=told["email"],
        email_id=told["job_id"],
        key=key.composed(*facts, *reader),
        occurred_at=event.occurred_at,
        campaign=told["metadata"]["campaign_id"],
    )


adapter = Adapter(
    name="unisender_go",
    title="Unisender Go",
    docs=Docs(
        events="https://godocs.unisender.ru/web-api-ref#callback-format",
        security="https://godocs.unisender.ru/web-api-ref#callback-format",
    ),
    scheme=lambda options: SCHEME,
    split=split,
    handlers=handlers,
    ignored=IGNORED,
    options=mail.MailOptions,
)
