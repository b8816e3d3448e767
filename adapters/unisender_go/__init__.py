"""Unisender Go: batches by user, proven by an MD5 of the body with the API key in the place of that MD5.

Its sister UniOne (https://docs.unione.io/en/web-api-ref#callback-format) says the same in English and more of it. A
request is tried again every 10 minutes for 24 hours. No time is signed and no id is equal in retries: what an event
says of itself is its key. `job_id` names one call of the sending method, which may go to many recipients.
"""

from collections.abc import Iterable
from datetime import UTC

from adapters.unisender_go.body_digest import BodyDigest
from gateway.errors import PayloadError
from gateway.translation import mail
from gateway.translation.adapter import Adapter, Docs
from gateway.translation.batch import Batch
from gateway.translation.item import Item
from gateway.translation.mail import BLOCKED, HARD, REJECTED, SOFT, UNDETERMINED, Acts, Bounce, Mail
from gateway.translation.webhook import VerifiedWebhook

SCHEME = BodyDigest()

STATUS = "transactional_email_status"


def items(verified: VerifiedWebhook) -> Iterable[object]:
    """The events of all users; with the provider's setting "one event a request" the body itself is the event."""
    body = verified.json
    if not isinstance(body, dict):
        raise PayloadError("the body is not a JSON object")
    if "events_by_user" not in body:
        return [{"event_name": body.get("event_name"), "event_data": body}]
    if not isinstance(body["events_by_user"], list):
        raise PayloadError("events_by_user is not an array")
    return [event for user in body["events_by_user"] for event in _of_user(user)]


def _of_user(user: object) -> Iterable[object]:
    events = user.get("events") if isinstance(user, dict) else None
    return events if isinstance(events, list) else [None]


def kind(item: Item) -> str | None:
    """The status of an e-mail; the name of what is about none."""
    name = item.text("event_name")
    return item.text("event_data.status") if name in (STATUS, None) else name


def read(item: Item) -> Mail:
    told = "event_data.delivery_info"
    return Mail(
        item.email("event_data.email"),
        id=item.id("event_data.job_id"),
        campaign=item.id("event_data.metadata.campaign_id"),  # the sender's
        url=item.text("event_data.url"),
        # `protected`, a privacy proxy, leaves open whether a person was there: Gmail's fetches what somebody opens
        machine=item.text(f"{told}.traffic_type") == "machine",
        words=item.text(f"{told}.destination_response"),
        reason=item.text(f"{told}.delivery_status"),
        happening=ONE_FACT.get(kind(item) or ""),
        names=(item.text(f"{told}.ip"), item.text(f"{told}.user_agent")),
        once=kind(item) in ("accepted", "sent"),
    )


ONE_FACT = {"accepted": "sent"}
"""Should both be told, taken and on its way."""

# delivery_status, https://godocs.unisender.ru/email-statuses. `hard_bounced` says only that nothing more will be
# tried, for a full mailbox too: what is not here says no more than that, unless the mail server's code does. The
# reference only names some; https://www.unisender.com/en/support/api/messages/checkemail/ says what they mean.
BOUNCES = {
    "err_user_unknown": Bounce(HARD),
    "err_user_inactive": Bounce(HARD),
    "err_mailbox_discarded": Bounce(HARD),
    "err_unreachable": Bounce(HARD),  # failed for months
    "err_mailbox_full": Bounce(SOFT),
    "err_too_large": Bounce(SOFT),
    "err_destination_misconfigured": Bounce(SOFT),
    "err_domain_inactive": Bounce(SOFT),  # the provider tries such a domain again after some days
    "err_no_dns": Bounce(SOFT),  # as with a domain that takes no mail
    "err_no_smtp": Bounce(SOFT),
    "err_giveup": Bounce(SOFT),
    "err_delivery_failed": Bounce(UNDETERMINED),  # for another reason
    "err_unknown": Bounce(UNDETERMINED),
    "err_spam_rejected": Bounce(SOFT, BLOCKED),
    "err_blacklisted": Bounce(SOFT, BLOCKED),
    "err_dest_invalid": Bounce(HARD, REJECTED),  # not an address
    "err_src_invalid": Bounce(SOFT, REJECTED),  # the sender's is none
    "err_not_available": Bounce(SOFT, REJECTED),  # may be back after days or weeks, unlike err_unreachable
    "err_skip_letter": Bounce(SOFT, REJECTED),
    "err_spam_skipped": Bounce(SOFT, REJECTED),
    "err_spam_removed": Bounce(SOFT, REJECTED),
    "err_lost": Bounce(SOFT, REJECTED),
    "err_internal": Bounce(SOFT, REJECTED),
    "skip_dup_unreachable": Bounce(HARD, REJECTED),
    "skip_dup_temp_unreachable": Bounce(SOFT, REJECTED),
    "skip_dup_mailbox_full": Bounce(SOFT, REJECTED),
    "err_unsubscribed": Bounce(UNDETERMINED, REJECTED),
    "not_sent": Bounce(UNDETERMINED, REJECTED),
}

TABLE: Acts = {
    "accepted": mail.sent,
    "sent": mail.sent,
    "delivered": mail.delivered,
    "opened": mail.opened,
    "clicked": mail.clicked,
    "soft_bounced": mail.delayed,  # still being tried: at the end comes `delivered` or `hard_bounced`
    "hard_bounced": mail.by("event_data.delivery_info.delivery_status", BOUNCES, Bounce(UNDETERMINED)),
    "spam": mail.complained,
    "unsubscribed": mail.unsubscribed,
    "subscribed": mail.subscribed,  # the recipient did it himself, after he had unsubscribed
}

IGNORED = {
    "transactional_spam_block": "about the provider's servers at a recipient's domain, not about a subscriber",
}

adapter = Adapter(
    name="unisender_go",
    title="Unisender Go",
    docs=Docs(
        events="https://godocs.unisender.ru/web-api-ref#callback-format",
        security="https://godocs.unisender.ru/web-api-ref#callback-format",
    ),
    scheme=lambda options: SCHEME,
    split=Batch(kind, times=("event_data.event_time",), zone=UTC, items=items),
    handlers=mail.handlers(read, TABLE),
    ignored=IGNORED,
    options=mail.MailOptions,
)
