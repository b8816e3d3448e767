"""What of Stripe's objects is read, in all generations of its API: later ones only add to or take from these fields."""

from marshmallow import fields

from gateway.translation.payload import Email, Flag, Part, PayloadSchema, Reference, Text, UnixTime, Whole


class EnvelopeSchema(PayloadSchema):
    id = Text(required=True)
    type = Text(required=True)
    created = UnixTime(required=True)
    livemode = Flag(required=True)
    account = Text()  # Connect: the connected account
    context = Text()  # organizations: the path to the account
    data = fields.Dict(required=True)


class PersonSchema(PayloadSchema):
    email = Email()


class PresentmentSchema(PayloadSchema):
    presentment_amount = Whole()
    presentment_currency = Text()


class ConversionSchema(PayloadSchema):
    amount_total = Whole()
    source_currency = Text()


class InvoiceCreationSchema(PayloadSchema):
    enabled = Flag()


class SessionSchema(PayloadSchema):
    mode = Text()
    payment_link = Reference()
    invoice_creation = Part(InvoiceCreationSchema)
    payment_status = Text(required=True)
    amount_total = Whole()
    currency = Text()
    payment_intent = Reference()
    invoice = Reference()
    customer = Reference()
    customer_details = Part(PersonSchema)
    customer_email = Email()
    metadata = fields.Dict(load_default=dict, allow_none=True)
    presentment_details = Part(PresentmentSchema)
    currency_conversion = Part(ConversionSchema)


class PriceDetailsSchema(PayloadSchema):
    price = Reference()
    product = Reference()


class PricingSchema(PayloadSchema):
    price_details = Part(PriceDetailsSchema)


class NamedSchema(PayloadSchema):
    """Before 2025-03-31 a line holds its price, and its plan, whole."""

    id = Text()
    product = Reference()
    nickname = Text()


class LineSchema(PayloadSchema):
    amount = Whole()
    description = Text()
    metadata = fields.Dict(load_default=dict, allow_none=True)
    pricing = Part(PricingSchema)
    price = Part(NamedSchema)
    plan = Part(NamedSchema)


class LinesSchema(PayloadSchema):
    data = fields.List(fields.Nested(LineSchema), load_default=list)


class InvoiceSchema(PayloadSchema):
    id = Text(required=True)
    status = Text()
    amount_paid = Whole(required=True)
    amount_due = Whole()
    amount_overpaid = Whole()
    attempted = Flag()
    paid_out_of_band = Flag()
    currency = Text(required=True)
    payment_intent = Reference()
    charge = Reference()
    customer = Reference()
    customer_email = Email()
    description = Text()
    metadata = fields.Dict(load_default=dict, allow_none=True)
    lines = Part(LinesSchema)


class ChargeSchema(PayloadSchema):
    id = Text(required=True)
    status = Text()
    amount = Whole(required=True)
    amount_captured = Whole()
    amount_refunded = Whole()
    captured = Flag()
    currency = Text(required=True)
    payment_intent = Reference()
    invoice = Reference()
    customer = Reference()
    receipt_email = Email()
    billing_details = Part(PersonSchema)
    description = Text()
    metadata = fields.Dict(load_default=dict, allow_none=True)
    source_transfer = Reference()


class OrderReferenceSchema(PayloadSchema):
    order_reference = Text()


class IntentSchema(PayloadSchema):
    id = Text(required=True)
    invoice = Reference()
    latest_charge = Reference()
    amount_received = Whole()
    amount = Whole()
    currency = Text(required=True)
    customer = Reference()
    receipt_email = Email()
    description = Text()
    metadata = fields.Dict(load_default=dict, allow_none=True)
    payment_details = Part(OrderReferenceSchema)


class PaidBySchema(PayloadSchema):
    payment_intent = Reference()
    charge = Reference()


class InvoicePaymentSchema(PayloadSchema):
    invoice = Reference(required=True)
    payment = Part(PaidBySchema)
    amount_paid = Whole()
    currency = Text()


class RefundSchema(PayloadSchema):
    id = Text(required=True)
    amount = Whole(required=True)
    currency = Text(required=True)
    status = Text()
    reason = Text()
    created = UnixTime()
    charge = Reference()
    payment_intent = Reference()
    customer = Reference()
    description = Text()
    metadata = fields.Dict(load_default=dict, allow_none=True)


class DisputeSchema(PayloadSchema):
    id = Text(required=True)
    amount = Whole(required=True)
    currency = Text(required=True)
    status = Text(required=True)
    charge = Reference()
    payment_intent = Reference()


class RefundOfNoteSchema(PayloadSchema):
    refund = Reference()


class CreditNoteSchema(PayloadSchema):
    invoice = Reference(required=True)
    refund = Reference()
    refunds = fields.List(fields.Nested(RefundOfNoteSchema), load_default=list, allow_none=True)


class CustomerSchema(PayloadSchema):
    id = Text(required=True)
    email = Email()


class ProductSchema(PayloadSchema):
    id = Text(required=True)
    name = Text()


class PriceSchema(PayloadSchema):
    id = Text(required=True)
    product = Reference()
    nickname = Text()
