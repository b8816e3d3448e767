"""Stripe: sales from Checkout and invoices, refunds from charges; all else teaches or is left out on purpose.

events:   https://docs.stripe.com/api/events/types
security: https://docs.stripe.com/webhooks/signature

A sale is told by a session, an invoice, an intent and a charge, and its refunds one by one and as running totals: the
gateway sends what is true of it less what it sent already.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from marshmallow import fields, validate

from adapters.stripe import facts
from adapters.stripe.payloads import EnvelopeSchema
from gateway.errors import PayloadError
from gateway.formats.durations import Duration
from gateway.translation import json_body, payload, schemes
from gateway.translation.adapter import Adapter, Context, Docs, Handler, SourceEvent, Translation
from gateway.translation.sale_options import ChargebackOptions
from gateway.translation.webhook import VerifiedWebhook


def _one_of(*words: str) -> validate.OneOf:
    return validate.OneOf(words, error=f"must be one of: {', '.join(words)}")


SCHEME = schemes.Hmac(
    header="Stripe-Signature",
    signed="{timestamp}.{body}",
    timestamp_field="t",
    signature_field="v1",
    tolerance=schemes.SIGNED_AFRESH,
    secret_prefix="whsec_",  # noqa: S106 - how secrets begin, not one
)


class OptionsSchema(ChargebackOptions):
    """`payments_from` says which objects make payments; why each option is there stands in docs/providers/stripe.md."""

    payments_from = fields.String(load_default=facts.SALES, validate=_one_of(facts.SALES, facts.INTENTS, facts.BOTH))
    link_wait = Duration(load_default=timedelta(days=3))
    failed_refund = fields.String(load_default="show", validate=_one_of("show", "payment"))
    unknown_sale_refunds = fields.String(load_default="send", validate=_one_of("send", "hold"))
    accounts = fields.List(fields.String(validate=validate.Length(min=1)), load_default=None)
    product_names = fields.Dict(
        keys=fields.String(), values=fields.String(validate=validate.Length(1, 200)), load_default=dict
    )


_ENVELOPE = EnvelopeSchema()


def split(verified: VerifiedWebhook) -> Sequence[SourceEvent]:
    """A webhook is one event. Its payload is `data.object`, with the event's `previous_attributes` put beside."""
    body = json_body.an_object(verified.json, "the body")
    if body.get("object") != "event":
        raise PayloadError(_advice(body))
    envelope = payload.load(_ENVELOPE, body)
    told = json_body.an_object(envelope["data"].get("object"), "data.object")
    inner_account = (envelope["context"] or "").rpartition("/")[2]
    event = SourceEvent(
        id=envelope["id"],
        type=envelope["type"],
        occurred_at=envelope["created"],
        payload={**told, "previous_attributes": envelope["data"].get("previous_attributes")},
        account=envelope["account"] or inner_account or None,
        test=not envelope["livemode"],
    )
    return [event]


def _advice(body: Mapping[str, Any]) -> str:
    """What to do about a body in one of the other forms that Stripe's event destinations know."""
    if body.get("object") == "v2.core.event":
        return "a thin event carries no data: choose the payload style Snapshot for this destination at Stripe"
    if "detail" in body:
        return "an event wrapped by Amazon EventBridge: let Stripe send to a webhook endpoint instead"
    if "specversion" in body:
        return "an event wrapped by Azure Event Grid: let Stripe send to a webhook endpoint instead"
    return "not a Stripe event: its `object` is not `event`"


def delivery_id(verified: VerifiedWebhook) -> str | None:
    """The event's id: a retry carries the same."""
    try:
        body = verified.json
    except PayloadError:
        return None
    id_ = body.get("id") if isinstance(body, dict) else None
    return id_ if isinstance(id_, str) and id_ else None


def _of_listed_account(handler: Handler) -> Handler:
    """Nothing is told or learnt of an account that the source does not name, where it names any."""

    def listed(event: SourceEvent, context: Context) -> Translation:
        accounts = context.options["accounts"]
        if event.account is not None and accounts is not None and event.account not in accounts:
            raise PayloadError(
                f"account {event.account[:60]} is not among this source's `accounts`: add it there, "
                "and let the webhook be translated again"
            )
        return handler(event, context)

    return listed


# Every family of Stripe's list of event types that has no handler, by the reason why not.
_LEFT_OUT = {
    "about the Stripe account, not about a sale": (
        "account.* apps.* billing_portal.* capability.* climate.* file.* person.* reporting.* sigma.* tax.* "
        "terminal.* test_helpers.*"
    ),
    "about money outside sales: balances, payouts, cards that are issued": (
        "application_fee.* balance.* balance_settings.* cash_balance.* customer_cash_balance_transaction.* "
        "financial_connections.* issuing_* payout.* reserve.* topup.* transfer.* treasury.*"
    ),
    "about prices and terms, not about a sale": (
        "billing.* coupon.* customer.discount.* entitlements.* payment_link.* plan.* price.deleted product.deleted "
        "promotion_code.* tax_rate.*"
    ),
    "a suspicion moves no money": "radar.* review.*",
    "about who somebody is": "customer.deleted customer.tax_id.* identity.* three_d_secure.*",
    "about a subscription's terms; its invoices tell what is paid, and it is no subscription to e-mail": (
        "customer.subscription.* subscription_schedule.*"
    ),
    "how somebody could pay, not that he did": "customer.source.* mandate.* payment_method.* setup_intent.* source.*",
    "nothing is paid by this": (
        "charge.expired charge.failed charge.pending charge.updated "
        "checkout.session.async_payment_failed checkout.session.expired credit_note.voided "
        "invoice.created invoice.deleted invoice.finalization_failed invoice.finalized invoice.marked_uncollectible "
        "invoice.overdue invoice.overpaid invoice.payment_action_required invoice.payment_attempt_required "
        "invoice.payment_failed invoice.sent invoice.upcoming invoice.updated invoice.voided invoice.will_be_due "
        "invoice_payment.detached invoiceitem.* payment_intent.amount_capturable_updated payment_intent.canceled "
        "payment_intent.created payment_intent.partially_funded payment_intent.payment_failed "
        "payment_intent.processing payment_intent.requires_action quote.*"
    ),
}
IGNORED = {pattern: reason for reason, patterns in _LEFT_OUT.items() for pattern in patterns.split()}

adapter = Adapter(
    name="stripe",
    title="Stripe",
    docs=Docs(
        events="https://docs.stripe.com/api/events/types",
        security="https://docs.stripe.com/webhooks/signature",
    ),
    scheme=lambda options: SCHEME,
    split=split,
    handlers={name: _of_listed_account(handler) for name, handler in facts.handlers.items()},
    ignored=IGNORED,
    options=OptionsSchema,
    least_secret=32,
    delivery_id=delivery_id,
)
