"""Mailtrap's webhooks: batches of what became of each e-mail, as one JSON object or one JSON text a line.

A soft bounce is tried ten more times and a suspended e-mail is looked at ten more times, so neither is final:
https://docs.mailtrap.io/email-api-smtp/analytics/statuses-and-events
"""

from collections.abc import Iterable

from gateway.errors import PayloadError
from gateway.translation import json_body, mail, schemes
from gateway.translation.adapter import Adapter, Docs
from gateway.translation.batch import Batch, under
from gateway.translation.item import Item
from gateway.translation.mail import BLOCKED, HARD, REJECTED, SOFT, UNDETERMINED, Acts, Bounce, Mail
from gateway.translation.webhook import VerifiedWebhook

SCHEME = schemes.Hmac(header="Mailtrap-Signature")


def items(verified: VerifiedWebhook) -> Iterable[object]:
    """The events of a body in either of the two formats that can be chosen at Mailtrap."""
    whole = _read(verified.body)
    if isinstance(whole, dict) and "event" not in whole:
        return under("events")(verified)
    lines = [_read(line) for line in verified.body.splitlines() if line.strip()]
    return lines if any(isinstance(line, dict) and "event" in line for line in lines) else under("events")(verified)


def _read(line: bytes) -> object:
    """None for what is not JSON: it is quarantined alone."""
    try:
        return json_body.load(line)
    except PayloadError:
        return None


def read(item: Item) -> Mail:
    return Mail(
        item.email("email"),
        id=item.id("message_id"),
        campaign=item.text("category"),
        url=item.text("url"),
        words=item.text("response"),
        status=item.text("response_code"),
        reason=item.text("reason", "bounce_category"),
    )


# The `bounce_category` of a `bounce`, which is final.
# https://docs.mailtrap.io/email-api-smtp/deliverability/bounce-categorization
BOUNCES = {
    "badrecipient": Bounce(HARD),
    "transientfail": Bounce(SOFT),
    "greylisting": Bounce(SOFT),
    "dnsfail": Bounce(SOFT),
    "generalfail": Bounce(SOFT),
    "serverfail": Bounce(SOFT),
    "overquota": Bounce(SOFT),
    "badsender": Bounce(SOFT, BLOCKED),
    "block": Bounce(SOFT, BLOCKED),
    "content": Bounce(SOFT, BLOCKED),
    "spam": Bounce(SOFT, BLOCKED),  # a filter's judgement, not a person's complaint
    "spam_gmail": Bounce(SOFT, BLOCKED),  # not authenticated, too much at once, or reputation
    "serverpolicy": Bounce(SOFT, BLOCKED),
    "relayfail": Bounce(SOFT, BLOCKED),
    "verifyfail": Bounce(UNDETERMINED),  # of the sender's address or of the recipient's
    "timeout": Bounce(UNDETERMINED),  # "unspecified, probably a timeout"
    "other": Bounce(UNDETERMINED),
}

TABLE: Acts = {
    "delivery": mail.delivered,
    "open": mail.opened,
    "click": mail.clicked,
    "soft bounce": mail.delayed,  # as the reference shows it in payloads
    "soft_bounce": mail.delayed,  # as it lists what can be chosen
    "suspension": mail.delayed,  # the domain is not verified yet, or the day's limit is reached; Mailtrap looks again
    "bounce": mail.by("bounce_category", BOUNCES, Bounce(UNDETERMINED)),
    # suppressed, for whatever cause, or the domain was not verified in time: only the words of `reason` say which
    "reject": Bounce(UNDETERMINED, REJECTED),
    "spam": mail.complained,
    "spam complaint": mail.complained,  # in Mailtrap's own client libraries
    "unsubscribe": mail.unsubscribed,
}

IGNORED = {
    "inbound*": "mail that was received, not sent",
    "audit_log*": "about the Mailtrap account, not about a subscriber",
    "activity_log*": "about the Mailtrap account, not about a subscriber",  # what it was called before
}

adapter = Adapter(
    name="mailtrap",
    title="Mailtrap",
    docs=Docs(
        events="https://docs.mailtrap.io/email-api-smtp/advanced/webhooks",
        security="https://docs.mailtrap.io/email-api-smtp/advanced/webhooks#verifying-the-signature",
    ),
    scheme=lambda options: SCHEME,
    split=Batch("event", id=("event_id",), times=("timestamp",), items=items),
    handlers=mail.handlers(read, TABLE),
    ignored=IGNORED,
    options=mail.MailOptions,
)
