"""The options of every source whose adapter tells of refunds and chargebacks."""

from marshmallow import Schema, fields, validate

from gateway.events import LINK_WAIT
from gateway.formats.durations import Duration


class RefundOptions(Schema):
    """`unknown_sale_refunds`: whether a refund may leave whose sale nobody tells within `link_wait`, because it was
    made before the gateway came. `failed_refund`: whether a refund that fails after Lumail heard of it is only shown,
    or given back by a payment.
    """

    unknown_sale_refunds = fields.String(load_default="hold", validate=validate.OneOf(["send", "hold"]))
    failed_refund = fields.String(load_default="show", validate=validate.OneOf(["show", "payment"]))
    link_wait = Duration(load_default=LINK_WAIT)


class ChargebackOptions(Schema):
    """`chargebacks`: whether money that a bank took back counts as a refund, or not at all."""

    chargebacks = fields.String(load_default="refund", validate=validate.OneOf(["refund", "ignore"]))
