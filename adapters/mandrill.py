"""Mandrill (Mailchimp Transactional): forms with batches of events, signed together with the URL that they are sent to.

No time is signed and a request has no id: what an event says of itself is its key. The `_id` of an event is that of
the message to one recipient.
"""

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_urlsafe
from typing import Any

from marshmallow import fields, validate

from gateway.errors import PayloadError, RejectionCause, SignatureError
from gateway.translation import form, json_body, mail
from gateway.translation.adapter import Adapter, Docs
from gateway.translation.batch import Batch
from gateway.translation.item import Item
from gateway.translation.mail import BLOCKED, HARD, REJECTED, SOFT, UNDETERMINED, Act, Acts, Bounce, Mail
from gateway.translation.schemes import reading
from gateway.translation.signature import KeyPair, Reads, Signed, Unproven
from gateway.translation.webhook import VerifiedWebhook, Webhook

HEADER = "X-Mandrill-Signature"
FIELD = "mandrill_events"
URL_CHECK_KEY = "test-webhook"
"""Signs the look at a URL for which Mandrill has not made a key yet."""

MOST_FIELDS = 100


class Options(mail.MailOptions):
    """`url`: the URL as it was entered at Mandrill, to the letter, where it is not the gateway's own address."""

    url = fields.String(load_default=None, validate=validate.Regexp(r"https?://\S+\Z"))


@dataclass(frozen=True)
class FormSignature:
    """Base64 HMAC-SHA1 of the URL and each form field's name and value, sorted by name, with nothing between them."""

    url: str | None = None

    @property
    def tolerance(self) -> None:
        return None

    @property
    def signs_body(self) -> bool:
        return True

    @property
    def unproven(self) -> Unproven:
        return Unproven(Reads.CONTENT)

    @property
    def proof_headers(self) -> tuple[str, ...]:
        return (HEADER,)

    def check_secret(self, secret: str) -> str | None:
        return reading.check_text(secret)

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        given = reading.decoded(reading.header(webhook, HEADER), "base64")
        reading.match(self._signature(webhook, secret), [given], HEADER)
        return Signed()

    def sign(self, webhook: Webhook, signing: str, at: datetime) -> Webhook:
        return webhook.with_headers({HEADER: reading.encoded(self._signature(webhook, signing), "base64")})

    def generate(self) -> KeyPair:
        return reading.symmetric(token_urlsafe(16))

    def _signature(self, webhook: Webhook, secret: str) -> bytes:
        try:
            told = dict(form.pairs(webhook.body, MOST_FIELDS))
        except PayloadError as error:
            raise SignatureError(RejectionCause.MALFORMED, str(error)) from error
        signing = hmac.new(secret.encode(), (self.url or webhook.url).encode(), "sha1")
        for name in sorted(told):
            signing.update(name)
            signing.update(told[name])
        return signing.digest()


def probe(webhook: Webhook, secrets: Sequence[str], options: Mapping[str, Any]) -> bool:
    """Whether this is Mandrill's look at the URL: an empty batch, signed with the source's key or the common one."""
    told = webhook.body.strip()
    if len(told) > 100 or not re.fullmatch(rb"mandrill_events=(?:\[|%5B)(?:\]|%5D)", told, re.IGNORECASE):
        return False
    scheme = FormSignature(options.get("url"))
    return any(_is_signed(scheme, webhook, secret) for secret in (*secrets, URL_CHECK_KEY) if secret)


def _is_signed(scheme: FormSignature, webhook: Webhook, secret: str) -> bool:
    try:
        scheme.verify(webhook, secret)
    except SignatureError:
        return False
    return True


def items(verified: VerifiedWebhook) -> Iterable[object]:
    if FIELD not in verified.form:
        raise PayloadError(f"the form has no field {FIELD}")
    batch = json_body.load(verified.form[FIELD].encode("utf-8", "replace"))
    if not isinstance(batch, list):
        raise PayloadError(f"{FIELD} is not an array of events")
    return batch


def kind(item: Item) -> str | None:
    return item.text("event", "type")  # what is about a list of the account, not about a message, has a `type`


def read(item: Item) -> Mail:
    return Mail(
        item.email("msg.email"),
        id=item.id("msg._id", "_id"),
        campaign=item.first("msg.tags"),
        subject=item.text("msg.subject"),
        url=item.text("url"),
        machine=(item.text("user_agent_parsed.type") or "").lower() == "robot",
        words=item.text("msg.diag"),
        reason=item.text("msg.bounce_description") or REASONS.get(kind(item) or ""),
        names=(item.text("msg.diag"), item.text("ip"), item.text("user_agent")),
    )


REASONS = {"reject": "rejected by Mandrill before sending"}


def bounced(label: str) -> Act:
    """A bounce of that kind, unless Mandrill's reader of bounces (`bgtools_code`) says that it was blocked:
    https://boogietools.com/Products/Linux/BounceStudioAPI/Email-Bounce-Boogie-Bounce-API-Categories.asp
    """
    blocks = ("50", "51", "52", "53", "54")  # refused for the sender, spam, an attachment, relaying
    return mail.by("msg.bgtools_code", dict.fromkeys(blocks, Bounce(SOFT, BLOCKED)), Bounce(label))


TABLE: Acts = {
    "send": mail.sent,
    "delivered": mail.delivered,
    "deferral": mail.delayed,
    "open": mail.opened,
    "click": mail.clicked,
    "hard_bounce": bounced(HARD),
    "soft_bounce": bounced(SOFT),
    # why is not told: an earlier bounce, complaint or unsubscription, a rule of the account, an unsigned sender …
    "reject": Bounce(UNDETERMINED, REJECTED),
    "spam": mail.complained,
    "unsub": mail.unsubscribed,
}

_OF_THE_ACCOUNT = "about a list of the account; what led to it is told by events of its own"

# The lists were renamed in the documentation, not in every request.
IGNORED = {
    "blacklist": _OF_THE_ACCOUNT,
    "denylist": _OF_THE_ACCOUNT,
    "whitelist": _OF_THE_ACCOUNT,
    "safelist": _OF_THE_ACCOUNT,
    "allowlist": _OF_THE_ACCOUNT,
    "inbound": "mail that came in, not mail that was sent",
}

adapter = Adapter(
    name="mandrill",
    title="Mandrill",
    docs=Docs(
        events="https://mailchimp.com/developer/transactional/docs/webhooks/",
        security="https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/#authenticating-webhook-requests",
    ),
    scheme=lambda options: FormSignature(options.get("url")),
    split=Batch(kind, times=("ts",), items=items),
    handlers=mail.handlers(read, TABLE),
    ignored=IGNORED,
    options=Options,
    probe=probe,
    published_secrets=frozenset({URL_CHECK_KEY}),
)
