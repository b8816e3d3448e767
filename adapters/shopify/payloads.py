"""What of Shopify's payloads is read, in all versions of its API: later ones only add to or take from these fields."""

from typing import Any

from marshmallow import fields

from gateway.translation.payload import Email, Flag, Part, PayloadSchema, Text, Whole


class _Amount(fields.Raw):
    """Money in major units, as text or number; read by `gateway.translation.money` where it is needed."""

    def __init__(self) -> None:
        super().__init__(load_default=None, allow_none=True)


def _several(schema: type[PayloadSchema]) -> fields.List[Any]:
    return fields.List(fields.Nested(schema), load_default=list, allow_none=True)


class MoneySchema(PayloadSchema):
    amount = _Amount()
    currency_code = Text()


class MoneySetSchema(PayloadSchema):
    """One sum twice: in the shop's currency, and in the one that the buyer saw."""

    shop_money = Part(MoneySchema)
    presentment_money = Part(MoneySchema)


class DiscountSchema(PayloadSchema):
    amount = _Amount()
    amount_set = Part(MoneySetSchema)


class LineSchema(PayloadSchema):
    title = Text()
    quantity = Whole()
    gift_card = Flag()
    price = _Amount()
    price_set = Part(MoneySetSchema)
    discount_allocations = _several(DiscountSchema)


class TransactionSchema(PayloadSchema):
    id = Text(required=True)
    kind = Text(required=True)
    status = Text(required=True)
    amount = _Amount()
    currency = Text()
    gateway = Text()
    created_at = Text()
    processed_at = Text()


class ToldTransactionSchema(TransactionSchema):
    order_id = Text(required=True)


class RefundSchema(PayloadSchema):
    id = Text(required=True)
    transactions = _several(TransactionSchema)


class RefundLineSchema(PayloadSchema):
    line_item = Part(LineSchema)


class ToldRefundSchema(RefundSchema):
    order_id = Text(required=True)
    refund_line_items = _several(RefundLineSchema)


class DisputeSchema(PayloadSchema):
    id = Text(required=True)
    order_id = Text()
    type = Text(required=True)
    status = Text(required=True)
    amount = _Amount()
    currency = Text(required=True)


class BuyerSchema(PayloadSchema):
    id = Text()
    email = Email()


class OrderSchema(PayloadSchema):
    id = Text(required=True)
    financial_status = Text()
    total_price = _Amount()
    total_price_set = Part(MoneySetSchema)
    current_total_price = _Amount()
    total_outstanding = _Amount()
    payment_gateway_names = fields.List(Text(), load_default=list, allow_none=True)
    currency = Text()
    email = Email()
    contact_email = Email()
    customer = Part(BuyerSchema)
    line_items = _several(LineSchema)
    refunds = _several(RefundSchema)
    processed_at = Text()
    created_at = Text()
    updated_at = Text()


class CustomerSchema(PayloadSchema):
    id = Text(required=True)
    email = Email()
    updated_at = Text()


class MergeSchema(PayloadSchema):
    kept = Text(required=True, data_key="admin_graphql_api_customer_kept_id")
    deleted = Text(required=True, data_key="admin_graphql_api_customer_deleted_id")
    status = Text(required=True)


class ConsentStateSchema(PayloadSchema):
    state = Text(required=True)
    consent_updated_at = Text()


class ConsentSchema(PayloadSchema):
    customer_id = Text(required=True)
    email_address = Email()
    email_marketing_consent = fields.Nested(ConsentStateSchema, required=True)


class TagsSchema(PayloadSchema):
    customer = Text(required=True, data_key="customerId")
    tags = fields.List(Text(required=True), required=True)
    occurred_at = Text(data_key="occurredAt")


class RedactedCustomerSchema(PayloadSchema):
    customer = Part(BuyerSchema)
    orders = fields.List(Text(required=True), data_key="orders_to_redact", load_default=list, allow_none=True)


class ReferenceSchema(PayloadSchema):
    id = Text()


class DataRequestSchema(PayloadSchema):
    customer = Part(BuyerSchema)
    orders = fields.List(Text(required=True), data_key="orders_requested", load_default=list, allow_none=True)
    data_request = Part(ReferenceSchema)


class ShopSchema(PayloadSchema):
    shop_domain = Text(required=True)
