"""Mailjet's Event API: one event, or an array of what happened in a second where events are grouped.

Nothing is signed: user and password stand in the URL. Events have no id, so their content names them.
`sent` means that the receiving server took the e-mail; there is no event for Mailjet's having taken it.
"""

from gateway.translation import mail, schemes
from gateway.translation.adapter import Adapter, Docs
from gateway.translation.batch import Batch
from gateway.translation.item import Item
from gateway.translation.mail import BLOCKED, HARD, REJECTED, SOFT, UNDETERMINED, Acts, Bounce, Mail


def read(item: Item) -> Mail:
    """Whose it is, and what else is told of the e-mail: any of it may be missing."""
    list_id = item.id("mj_list_id")
    return Mail(
        item.email("email"),
        id=item.id("MessageID", "mj_message_id"),  # an integer of more than 53 bits
        campaign=item.id("customcampaign", "mj_campaign_id"),
        url=item.text("url"),
        words=item.text("comment"),
        reason=f"contact list {list_id}" if list_id else item.text("error"),
        names=(list_id,),
    )


# What each `error` says, in the order of the reference's table; then one that only the `MessageState` of Mailjet's
# client libraries has (https://github.com/mailjet/mailjet-apiv3-nodejs); last `hard_bounce`, where no known error is.
BOUNCES: Acts = {
    "user unknown": Bounce(HARD),
    "mailbox inactive": Bounce(HARD),
    "quota exceeded": Bounce(SOFT),
    "blacklisted": Bounce(UNDETERMINED, REJECTED),  # by the sender's own doing, or because of what was before
    "spam reporter": Bounce(UNDETERMINED, REJECTED),  # complained before
    "invalid domain": Bounce(HARD),
    "no mail host": Bounce(HARD),
    "relay/access denied": Bounce(SOFT, BLOCKED),
    "greylisted": mail.by("hard_bounce", {"true": Bounce(SOFT)}, mail.delayed),  # tried again, unless it was the last
    "typofix": Bounce(HARD, REJECTED),
    "bad or empty template": Bounce(SOFT, REJECTED),
    "error in template language": Bounce(SOFT, REJECTED),
    "sender blocked": Bounce(SOFT, BLOCKED),
    "content blocked": Bounce(SOFT, BLOCKED),
    "policy issue": Bounce(SOFT, BLOCKED),
    "system issue": Bounce(SOFT),
    "protocol issue": Bounce(SOFT),
    "connection issue": Bounce(SOFT),
    "preblocked": Bounce(HARD, REJECTED),  # bounced lately or repeatedly
    "duplicate in campaign": Bounce(SOFT, REJECTED),
    "spam preblocked": Bounce(UNDETERMINED, REJECTED),  # whether for the message or for the address is not said
    "true": Bounce(HARD),
    "false": Bounce(SOFT),
}

TABLE: Acts = {
    "sent": mail.delivered,
    "open": mail.opened,
    "click": mail.clicked,
    "bounce": mail.by(("error", "hard_bounce"), BOUNCES, Bounce(UNDETERMINED)),
    "blocked": mail.by("error", mail.untried(BOUNCES), Bounce(UNDETERMINED, REJECTED)),
    "spam": mail.complained,
    "unsub": mail.unsubscribed,
}

adapter = Adapter(
    name="mailjet",
    title="Mailjet",
    docs=Docs(
        events="https://dev.mailjet.com/email/guides/webhooks/",
        security="https://documentation.mailjet.com/hc/en-us/articles/360043578154-Event-Tracking-API",
    ),
    scheme=lambda options: schemes.Basic(),
    split=Batch("event", times=("time",)),
    handlers=mail.handlers(read, TABLE),
    options=mail.MailOptions,
)
